"""All commands fail alike: the status says how, one line on stderr says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from srn_tf import __version__
from srn_tf.common import start

COMMAND = r'''
"""A command that fails as it is told.

    python command.py --fail=input \\
        --count=3

What else there is to say.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import time

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError, Stopped
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, number, one_of

ERRORS = {"input": InputError, "run": RunError, "os": OSError, "bug": ZeroDivisionError,
          "stopped": Stopped, "signal": None}
@dataclasses.dataclass(frozen=True)
class Flags:
    """What is asked for.

    Failures:
      fail: How to fail. Default: not at
        all.
    Numbers:
      count: How often.
      name: Which.
      size: How large.
      wide: Whether it is.

    Places:
      folder: Where.
      others: Where else.
      labels: How they are called.
    """

    folder: PathText
    labels: tuple[str, ...] = ()
    others: list[str] = ()
    fail: str | None = one_of(ERRORS, None)
    count: int = number(1)
    name: str | None = None
    size: float = number(0, most=10)
    wide: bool = False


def main():
    flags = read_flags(Flags)
    if flags.fail == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        print("not interrupted")
    elif flags.fail:
        raise ERRORS[flags.fail]("pear.png: cannot be read")
    print("done", flags.count, flags.folder, *flags.others, *flags.labels)


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
'''


def caller(folder, text):
    """A function that runs the command `text` with the given arguments."""
    script = folder / "command.py"
    script.write_text(text)

    def call(*arguments, **options):
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": "/home/me"},
            text=True,
            check=False,
            **(options or {"capture_output": True}),
        )

    return call


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    return caller(tmp_path_factory.mktemp("cli"), COMMAND)


def assert_one_line(result, *words):
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in words)
    assert result.stdout == ""


def test_success_is_status_0_and_the_home_folder_is_found(call):
    result = call("--count=3", "--folder=~/a b", "--others=~,c", "--labels=e,f", "--labels=g")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "done 3 /home/me/a b /home/me c e,f g\n"


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_closed_streams_do_not_matter(tmp_path, closed):
    script = COMMAND.replace('print("done"', 'pathlib.Path("out").write_text("x"); print("done"')
    call = caller(tmp_path, script)

    def close():
        for descriptor in closed:
            os.close(descriptor)

    result = call("--folder=a", preexec_fn=close, cwd=tmp_path)
    assert result.returncode == 0
    assert (tmp_path / "out").read_text() == "x"  # no output of the command lands in it
    assert call("--folder=a", "--fail=input", preexec_fn=close).returncode == 2


def test_streams_that_are_no_text_files_do_not_matter(tmp_path):
    streams = "import io, sys\nsys.stdout = io.StringIO()\nsys.stderr = None\n"
    script = COMMAND.replace("if __name__", f"{streams}if __name__").replace(
        "    run(main)\n",
        "    try:\n        run(main)\n    finally:\n"
        "        sys.__stdout__.write(sys.stdout.getvalue())\n",
    )
    assert caller(tmp_path, script)("--folder=a").stdout == "done 1 a\n"


def test_tensorflow_starts_quietly_and_an_unseen_gpu_is_named(monkeypatch, capfd):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    tensorflow = type("tf", (), {"config": type("config", (), {})})
    tensorflow.config.list_physical_devices = lambda kind: os.write(2, b"too old a driver\n") and []
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    start.start_tensorflow()
    assert capfd.readouterr().err == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    start.start_tensorflow()
    reason, line = capfd.readouterr().err.splitlines()
    assert reason == "too old a driver"
    assert "NVIDIA GPU that TensorFlow does not see" in line


HELP = """\
python command.py --fail=input \\
    --count=3

A command that fails as it is told.

What else there is to say.

Failures:
  --fail=input|run|os|bug|stopped|signal
      How to fail. Default: not at all.

Numbers:
  --count=INTEGER
      How often. At least 0 and at most 1,000,000,000. Default: 1.
  --name=TEXT
      Which. Default: none.
  --size=NUMBER
      How large. At least 0 and at most 10. Default: 0.
  --[no]wide
      Whether it is. Default: off.

Places:
  --folder=PATH
      Where. Required.
  --others=A,B,...
      Where else. Default: none.
  --labels=TEXT
      How they are called. Default: none.
"""


@pytest.mark.parametrize("flag", ["--help", "-?", "--helpshort"])
def test_help_has_the_example_first_flags_by_purpose_and_every_default(call, flag):
    result = call("--fail=bug", flag)
    assert (result.returncode, result.stdout, result.stderr) == (0, HELP, "")


def test_version(call):
    assert call("--version").stdout == f"srn_tf {__version__}\n"


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--pear=1", "pear"),
        ("--count=many", "many"),
        ("--count=-1", "count must be at least 0 and at most 1,000,000,000, not -1"),
        ("--size=nan", "size must be at least 0 and at most 10, not nan"),
        ("--fail=well", "well"),
        ("--name=", "--name=: it must not be empty"),
        ("--others=a,", "--others=a,: it must not be empty"),
        ("pear.png", "'pear.png'"),
        ("--nofolder", "folder"),
    ],
    ids=["unknown", "bad value", "small", "no number", "choice", "empty", "part", "stray", "no"],
)
def test_bad_usage_is_status_2_and_one_line(call, argument, named):
    result = call("--folder=a", argument)
    assert result.returncode == 2
    assert_one_line(result, named)


def test_a_missing_flag_is_named(call):
    result = call()
    assert result.returncode == 2
    assert_one_line(result, "missing: --folder")


@pytest.mark.parametrize(
    ("error", "status"), [("input", 2), ("run", 1), ("os", 1), ("stopped", 75)]
)
def test_errors_a_user_can_mend_are_one_line(call, error, status):
    result = call("--folder=a", f"--fail={error}")
    assert result.returncode == status
    assert_one_line(result, "pear.png: cannot be read")


def test_mistake_in_the_code_keeps_its_traceback(call):
    result = call("--folder=a", "--fail=bug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_sigterm_is_one_line(call):
    result = call("--folder=a", "--fail=signal")
    assert result.returncode == 1
    assert_one_line(result, "interrupted")
