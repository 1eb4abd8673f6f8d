"""Results appear whole or not at all."""

import os

import pytest

from srn_tf.common.files import written_beside


def write_half_a_file(path):
    with written_beside(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def write_half_a_folder(path):
    with written_beside(path) as temporary:
        temporary.mkdir()
        (temporary / "half").touch()
        raise ZeroDivisionError


def test_file_appears_when_the_body_is_done(tmp_path):
    path = tmp_path / "new" / "result.png"
    with written_beside(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".png"
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["result.png"]


def test_error_keeps_the_old_file_and_removes_the_partial_one(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half_a_file(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.csv"]


def test_old_file_is_replaced(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("old")
    with written_beside(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["result.csv"]


def test_old_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "saved_model"
    path.mkdir()
    (path / "old").touch()
    with written_beside(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_error_keeps_the_old_folder_and_removes_the_partial_one(tmp_path):
    path = tmp_path / "saved_model"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(ZeroDivisionError):
        write_half_a_folder(path)
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_body_that_fails_before_it_writes_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), written_beside(tmp_path / "result.csv"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
