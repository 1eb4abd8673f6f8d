"""The Deblurrer on images of all sizes, depths and kinds of network."""

import numpy as np
import pytest
import tensorflow as tf
from networks import lively_model, write_run

from srn_tf.common.errors import InputError, RunError
from srn_tf.exporting.graph import write_saved_model
from srn_tf.inference import tiling
from srn_tf.inference.deblurrer import Deblurrer


@pytest.fixture(scope="module")
def model():
    return lively_model("SR-EDRB1")


def random_image(height, width, dtype=np.uint8):
    highest = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, highest + 1, (height, width, 3), dtype)


def expected(model, image):
    """What the Keras model predicts for an RGB image, in levels of its dtype, not rounded."""
    height, width, _ = image.shape
    multiple = model.variant.size_multiple
    rows = np.minimum(np.arange(-(-height // multiple) * multiple), height - 1)
    columns = np.minimum(np.arange(-(-width // multiple) * multiple), width - 1)
    highest = np.iinfo(image.dtype).max
    padded = image[rows][:, columns].astype(np.float32) / highest
    if model.variant.channels == 3:
        prediction = model(padded[None])[0][0]
    else:
        planes = [model(padded[None, ..., c : c + 1])[0][0, ..., 0] for c in range(3)]
        prediction = np.stack(planes, axis=-1)
    return highest * np.clip(prediction[:height, :width], 0, 1).astype(float)


@pytest.mark.parametrize("size", [(1, 1), (16, 32), (37, 53), (53, 37), (2, 90)])
def test_any_size_is_deblurred_and_rounded(model, size):
    image = random_image(*size)
    deblurred = Deblurrer(model)(image)
    assert deblurred.dtype == np.uint8
    assert deblurred.shape == image.shape
    # Rounding is within half a level; truncating, as the authors do, would be off by up to one.
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=0.505)


def test_sixteen_bits_stay_sixteen_bits(model):
    image = random_image(20, 33, np.uint16)
    deblurred = Deblurrer(model)(image)
    assert deblurred.dtype == np.uint16
    assert len(np.unique(deblurred % 257)) > 100  # more than 8 bits stretched
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=1.2)


def test_gray_networks_deblur_red_green_and_blue_alike():
    model = lively_model("lstm")
    image = random_image(21, 40)
    np.testing.assert_allclose(Deblurrer(model)(image), expected(model, image), atol=0.505)


def test_gray_networks_deblur_large_images_one_channel_after_the_other(monkeypatch):
    model = lively_model("lstm", kernel_size=3)
    image = random_image(64, 48)
    monkeypatch.setattr(tiling, "_LARGEST_AREA", 64 * 48)
    monkeypatch.setattr(tiling, "_SMALLEST_TILE", 32)
    batches = []
    run = tiling.TiledNetwork.__call__

    def spy(network, blurred):
        batches.append(len(blurred))
        return run(network, blurred)

    monkeypatch.setattr(tiling.TiledNetwork, "__call__", spy)
    np.testing.assert_allclose(Deblurrer(model)(image), expected(model, image), atol=0.505)
    assert batches == [1, 1, 1]


def test_tiles_change_an_image_by_one_level_at_most(model):
    image = random_image(130, 170)
    tiled = Deblurrer(model, tile=64)(image).astype(int)
    whole = Deblurrer(model)(image)
    assert np.abs(tiled - whole).max() <= 1
    assert (tiled != whole).mean() < 1e-3


def test_a_run_folder_gives_the_deblurrer_of_its_model(model, tmp_path):
    image = random_image(24, 24)
    deblurrer = Deblurrer.from_run_dir(write_run(model, tmp_path / "run"), tile=16, halo=0)
    np.testing.assert_array_equal(deblurrer(image), Deblurrer(model, tile=16, halo=0)(image))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_saved_model_deblurs_like_the_network(model, tmp_path, dtype):
    write_saved_model(model, tmp_path)
    image = random_image(19, 33, dtype)
    atol = 0.51 if dtype == np.uint8 else 1.2
    deblurred = Deblurrer.from_saved_model(tmp_path)(image)
    assert deblurred.dtype == dtype
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=atol)


def test_wrong_folders_are_named(tmp_path):
    for open_it in (Deblurrer.from_run_dir, Deblurrer.from_saved_model):
        with pytest.raises(InputError, match=str(tmp_path)):
            open_it(tmp_path)


def test_a_foreign_saved_model_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(InputError, match="was not written by"):
        Deblurrer.from_saved_model(tmp_path)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(model, image):
    with pytest.raises(InputError, match="must be uint8 or uint16"):
        Deblurrer(model)(image)


def test_weights_and_outputs_that_are_not_finite_are_refused():
    model = lively_model("SR-EDRB1")
    kernel = model.nets[0].out_block.conv.kernel
    kept = kernel.numpy()
    deblurrer = Deblurrer(model)
    kernel.assign(np.full_like(kept, np.nan))
    with pytest.raises(RunError, match="output is not finite"):
        deblurrer(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(InputError, match="weights are not finite"):
        Deblurrer(model)


def test_what_a_saved_model_gives_must_be_finite(tmp_path):
    def spoilt(image):
        return {"deblurred": image / 0}

    specs = [tf.TensorSpec([None, None, None, 3], each, "image") for each in (tf.uint8, tf.float32)]
    functions = [
        tf.function(lambda image: {"deblurred": image}, input_signature=specs[:1]),
        tf.function(spoilt, input_signature=specs[1:]),
    ]
    signatures = dict(zip(("serving_default", "float"), functions))
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=signatures)
    with pytest.raises(RunError, match="output is not finite"):
        Deblurrer.from_saved_model(tmp_path)(np.zeros((16, 16, 3), np.uint8))


def test_a_damaged_saved_model_is_named(model, tmp_path):
    write_saved_model(model, tmp_path)
    for path in sorted(path for path in tmp_path.rglob("*") if path.stat().st_size > 100):
        if path.is_file() and path.name != "fingerprint.pb":
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            with pytest.raises(InputError, match=f"{tmp_path} is a damaged SavedModel"):
                Deblurrer.from_saved_model(tmp_path)
            path.write_bytes(content)


def test_a_saved_model_of_somebody_else_is_refused(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")])
    def invert(image):
        return {"deblurred": tf.cast(image, tf.float32)}

    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": invert})
    with pytest.raises(InputError, match="was not written by"):
        Deblurrer.from_saved_model(tmp_path)

    any_rank = tf.function(
        lambda image: {"deblurred": image}, input_signature=[tf.TensorSpec(None, tf.uint8, "image")]
    )
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": any_rank})
    with pytest.raises(InputError, match="was not written by"):
        Deblurrer.from_saved_model(tmp_path)
