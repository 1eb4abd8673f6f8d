"""Tiles change nothing: against the network run at once."""

import numpy as np
import pytest
from networks import lively_model

from srn_tf.common.errors import InputError
from srn_tf.inference import tiling
from srn_tf.inference.tiling import TiledNetwork, exact_halo, spans
from srn_tf.network.model import ScaleNet
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
    assert prediction.std() > 0.1
    return 65535 * np.clip(prediction, 0, 1).astype(float)


@pytest.mark.parametrize(("variant", "fields", "size", "tile"), CASES.values(), ids=CASES)
def test_tiles_agree_with_the_network_run_at_once(variant, fields, size, tile):
    model = lively_model(variant, **fields)
    image = image_for(model, size)
    tiled = TiledNetwork(model, tile=tile)
    assert not tiled.fits(*image.shape[:3])
    # Half a level is the rounding to integers; 1e-5 of the range are 0.66 levels.
    np.testing.assert_allclose(tiled(image), at_once(model, image), rtol=0, atol=1.2)


def test_without_tiles_the_result_is_that_of_the_model():
    model = lively_model("SR-EDRB1")
    image = image_for(model, (48, 80))
    np.testing.assert_allclose(TiledNetwork(model)(image), at_once(model, image), atol=0.6)


def test_too_small_a_halo_leaves_seams_along_the_tile_borders_and_the_exact_one_none():
    model = lively_model("SR-EDRB1")
    image = image_for(model, (64, 192))
    whole = at_once(model, image)

    def error_by_column(**options):
        return np.abs(TiledNetwork(model, tile=64, **options)(image) - whole).max(axis=(0, 1, 3))

    seams = error_by_column(halo=0)
    assert seams[[63, 64, 127, 128]].min() > 1000
    assert seams[[8, 184]].max() < 1.2  # further from the borders than the network sees
    assert error_by_column().max() < 1.2
    assert 1.2 < error_by_column(halo=8).max() < seams.max()


def test_exact_halo_of_the_papers_networks():
    assert exact_halo(ScaleNet(VARIANTS["SR-EDRB3"])) == 100
    assert exact_halo(ScaleNet(VARIANTS["SRN"])) == 188


def test_spans_cover_the_axis_once_and_end_their_halo_at_the_image():
    cut = spans(size=100, tile=40, halo=8, multiple=4)
    assert [(span.start, span.stop) for span in cut] == [(0, 32), (32, 64), (64, 100)]
    assert [(span.outer_start, span.outer_stop) for span in cut] == [(0, 40), (24, 72), (56, 100)]


def test_large_images_are_cut_so_that_each_tile_stays_within_the_limit(monkeypatch):
    model = lively_model("SR-EDRB1")
    network = TiledNetwork(model)
    image = image_for(model, (160, 256))
    whole = network(image)
    areas = []

    def spy(function):
        def run(images, state):
            areas.append(images.shape[1] * images.shape[2])
            return function(images, state)

        return run

    network._functions = [spy(function) for function in network._functions]
    monkeypatch.setattr(tiling, "_LARGEST_AREA", 152**2)
    assert not network.fits(1, 160, 256)
    np.testing.assert_allclose(network(image).astype(int), whole, atol=2)
    assert len(areas) > 3
    assert max(areas) <= 152**2


def test_images_are_halved_in_strips_without_a_seam(monkeypatch):
    model = lively_model("SR-EDRB1")
    image = image_for(model, (64, 48))
    monkeypatch.setattr(tiling, "_STRIP", 6)
    np.testing.assert_allclose(TiledNetwork(model)(image), at_once(model, image), atol=0.6)


def test_one_graph_serves_all_sizes():
    network = TiledNetwork(lively_model("SR-EDRB1"), tile=32)
    for size in ((16, 16), (48, 32), (64, 80)):
        network(np.zeros((1, *size, 3), np.uint8))
    assert network._functions[0].experimental_get_tracing_count() == 1


@pytest.mark.parametrize("options", [{"tile": 0}, {"halo": -4}])
def test_meaningless_options_are_refused(options):
    with pytest.raises(InputError, match="tile must be positive"):
        TiledNetwork(lively_model("SS"), **options)


def test_progress_is_told_after_each_tile():
    model, shares = lively_model("SR-EDRB1"), []
    TiledNetwork(model, tile=32, halo=0, on_progress=shares.append)(
        np.zeros((1, 64, 64, 3), np.uint8)
    )
    pixels = np.cumsum([16**2, 32**2] + 4 * [32**2])  # scale by scale, coarsest first
    np.testing.assert_allclose(shares, pixels / pixels[-1])
