"""Folders of any name: a run is trained, resumed, scored, exported and loaded from there.

TensorFlow takes brackets and the like for patterns, and no bytes that are no text.
"""

import os

import numpy as np
from networks import TINY
from pair_folders import write_pairs

from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import evaluate_run
from srn_tf.exporting.folder import export
from srn_tf.inference import Deblurrer
from srn_tf.training import train
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.weights.run_folder import checkpoint_steps


def test_all_that_tensorflow_opens_may_lie_in_a_folder_of_any_name(tmp_path):
    name = "SRN [try 2] *?{}%d ä\n\udcff".ljust(200, "n")  # the bytes of a name are at most 255
    data, run_dir, exported = (tmp_path / f"{kind}{name}" for kind in ("data", "run", "model"))
    write_pairs(data, [(16, 16)] * 2)
    (data / "test").symlink_to(data / "train")
    config = TrainingConfig(TINY, str(data), batch_size=1, crop_size=16, decay_steps=9)
    for steps in (2, 4):
        options = RunOptions(max_steps=steps, checkpoint_every=1, keep_checkpoints=2, cache="disk")
        train(config, options, run_dir)
    assert checkpoint_steps(run_dir / "checkpoints") == [4, 3]
    assert len(list((run_dir / "checkpoints").glob("step-*.data-*"))) == 2
    assert len(list((run_dir / "logs").glob("events.*"))) == 2
    evaluate_run(run_dir, open_test_set("gopro", data))
    assert (run_dir / "metrics.csv").exists()
    image = np.full((20, 30, 3), 99, np.uint8)
    expected = Deblurrer.from_run_dir(run_dir, precision="float32")(image)
    assert export(run_dir, exported) <= 1
    found = Deblurrer.from_saved_model(exported)(image)
    np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=1)
    assert sorted(os.listdir(tmp_path)) == sorted([data.name, run_dir.name, exported.name])
