"""What visitors brought is theirs alone, and gone when they go."""

import pytest

from srn_tf.common.errors import InputError
from srn_tf.serving.visits import Visits


@pytest.fixture
def visits(tmp_path):
    return Visits(tmp_path)


def uploaded(folder, name="a.png", content="blurred"):
    """As Gradio stores an upload: in a folder that is named by the content."""
    path = folder / content / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def test_equal_uploads_of_two_visits_are_two_files(tmp_path, visits):
    first = visits.take("first", uploaded(tmp_path))
    second = visits.take("second", uploaded(tmp_path))
    assert not visits.holds("first", second)
    visits.end("first")
    assert not first.exists()
    assert second.read_text() == "blurred"


def test_nothing_is_left_of_a_visit(tmp_path, visits):
    path = visits.take("first", uploaded(tmp_path))
    path.with_name("a_deblurred.png").touch()
    assert visits.holds("first", path)
    visits.end("first")
    assert not visits.holds("first", path)
    assert list(tmp_path.iterdir()) == []


def test_the_next_photograph_removes_the_one_before(tmp_path, visits):
    older = visits.take("first", uploaded(tmp_path))
    older.with_name("a_deblurred.png").touch()
    path = visits.take("first", uploaded(tmp_path, "b.png"))
    assert not visits.holds("first", older)
    assert list(path.parent.iterdir()) == [path]


def test_a_visit_without_a_photograph_ends_too(tmp_path, visits):
    visits.end("nobody")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_upload_is_named(tmp_path, visits):
    with pytest.raises(InputError, match=r"^a\.png was lost: drop it again"):
        visits.take("first", tmp_path / "a.png")
