"""The Deblurrer on images of all sizes, depths and kinds of network."""

import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from networks import lively_model, write_run

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.hardware import available_memory
from srn_tf.exporting.graph import write_saved_model
from srn_tf.inference import deblurrer as module
from srn_tf.inference.deblurrer import Deblurrer, bytes_per_pixel
from srn_tf.inference.tiling import TiledNetwork
from srn_tf.network.model import build_model


@pytest.fixture(scope="module")
def model():
    return lively_model("SR-EDRB1")


@pytest.fixture(scope="module")
def deblurrer(model):
    return Deblurrer(model, precision="float32")


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
def test_any_size_is_deblurred_and_rounded(model, deblurrer, size):
    image = random_image(*size)
    deblurred = deblurrer(image)
    assert deblurred.dtype == np.uint8
    assert deblurred.shape == image.shape
    # Rounding is within half a level; truncating, as the authors do, would be off by up to one.
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=0.505)


def test_sixteen_bits_stay_sixteen_bits(model, deblurrer):
    image = random_image(20, 33, np.uint16)
    deblurred = deblurrer(image)
    assert deblurred.dtype == np.uint16
    assert len(np.unique(deblurred % 257)) > 100  # more than 8 bits stretched
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=1.2)


def test_gray_networks_deblur_red_green_and_blue_alike():
    model = lively_model("lstm")
    image = random_image(21, 40)
    np.testing.assert_allclose(
        Deblurrer(model, precision="float32")(image), expected(model, image), atol=0.505
    )


@pytest.mark.parametrize("variant", ["SR-EDRB1", "lstm"])
def test_an_image_that_does_not_fit_into_memory_is_cut_into_tiles(variant, monkeypatch):
    model, shares = lively_model(variant, kernel_size=3), []
    image = random_image(200, 170)
    pixels = 130 * 130  # of a tile with its halo
    monkeypatch.setattr(
        module, "available_memory", lambda: 2 * pixels * bytes_per_pixel(model.variant)
    )
    deblurrer = Deblurrer(model, precision="float32")
    deblurred = deblurrer(image, shares.append)
    np.testing.assert_allclose(deblurred, expected(model, image), rtol=0, atol=0.51)
    assert len(shares) > 4
    shares.clear()
    deblurrer(image[:100, :90], shares.append)
    assert shares == [1.0]


def test_where_memory_runs_out_smaller_tiles_are_tried(model, monkeypatch):
    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    image, shares = random_image(300, 270), []
    deblurrer = Deblurrer(model, halo=8, precision="float32")
    monkeypatch.setattr(Deblurrer, "_whole", exhausted)
    deblurrer(image, shares.append)
    assert len(shares) > 3
    monkeypatch.setattr(TiledNetwork, "__call__", exhausted)
    with pytest.raises(RunError, match="out of memory for 270x300 pixels: take a smaller tile"):
        deblurrer(image)


def test_images_of_pillow_and_paths_are_taken(deblurrer, tmp_path):
    image = random_image(20, 30)
    expected = deblurrer(image)
    PIL.Image.fromarray(image).save(tmp_path / "image.png")
    for given in (tmp_path / "image.png", str(tmp_path / "image.png"), PIL.Image.fromarray(image)):
        np.testing.assert_array_equal(deblurrer(given), expected)
    gray = np.repeat(image[..., :1], 3, axis=2)
    np.testing.assert_array_equal(deblurrer(PIL.Image.fromarray(image[..., 0])), deblurrer(gray))
    upright = PIL.Image.fromarray(np.rot90(image))
    upright.getexif()[0x0112] = 6  # turned by a quarter, as phones do
    np.testing.assert_array_equal(deblurrer(upright), expected)


FORKED = """
import multiprocessing
import numpy as np
from srn_tf.inference import Deblurrer

deblurrer = Deblurrer.starter()

def of_the_parent(image):
    return deblurrer(image)

def of_its_own(image):
    return Deblurrer.from_run_dir("starter")(image)

for function in (of_the_parent, of_its_own):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        try:
            pool.map(function, [np.zeros((16, 16, 3), np.uint8)])
        except RuntimeError as error:
            print(error)
"""


def test_a_forked_process_is_refused_and_told_of_spawn():
    command = [sys.executable, "-c", FORKED]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.count('multiprocessing.get_context("spawn")') == 2


def test_new_weights_are_taken_over_when_asked(model):
    own = build_model(model.variant)
    own.set_weights(model.get_weights())
    image = random_image(40, 32)
    deblurrers = [Deblurrer(own, tile, precision="float32") for tile in (None, 16)]
    before = [deblurrer(image) for deblurrer in deblurrers]
    own.nets[0].out_block.conv.bias.assign_add([0.1] * 3)
    for deblurrer, unchanged in zip(deblurrers, before):
        np.testing.assert_array_equal(deblurrer(image), unchanged)
        deblurrer.refresh()
        np.testing.assert_allclose(deblurrer(image), expected(own, image), rtol=0, atol=0.51)


def test_bfloat16_changes_few_gray_levels(model):
    image = random_image(48, 40)
    exact, low = (Deblurrer(model, precision=p)(image) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(low.astype(int) - exact).max() <= 8
    assert np.abs(low.astype(int) - exact).mean() < 1
    tiled = Deblurrer(model, tile=24, precision="bfloat16")(image)
    np.testing.assert_allclose(tiled.astype(int), low, rtol=0, atol=8)


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


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        PIL.Image.new("RGBA", (8, 8)),
        PIL.Image.new("I;16", (8, 8)),
        None,
        3,
    ],
)
def test_anything_else_is_refused(deblurrer, image):
    with pytest.raises(InputError, match="must be a path, a PIL image or an array"):
        deblurrer(image)


def test_outputs_that_are_not_finite_are_refused(model):
    own = build_model(model.variant)
    kernel = own.nets[0].out_block.conv.kernel
    kernel.assign(np.full_like(kernel, np.nan))
    for tile in (None, 16):
        with pytest.raises(RunError, match="output is not finite"):
            Deblurrer(own, tile)(np.zeros((16, 16, 3), np.uint8))


def test_a_damaged_saved_model_is_named(model, tmp_path):
    write_saved_model(model, tmp_path)
    for path in sorted(path for path in tmp_path.rglob("*") if path.stat().st_size > 100):
        if path.is_file() and path.name != "fingerprint.pb":
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            with pytest.raises(InputError, match=f"{tmp_path} is damaged"):
                Deblurrer.from_saved_model(tmp_path)
            path.write_bytes(content)


def test_a_saved_model_of_somebody_else_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(InputError, match=f"{tmp_path} is damaged or not from srn_tf.export"):
        Deblurrer.from_saved_model(tmp_path)


@pytest.mark.parametrize("options", [{"tile": 0}, {"halo": -4}, {"precision": "half"}])
def test_meaningless_options_are_refused(model, options):
    with pytest.raises(InputError, match=f"^{next(iter(options))} must be"):
        Deblurrer(model, **options)


def test_memory_is_what_the_machine_and_all_control_groups_leave(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def available():
        return available_memory(f"{tmp_path}/")

    assert available() > 0  # where nothing tells, that of the machine
    write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    assert available() == 5000 * 1024
    write("proc/self/cgroup", "0::/jobs/mine\n")
    write("sys/fs/cgroup/jobs/mine/memory.max", "max\n")
    write("sys/fs/cgroup/jobs/mine/memory.current", "1000000\n")
    assert available() == 5000 * 1024
    write("sys/fs/cgroup/jobs/memory.max", "4000000\n")
    write("sys/fs/cgroup/jobs/memory.current", "1500000\n")
    write("sys/fs/cgroup/jobs/memory.stat", "anon 5\ninactive_file 300000\n")
    assert available() == 2_800_000
    write("proc/self/cgroup", "5:memory:/elsewhere\n1:cpu,cpuacct:/\n")
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n")
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", "2500000\n")
    assert available() == 0
