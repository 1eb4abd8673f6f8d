"""Folders: locks, all files below, names that do not lead out."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.folders import files_below, joined_inside, locked, tensorflow_path


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
def test_a_folder_in_use_is_refused(tmp_path, options):
    folder = tmp_path / "run"
    process = hold(folder, options)
    try:
        with (
            pytest.raises(InputError, match="run is in use by another process: wait for it"),
            locked(folder, beside=bool(options)),
        ):
            raise AssertionError("two hold it")
    finally:
        process.kill()
        process.communicate()
    with locked(folder, beside=bool(options)):  # a killed process holds nothing
        pass


def test_a_folder_into_which_nothing_was_written_is_gone_again(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "run"):
        raise KeyError
    assert os.listdir(tmp_path) == []
    with locked(tmp_path / "run", beside=True):
        assert not (tmp_path / "run").exists()
    with locked(tmp_path / "run"):
        (tmp_path / "run/result").touch()
    assert (tmp_path / "run/result").exists()


@pytest.mark.parametrize("kind", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, kind):
    def flock(*_):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(InputError, match="run "), locked(tmp_path / "run"):
        raise AssertionError("it has no locks")


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").symlink_to("..")
    for name in ("../a.png", "b/../../a.png", "/a.png", "", ".", "out/a.png"):
        with pytest.raises(InputError):
            joined_inside(folder, name)
    assert joined_inside(folder, "b/..a/...png") == folder / "b/..a/...png"


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
    assert sorted(found) == ["a.png", "b/2.png", "out/c/3.png", "pipe.png", "self"]


def test_many_links_to_each_other_end_soon(tmp_path):
    for i in range(12):
        (tmp_path / str(i)).mkdir()
        (tmp_path / f"{i}/file").touch()
        for j in range(12):
            (tmp_path / f"{i}/to{j}").symlink_to(f"../{j}")
    assert {path.name for path in files_below(tmp_path)} == {"file"}


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    scandir = os.scandir

    def refuse(place):
        if Path(place) == tmp_path / "a":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"folder .*a cannot be read: Permission denied"):
        list(files_below(tmp_path))


ODD_NAMES = (
    "a [b]",
    "*",
    "what?",
    "{x}",
    "50%d",
    "a b",
    "a\nb",
    "n" * 200,
    "\udcff",
    "back\\slash",
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_tensorflow_reads_and_writes_below_any_folder(tmp_path, name):
    value = tf.Variable(1.0)
    folder = tmp_path / name
    folder.mkdir()
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(value=value), tensorflow_path(folder / "checkpoints"), 1
    )
    for number in (1, 2, 3):
        value.assign(number)
        manager.save(number)
    value.assign(0)
    tf.train.Checkpoint(value=value).read(tensorflow_path(folder / "checkpoints/ckpt-3"))
    assert value.numpy() == 3
    assert len(list((folder / "checkpoints").glob("ckpt-*"))) == 2  # older ones are deleted
    module = tf.Module()
    module.value = value
    tf.saved_model.save(module, tensorflow_path(folder / "model"))
    assert tf.saved_model.load(tensorflow_path(folder / "model")).value.numpy() == 3
    tf.saved_model.save(module, tensorflow_path(folder))
    assert tf.saved_model.load(tensorflow_path(folder)).value.numpy() == 3
    with tf.summary.create_file_writer(tensorflow_path(folder / "logs")).as_default():
        tf.summary.scalar("value", 1.0, step=1)
    assert len(list((folder / "logs").glob("events.*"))) == 1
    assert len(os.listdir(tmp_path)) == 1


def test_a_file_with_a_name_that_tensorflow_cannot_open_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\[1\].*: TensorFlow takes .* for a pattern"):
        tensorflow_path(tmp_path / "deblur [1].model")
    assert tensorflow_path(tmp_path / "deblur.model") == str(tmp_path / "deblur.model")
