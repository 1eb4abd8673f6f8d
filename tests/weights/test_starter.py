"""The weights that come with the package: read back as written, taken by name, worth having."""

import numpy as np
import pytest
import skimage.data
from commands import run
from networks import lively_model, write_run

from data_tools.rendering import mean_of_values, middle_frame
from data_tools.scenes import (
    PHOTOGRAPHS,
    load_photograph,
    random_view,
    render_frames,
    shake_path,
)
from experiments.starter import save_starter
from srn_tf.common.errors import InputError
from srn_tf.inference import Deblurrer
from srn_tf.media.images import read_image, write_image
from srn_tf.training.presets import configured
from srn_tf.weights.released import convert
from srn_tf.weights.run_folder import load_model, read_config
from srn_tf.weights.starter import FILE, load_starter


@pytest.fixture(scope="module")
def model():
    return load_starter()


def test_weights_are_read_back_as_float16_keeps_them(tmp_path):
    lively = lively_model("SR-EDRB3", blocks=3, width=32)
    lively.restored_step = 12
    save_starter(lively, tmp_path / "weights")  # no suffix is added
    loaded = load_starter(tmp_path / "weights")
    assert loaded.restored_step == 12
    for before, after in zip(lively.get_weights(), loaded.get_weights()):
        assert after.dtype == np.float32
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-7)
    lively.variables[0].assign_add(1e6 * np.ones(lively.variables[0].shape))
    with pytest.raises(InputError, match="float16"):
        save_starter(lively, tmp_path / "too_large.npz")
    assert not (tmp_path / "too_large.npz").exists()


def test_a_damaged_file_is_named(tmp_path):
    file = tmp_path / "weights.npz"
    file.write_bytes(FILE.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"weights\.npz does not hold the starter weights"):
        load_starter(file)


def test_the_name_starter_stands_for_a_run_folder_and_a_folder_of_that_name_for_itself(
    model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_run(lively_model("SR-EDRB1"), "starter")
    assert read_config("starter")["variant"]["name"] == load_model("starter").variant.name
    assert load_model("starter").restored_step == model.restored_step
    assert load_model("./starter").variant.name == "SR-EDRB1"
    with pytest.raises(InputError, match="one checkpoint"):
        load_model("starter", "best")


def test_no_run_folder_is_written_that_its_name_would_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run_dir in ("starter", "./starter"):
        with pytest.raises(InputError, match="starter is the name of the weights that come with"):
            configured({"variant": "SR-EDRB1", "data_dir": "data"}, run_dir=run_dir)
        with pytest.raises(InputError, match="starter is the name of the weights that come with"):
            convert("checkpoint", "lstm", run_dir)


def test_file_is_small_enough_for_a_wheel():
    assert FILE.stat().st_size < 8e6
    assert FILE.with_name("MODEL_CARD.md").exists()


def test_shaken_photographs_come_back_sharper_and_sharp_ones_stay(model):
    # The mean over photographs that were not trained on and over paths: with a curved path it is
    # chance whether the middle, which is the truth, lies where the image says.
    deblurrer = Deblurrer(model)
    gains, kept = [], []
    for i, name in enumerate(PHOTOGRAPHS["test"]):
        for k in range(4):
            generator = np.random.default_rng([i, k])
            view = random_view(load_photograph(name), (144, 160), generator)
            frames = render_frames(view, 0.25 * shake_path(9, generator))
            blurred, sharp = mean_of_values(frames), middle_frame(frames)
            gains.append(psnr(deblurrer(blurred), sharp) - psnr(blurred, sharp))
        kept.append(psnr(deblurrer(sharp), sharp))
    assert np.mean(gains) > 0.4
    assert np.mean(kept) > 38


def test_deblur_without_run_dir_takes_them_and_says_so(tmp_path):
    photograph = skimage.data.astronaut()[:40, 100:150]
    write_image(tmp_path / "photo.png", photograph)
    status, output = run(
        "srn_tf.deblur", f"--input={tmp_path / 'photo.png'}", f"--output={tmp_path / 'out.png'}"
    )
    assert status == 0
    assert output.count("starter weights") == 1
    assert "--run_dir=" in output
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), Deblurrer.starter()(photograph))


def psnr(image, truth):
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - truth) ** 2))
