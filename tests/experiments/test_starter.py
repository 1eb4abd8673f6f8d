"""The command that makes the weights of the package."""

import commands
import numpy as np
import pytest
import skimage.data

from srn_tf.media.images import write_image
from srn_tf.weights.run_folder import load_model
from srn_tf.weights.starter import load_starter


@pytest.mark.robust
def test_one_command_renders_trains_and_packs_and_resumes(tmp_path):
    write_image(tmp_path / "photographs" / "chelsea.png", skimage.data.chelsea()[:160, :200])
    flags = (
        f"--photographs={tmp_path / 'photographs'}",
        f"--data_dir={tmp_path / 'data'}",
        f"--run_dir={tmp_path / 'run'}",
        *("--pairs=4", "--size=96", "--steps=1"),
    )
    status, output = commands.run("experiments.starter", *flags)
    assert status == 0, output
    packed, trained = load_starter(tmp_path / "run" / "starter.npz"), load_model(tmp_path / "run")
    assert packed.restored_step == 1
    for before, after in zip(trained.get_weights(), packed.get_weights()):
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-7)
    # It begins with the shipped weights, which one step hardly changes.
    shipped = load_starter().get_weights()
    changes = [np.abs(a - b).max() for a, b in zip(trained.get_weights(), shipped)]
    assert 0 < max(changes) < 1e-3
    assert commands.run("experiments.starter", *flags)[0] == 0
