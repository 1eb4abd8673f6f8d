"""Tiles change nothing: against the network run at once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from networks import lively_model
from precision import global_policy

from srn_tf.inference.tiling import TiledNetwork, receptive_field, spans
from srn_tf.network.model import ScaleNet, build_model
from srn_tf.network.variants import VARIANTS

CASES = {
    "base": ("SR-EDRB1", {}, (144, 160), 48),
    "wide kernels": ("SRN", {}, (64, 288), 64),
    "no strides": ("SR-RB", {}, (100, 92), 31),
    "three networks": ("SC", {}, (64, 160), 48),
    "one scale": ("SS", {}, (60, 164), 50),
    "rnn": ("RNN", {}, (64, 160), 48),
    "gru": ("SR-EDRB3-GRU", {}, (64, 160), 48),
    "deconvolution": ("SR-EDRB3-Deconv", {}, (64, 160), 48),
    "sub-pixel": ("SR-EDRB3-SubPixel", {}, (64, 160), 48),
    "legacy": ("lstm", {"kernel_size": 3}, (160, 64), 44),
}


def image_for(model, size, seed=0):
    shape = (1, *size, model.variant.channels)
    return np.random.default_rng(seed).integers(0, 2**16, shape, np.uint16)


def at_once(model, image):
    """The finest prediction of the Keras model in 16-bit levels, not rounded."""
    prediction = model(image.astype(np.float32) / 65535)[0].numpy()
    assert prediction.std() > 0.02
    return 65535 * np.clip(prediction, 0, 1).astype(float)


@pytest.mark.parametrize(("variant", "fields", "size", "tile"), CASES.values(), ids=CASES)
def test_tiles_agree_with_the_network_run_at_once(variant, fields, size, tile):
    model, shares = lively_model(variant, **fields), []
    image = image_for(model, size)
    deblurred = TiledNetwork(model)(image, tile, shares.append)
    assert len(shares) > model.variant.scales  # more than one tile to a scale
    assert shares == sorted(shares)
    assert shares[-1] == 1
    # Half a level is the rounding to integers; 1e-5 of the range are 0.66 levels.
    np.testing.assert_allclose(deblurred, at_once(model, image), rtol=0, atol=1.2)


def test_too_small_a_halo_leaves_seams_along_the_tile_borders_and_the_exact_one_none():
    model = lively_model("SR-EDRB1")
    image = image_for(model, (64, 192))
    whole = at_once(model, image)

    def error_by_column(**options):
        deblurred = TiledNetwork(model, **options)(image, 64, lambda share: None)
        return np.abs(deblurred - whole).max(axis=(0, 1, 3))

    seams = error_by_column(halo=0)
    assert seams[[63, 64, 127, 128]].min() > 1000
    assert seams[[4, 188]].max() < 1.2  # further from the borders than the network sees
    assert error_by_column().max() < 1.2
    assert 1.2 < error_by_column(halo=8).max() < seams.max()


def test_spans_cover_the_axis_once_and_end_their_halo_at_the_image():
    cut = spans(size=100, tile=40, halo=8, multiple=8)
    assert [span.inner for span in cut] == [slice(0, 32), slice(32, 64), slice(64, 100)]
    assert [span.outer for span in cut] == [slice(0, 40), slice(24, 72), slice(56, 100)]


OTHERS = {
    "two blocks": {"blocks": 2, "recurrent": "conv_gru"},
    "flat with wide kernels": {"encoder_decoder": False, "kernel_size": 7},
    "kernels of one pixel": {"kernel_size": 1, "recurrent": "conv"},
}


# Those that differ in what a single scale does.
FIELDS = {
    dataclasses.replace(
        v, name="", published=None, width=1, channels=1, scales=1, shared_weights=True,
        upsampling="bilinear", resize="half_pixel",
    ): name
    for name, v in {
        **VARIANTS,
        **{name: dataclasses.replace(VARIANTS["SRN"], **o) for name, o in OTHERS.items()},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("variant", FIELDS, ids=FIELDS.values())
def test_no_pixel_sees_further_than_the_receptive_field(variant):
    field = receptive_field(build_model(variant))
    # Two convolutions of the vanilla RNN stand side by side, and count as one after the other.
    spare = 4 if variant.recurrent == "conv_rnn" else 0
    with global_policy("float64"):  # the farthest pixels have gradients down to 1e-70
        assert farthest_seen(variant, field) == field - spare


def farthest_seen(variant, field):
    """Where all weights are positive, a pixel has a gradient wherever it depends on."""
    net, side = ScaleNet(variant), variant.downsampling
    width = (2 * field // side + 10) * side
    # A row for each position against the strides, and in it the pixel that looks about.
    rows, columns = np.arange(side), width // 2 + np.arange(side)
    images = tf.Variable(np.full([side, side, width, 2], 1e-3))
    state = [np.full([side, 1, width // side, 4], 1e-4)] * net.recurrent.state_count
    net(images, state)
    for variable in net.trainable_variables:
        if "kernel" in variable.name:
            variable.assign(np.full(variable.shape, 1 / np.prod(variable.shape[:3])))
    with tf.GradientTape() as tape:
        pixels = tf.gather_nd(net(images, state)[0], [[i, 0, c, 0] for i, c in zip(rows, columns)])
    seen = tape.gradient(pixels, images).numpy().any(axis=(1, 3))
    return max(np.abs(np.flatnonzero(row) - column).max() for row, column in zip(seen, columns))


def test_receptive_fields_of_the_papers_networks():
    assert receptive_field(build_model("SR-EDRB3,width=1")) == 99
    assert receptive_field(build_model("SRN,width=1")) == 188
