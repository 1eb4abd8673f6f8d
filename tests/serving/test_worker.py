"""A photograph on the page comes out as `srn_tf.deblur` writes it, or is refused with its line."""

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from srn_tf.common.errors import InputError
from srn_tf.inference.image_files import ImageOptions, deblur_file, plan
from srn_tf.media.images import read_image, write_image
from srn_tf.serving import worker as module
from srn_tf.serving.worker import Worker


def invert(image):
    return np.iinfo(image.dtype).max - image


class Inverter:
    """Stands in for `Deblurrer`: two tiles, and it remembers what it was made with."""

    made = ()

    def __init__(self, model, tile, halo, on_progress):
        self.on_progress = on_progress
        Inverter.made = (*Inverter.made, (model, tile, halo))

    def __call__(self, image):
        self.on_progress(0.5)
        self.on_progress(1.0)
        return invert(image)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr(module, "Deblurrer", Inverter)
    monkeypatch.setattr(module, "load_model", lambda run_dir: f"weights of {run_dir}")
    monkeypatch.setattr(Inverter, "made", ())
    return Worker(max_megapixels=0.01)


def ignore(share):
    pass


def photograph(path, *shape, dtype=np.uint8):
    write_image(path, np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype))
    return path


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("color.jpg", (20, 30, 3), np.uint8),
        ("gray.bmp", (20, 30), np.uint8),
        ("alpha.png", (20, 30, 4), np.uint8),
        ("deep.tif", (20, 30, 3), np.uint16),
    ],
)
def test_the_png_is_what_the_command_writes(tmp_path, worker, name, shape, dtype):
    path = photograph(tmp_path / name, *shape, dtype=dtype)
    (job,) = plan(path, tmp_path / "by_command.png").jobs
    deblur_file(invert, job, ImageOptions(max_megapixels=1))
    before, after, _ = worker.deblur(path, "run", None, None, ignore)
    assert after.read_bytes() == job.target.read_bytes()
    assert after.suffix == before.suffix == ".png"
    np.testing.assert_array_equal(read_image(before), read_image(path))
    assert read_image(after).dtype == dtype


def test_both_pictures_are_upright_and_keep_exif_and_profile(tmp_path, worker):
    exif = PIL.Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Camera"})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PIL.Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile)
    before, after, notes = worker.deblur(tmp_path / "a.jpg", "run", None, None, ignore)
    assert notes == []
    for path in (before, after):
        picture = PIL.Image.open(path)
        assert picture.size == (20, 30)
        assert picture.getexif()[0x010F] == "Camera"
        assert picture.getexif().get(0x0112, 1) == 1
        assert picture.info["icc_profile"] == profile


def test_refusals_are_the_commands_with_the_bare_name(tmp_path, worker):
    (tmp_path / "clip.mp4").touch()
    large = photograph(tmp_path / "large.png", 101, 100)
    large.write_bytes(large.read_bytes()[:-20])  # decoding would fail
    (tmp_path / "text.png").write_text("text")
    options = ImageOptions(max_megapixels=worker.max_megapixels)
    for name in ("clip.mp4", "large.png", "text.png"):
        with pytest.raises(InputError) as by_command:
            deblur_file(invert, *plan(tmp_path / name, tmp_path / "out.png").jobs, options)
        with pytest.raises(InputError, match=f"^{name}") as refusal:
            worker.deblur(tmp_path / name, "run", None, None, ignore)
        assert f"{tmp_path}/{refusal.value}" == str(by_command.value)
    assert not list(tmp_path.glob("*_*.png"))


def test_weights_and_tiles_are_those_chosen_and_made_once(tmp_path, worker):
    path = photograph(tmp_path / "a.png", 20, 30, 3)
    for choice in [("run", 64, 8), ("other", None, None), ("run", 64, 8)]:
        worker.deblur(path, *choice, ignore)
    assert Inverter.made == (("weights of run", 64, 8), ("weights of other", None, None))


def test_progress_is_reported_to_the_one_who_asked(tmp_path, worker):
    path = photograph(tmp_path / "a.png", 20, 30, 3)
    for _ in range(2):
        shares = []
        worker.deblur(path, "run", None, None, shares.append)
        assert shares == [0.5, 1.0]


def test_who_left_is_not_worked_for(tmp_path, worker):
    def leave(share):
        assert share == 0.5
        raise ConnectionAbortedError

    path = photograph(tmp_path / "a.png", 20, 30, 3)
    with pytest.raises(ConnectionAbortedError):
        worker.deblur(path, "run", None, None, leave)
    assert list(tmp_path.iterdir()) == [path]


def test_every_result_has_a_name_of_its_own_and_replaces_the_last(tmp_path, worker):
    path = photograph(tmp_path / "a.png", 20, 30, 3)
    first, second = (worker.deblur(path, "run", tile, None, ignore) for tile in (None, 64))
    assert first.after != second.after
    assert first.after.name == second.after.name == "a_deblurred.png"
    assert not first.after.exists()
    assert second.before.exists()
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"^text\.png"):
        worker.deblur(tmp_path / "text.png", "run", None, None, ignore)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        *("a.png", "text.png", second.after.parent.name)
    }
