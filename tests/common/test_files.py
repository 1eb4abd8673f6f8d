"""Results appear whole or not at all."""

import errno
import os
import subprocess
import sys

import pytest

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import (
    read_text,
    write_bytes,
    write_json,
    write_text,
    written_beside,
)


def write_folder(path, name="new"):
    with written_beside(path) as temporary:
        temporary.mkdir()
        (temporary / name).touch()


@pytest.mark.parametrize("old", ["", "old"])
def test_a_file_appears_or_is_replaced_when_the_body_is_done(tmp_path, old):
    path = tmp_path / "new" / "result.png"
    if old:
        write_text(path, old)
    with written_beside(path) as temporary:
        temporary.write_text("whole")
        assert path.exists() == bool(old)
        assert (temporary.parent, temporary.suffix) == (path.parent, ".png")
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["result.png"]


def write_half(path, kind):
    with written_beside(path) as temporary:
        if kind == "a file":
            temporary.write_text("half")
        elif kind == "a folder":
            temporary.mkdir()
            (temporary / "half").touch()
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["nothing", "a file", "a folder"])
def test_error_keeps_the_old_and_removes_the_partial_one(tmp_path, kind):
    path = tmp_path / "result"
    write_folder(path, "old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path, kind)
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["result"]


def test_old_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "saved_model"
    write_folder(path, "old")
    write_folder(path)
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / "saved_model"
    write_folder(path, "old")
    replace = os.replace

    def refuse_the_new(source, target):
        if ".partial-" in str(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_the_new)
    with pytest.raises(OSError, match="cross-device"):
        write_folder(path)
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_what_cannot_be_replaced_is_refused_before_any_work(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda place: str(place).endswith("mount"))
    for name, kind in {"pipe": "a pipe or a device", "mount": "a mount point"}.items():
        with pytest.raises(InputError, match=f"{name} is {kind}"), written_beside(tmp_path / name):
            raise AssertionError("work was started")
    assert sorted(os.listdir(tmp_path)) == ["mount", "pipe"]


@pytest.mark.parametrize("target", ["file", "folder"])
def test_what_a_link_points_to_is_replaced(tmp_path, target):
    (tmp_path / "link").symlink_to("elsewhere/result")
    if target == "file":
        write_bytes(tmp_path / "link", b"old")
        write_bytes(tmp_path / "link", b"new")
        assert (tmp_path / "elsewhere/result").read_bytes() == b"new"
    else:
        write_folder(tmp_path / "link", "old")
        write_folder(tmp_path / "link", "new")
        assert os.listdir(tmp_path / "elsewhere/result") == ["new"]
    assert os.listdir(tmp_path / "elsewhere") == ["result"]
    assert (tmp_path / "link").is_symlink()


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path):
    path = tmp_path / "saved_model"
    ours = written_beside(path)
    ours.__enter__().mkdir()
    write_folder(path, "theirs")
    with pytest.raises(RunError, match="made by another process"):
        ours.__exit__(None, None, None)
    assert os.listdir(path) == ["theirs"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_text_is_read_whole_or_refused_by_name(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfa b\n")
    assert read_text(path) == "a b\n"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match=r"list\.txt is no text, or too long for one"):
        read_text(path)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"list\.txt is no text"):
        read_text(path)


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    name = "ä" * 125 + "a.png"
    write_bytes(tmp_path / name, b"content")
    write_folder(tmp_path / name[:-1], "old")
    write_folder(tmp_path / name[:-1], "new")
    assert sorted(os.listdir(tmp_path)) == sorted([name, name[:-1]])


def test_undecodable_names_keep_their_bytes_in_text(tmp_path):
    write_text(tmp_path / "names.txt", os.fsdecode(b"\xff.png \xc3\xa4.png"))
    assert (tmp_path / "names.txt").read_bytes() == b"\xff.png \xc3\xa4.png"


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "summary.json", {"psnr": 30.5})
    assert (tmp_path / "summary.json").read_text() == '{\n  "psnr": 30.5\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "summary.json", {"psnr": float("inf")})
    assert "30.5" in (tmp_path / "summary.json").read_text()


def test_the_next_process_that_writes_removes_what_a_killed_one_left(tmp_path):
    command = (
        "import os, sys; from srn_tf.common.files import written_beside\n"
        "with written_beside(sys.argv[1]) as temporary:\n"
        "    temporary.touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", command, str(tmp_path / "a.png")], check=False)
    assert len(os.listdir(tmp_path)) == 1
    write_bytes(tmp_path / "b.png", b"content")
    assert os.listdir(tmp_path) == ["b.png"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device, not a file"),
        (os.mkdir, "is a folder, not a file"),
        (os.mkfifo, "is a pipe or a device, not a file"),
        (lambda path: path.symlink_to(path.name), "cannot be read"),
    ],
)
def test_only_files_can_be_read(tmp_path, make, message):
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"a.png.* {message}"):
        read_text(tmp_path / "a.png")
