"""Results appear whole or not at all."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import (
    check_regular,
    read_text,
    remove_stale_partials,
    write_bytes,
    write_json,
    write_text,
    written_beside,
)


def write_folder(path, name="new"):
    with written_beside(path) as temporary:
        temporary.mkdir()
        (temporary / name).touch()


def test_file_appears_when_the_body_is_done(tmp_path):
    path = tmp_path / "new" / "result.png"
    with written_beside(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".png"
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["result.png"]


def test_old_file_is_replaced_at_the_end(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("old")
    with written_beside(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["result.csv"]


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
    rename = os.rename

    def refuse_the_new(source, target):
        if ".partial-" in str(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse_the_new)
    with pytest.raises(OSError, match="cross-device"):
        write_folder(path)
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["saved_model"]


def link(path, monkeypatch):
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


def mount_point(path, monkeypatch):
    path.mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda place: place == path)


def immovable(path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    path.mkdir()
    monkeypatch.setattr(os, "rename", refuse)


def pipe(path, monkeypatch):
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link, "is a link and cannot be replaced"),
        (mount_point, "is a mount point and cannot be replaced"),
        (immovable, "cannot be replaced (Invalid cross-device link)"),
        (pipe, "is a pipe or a device"),
    ],
)
def test_what_cannot_be_replaced_is_refused_before_any_work(tmp_path, monkeypatch, make, message):
    path = tmp_path / "output"
    make(path, monkeypatch)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(InputError) as caught, written_beside(path):
        raise AssertionError("work was started")
    assert f"{path} {message}" in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path):
    path = tmp_path / "saved_model"
    ours = written_beside(path)
    ours.__enter__().mkdir()
    write_folder(path, "theirs")
    with pytest.raises(RunError, match="made by another process"):
        ours.__exit__(None, None, None)
    assert os.listdir(path) == ["theirs"]
    assert os.listdir(tmp_path) == ["saved_model"]


def test_what_is_put_into_an_empty_folder_meanwhile_is_kept(tmp_path):
    (tmp_path / "run").mkdir()

    def write_beside_another():
        with written_beside(tmp_path / "run") as temporary:
            temporary.mkdir()
            (tmp_path / "run/precious").touch()

    with pytest.raises(RunError, match="made by another process"):
        write_beside_another()
    assert os.listdir(tmp_path / "run") == ["precious"]


def test_what_a_killed_process_had_moved_aside_comes_back(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mark = f"{socket.gethostname()}-{dead.pid}-0123abcd"
    for name in ("lost", "there"):
        (tmp_path / f"{name}.replaced-{mark}").mkdir()
        (tmp_path / f"{name}.replaced-{mark}/old").touch()
    (tmp_path / "there").mkdir()
    remove_stale_partials(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["lost", "there"]
    assert os.listdir(tmp_path / "lost") == ["old"]
    assert os.listdir(tmp_path / "there") == []


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
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"list\.txt is a pipe or a device"):
        read_text(path)


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    name = "ä" * 125 + "a.png"
    write_bytes(tmp_path / name, b"content")
    assert os.listdir(tmp_path) == [name]


def test_a_file_that_is_cut_short_does_not_appear(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    path.write_bytes(b"old")
    write = type(path).write_bytes
    monkeypatch.setattr(type(path), "write_bytes", lambda file, content: write(file, content[:-1]))
    with pytest.raises(OSError, match=r"image.png: could not be written whole"):
        write_bytes(path, b"content")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["image.png"]


def test_undecodable_names_keep_their_bytes_in_text(tmp_path):
    write_text(tmp_path / "names.txt", os.fsdecode(b"\xff.png \xc3\xa4.png"))
    assert (tmp_path / "names.txt").read_bytes() == b"\xff.png \xc3\xa4.png"


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "summary.json", {"psnr": 30.5})
    assert (tmp_path / "summary.json").read_text() == '{\n  "psnr": 30.5\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "summary.json", {"psnr": float("inf")})
    assert "30.5" in (tmp_path / "summary.json").read_text()


def test_partial_files_of_dead_processes_alone_are_removed(tmp_path):
    here, dead = socket.gethostname(), subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    old, ours = f".partial-{here}-{dead.pid}-0123abcd", f".partial-{here}-{os.getpid()}-0123abcd"
    new_elsewhere, old_elsewhere = ".partial-other-1-0123abcd.mp4", ".partial-other-1-0123abce.mp4"
    for name in (f"{old}.png", ours, new_elsewhere, old_elsewhere, ".partial-photo.png", "a.png"):
        (tmp_path / name).touch()
    (tmp_path / old).mkdir()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / old_elsewhere, (two_days_ago, two_days_ago))
    remove_stale_partials(tmp_path)
    kept = [ours, new_elsewhere, ".partial-photo.png", "a.png"]
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


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
        (os.mkdir, "is a folder, not a file"),
        (os.mkfifo, "is a pipe or a device, not a file"),
        (lambda path: path.symlink_to(path.name), "cannot be read"),
    ],
)
def test_only_files_can_be_read(tmp_path, make, message):
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"a.png.* {message}"):
        check_regular(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    check_regular(tmp_path / "b.png")
