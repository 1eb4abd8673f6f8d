"""What visitors brought is theirs alone, comes out as `srn_tf.deblur` writes it, and is removed."""

import numpy as np
import pytest

from srn_tf.common.errors import InputError, RunError
from srn_tf.inference.image_files import ImageOptions, Job, deblur_file
from srn_tf.media.images import read_image, write_image
from srn_tf.serving.visits import Visits, without_folder


def invert(image):
    return np.iinfo(image.dtype).max - image


def ignore(share):
    pass


@pytest.fixture
def visits(tmp_path):
    visits = Visits(tmp_path, max_megapixels=0.01)
    visits.deblurrer = lambda run_dir: invert
    return visits


def uploaded(folder, name="a.png", shape=(20, 30, 3), dtype=np.uint8):
    """As Gradio stores an upload: in a folder that is named by the content."""
    path = folder / "".join(map(str, shape)) / name
    path.parent.mkdir(exist_ok=True)
    write_image(path, np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype))
    return path


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("color.jpg", (20, 30, 3), np.uint8),
        ("alpha.png", (20, 30, 4), np.uint8),
        ("deep.tif", (20, 30, 3), np.uint16),
    ],
)
def test_the_png_is_what_the_command_writes(tmp_path, visits, name, shape, dtype):
    path = visits.take("me", uploaded(tmp_path, name, shape, dtype))
    job = Job(path, tmp_path / "by_command.png")
    deblur_file(invert, job, ImageOptions())
    before, after, _ = visits.deblur("me", path, "run", ignore)
    assert after.name == f"{path.stem}_deblurred.png"
    assert after.read_bytes() == job.target.read_bytes()
    np.testing.assert_array_equal(read_image(before), read_image(path))


def test_a_second_result_has_a_new_name_and_replaces_the_first(tmp_path, visits):
    path = visits.take("me", uploaded(tmp_path))
    first, second = (visits.deblur("me", path, "run", ignore).after for _ in range(2))
    assert first.parent != second.parent
    assert sorted(path.parent.iterdir()) == sorted([path, second.parent])


def test_equal_uploads_of_two_visits_are_two_files(tmp_path, visits):
    first = visits.take("first", uploaded(tmp_path))
    second = visits.take("second", uploaded(tmp_path))
    with pytest.raises(InputError, match="drop a photograph first"):
        visits.deblur("first", second, "run", ignore)
    visits.end("first")
    assert not first.exists()
    assert second.exists()


def test_the_next_photograph_removes_the_one_before_and_leaving_removes_all(tmp_path, visits):
    older = visits.take("me", uploaded(tmp_path))
    visits.deblur("me", older, "run", ignore)
    path = visits.take("me", uploaded(tmp_path, "b.png"))
    assert list(path.parent.iterdir()) == [path]
    visits.end("me")
    visits.end("nobody")
    assert list(tmp_path.iterdir()) == []


def test_work_of_a_visit_that_ends_meanwhile_leaves_nothing(tmp_path, visits):
    path = visits.take("me", uploaded(tmp_path))
    visits.deblurrer = lambda run_dir: lambda image: visits.end("me") or image
    with pytest.raises(RunError, match="the page was closed"):
        visits.deblur("me", path, "run", ignore)
    assert list(tmp_path.iterdir()) == []


def test_refusals_name_the_photograph_and_not_its_folder(tmp_path, visits):
    with pytest.raises(InputError, match=r"^gone\.png was lost: drop it again"):
        visits.take("me", tmp_path / "gone.png")
    path = visits.take("me", uploaded(tmp_path, "large.png", (101, 100, 3)))
    with pytest.raises(InputError) as caught:
        visits.deblur("me", path, "run", ignore)
    assert without_folder(str(caught.value), path).startswith("large.png has ")
