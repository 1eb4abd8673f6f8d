"""Folders: locks, all files below, names that do not lead out."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.folders import files_below, joined_inside, locked


def hold(folder, *options):
    """A process that has locked `folder`; it ends when its input is closed."""
    command = (
        "import sys; from srn_tf.common.folders import locked\n"
        f"with locked({str(folder)!r}{''.join(options)}): print('held', flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("options", ["", ", beside=True"])
def test_a_folder_in_use_is_refused_and_the_message_says_by_whom(tmp_path, options):
    folder = tmp_path / "run"
    process = hold(folder, options)
    try:
        with (
            pytest.raises(InputError, match=rf"run is in use by process {process.pid} on .* since"),
            locked(folder, beside=bool(options)),
        ):
            raise AssertionError("two hold it")
    finally:
        process.kill()
        process.communicate()
    with locked(folder, beside=bool(options)):  # a killed process holds nothing
        pass


def test_a_lock_beside_leaves_the_folder_alone(tmp_path):
    with locked(tmp_path / "export", beside=True):
        assert not (tmp_path / "export").exists()


def test_a_folder_into_which_nothing_was_written_is_gone_again(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "run"):
        raise KeyError
    assert os.listdir(tmp_path) == []
    with locked(tmp_path / "run"):
        (tmp_path / "run/result").touch()
    assert (tmp_path / "run/result").exists()


@pytest.mark.parametrize("kind", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, kind):
    def flock(*_):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(fcntl, "flock", flock)
    words = f"run cannot be locked ({os.strerror(kind)})|run is in use by .*has no locks"
    with (
        pytest.raises((InputError, RunError), match=words.replace("(", r"\(").replace(")", r"\)")),
        locked(tmp_path / "run"),
    ):
        raise AssertionError("it has no locks")


@pytest.mark.parametrize("name", ["../a.png", "b/../../a.png", "/a.png", "", ".", "out/a.png"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/out").symlink_to("..")
    with pytest.raises(InputError):
        joined_inside(tmp_path / "folder", name)


def test_other_names_are_joined(tmp_path):
    assert joined_inside(tmp_path, "b/..a/...png") == tmp_path / "b/..a/...png"


def test_links_are_followed_and_loops_are_not(tmp_path):
    for name in ("tree/b/2.png", "tree/a.png", "outside/c/3.png", "tree/.hidden/4.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name, target in {
        "tree/out": "../outside",
        "tree/b/loop": "..",
        "tree/loop2": ".",
        "outside/back": "../tree",
        "tree/self": "self",
        "tree/again": "b",
    }.items():
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "tree/pipe.png")
    found = [
        path.relative_to(tmp_path / "tree").as_posix() for path in files_below(tmp_path / "tree")
    ]
    assert sorted(found) == ["a.png", "again/2.png", "b/2.png", "out/c/3.png", "pipe.png", "self"]


def test_many_links_to_each_other_end_soon(tmp_path):
    for i in range(12):
        (tmp_path / str(i)).mkdir()
        (tmp_path / f"{i}/file").touch()
        for j in range(12):
            (tmp_path / f"{i}/to{j}").symlink_to(f"../{j}")
    assert {path.name for path in files_below(tmp_path)} == {"file"}


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b/file").touch()
    scandir = os.scandir

    def refuse(place):
        if place == tmp_path / "a":
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"folder .*a cannot be read: Permission denied"):
        list(files_below(tmp_path))
    errors = []
    assert list(files_below(tmp_path, errors.append)) == [tmp_path / "b/file"]
    assert len(errors) == 1
