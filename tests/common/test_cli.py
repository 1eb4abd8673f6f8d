"""All commands fail alike: the status says how, one line on stderr says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from srn_tf.common import gpus
from srn_tf.common.cli import starting

COMMAND = r'''
"""A command that fails as it is told.

    python command.py --fail=input \\
        --count=3

What else there is to say.
"""

import os
import signal
import time

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.flags import define

ERRORS = {"input": InputError, "run": RunError, "os": OSError, "bug": ZeroDivisionError,
          "signal": None}
FAIL = define("fail", str, None, "How to fail. Default: not at all.", group="Failures",
              choices=tuple(ERRORS))
COUNT = define("count", int, 1, "How often.", group="Numbers", least=1)
NAME = define("name", str, None, "Which.", group="Numbers")
SIZE = define("size", float, None, "How large.", group="Numbers", above=0, most=10)


def main():
    if FAIL.value == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        print("not interrupted")
    elif FAIL.value:
        raise ERRORS[FAIL.value]("pear.png: cannot be read")
    print("done", COUNT.value)


if __name__ == "__main__":
    run(main)
'''
COMMAND_WITH_WORDS = """
from srn_tf.common.cli import run

if __name__ == "__main__":
    run(lambda word: print("done", word), choices=("download", "verify"))
"""


def caller(folder, text):
    """A function that runs the command `text` with the given arguments."""
    script = folder / "command.py"
    script.write_text(text)

    def call(*arguments):
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
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


def test_success_is_status_0(call):
    result = call("--count=3")
    assert (result.returncode, result.stdout, result.stderr) == (0, "done 3\n", "")


def test_only_what_is_said_while_tensorflow_starts_is_held_back(capfd):
    with starting():
        os.write(2, b"no GPU\n")
    tf.print("a real error", output_stream=tf.compat.v1.logging.error)
    said = capfd.readouterr().err
    assert "a real error" in said
    assert "no GPU" not in said

    def fail():
        os.write(2, b"the reason\n")
        raise ImportError

    with pytest.raises(ImportError), starting():
        fail()
    assert capfd.readouterr().err == "the reason\n"


def test_a_gpu_that_tensorflow_does_not_see_is_named_with_what_it_says_of_it(monkeypatch, capfd):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.setattr(gpus, "has_nvidia_gpu", lambda: True)
    with starting():
        os.write(2, b"the driver is too old\n")
    reason, line = capfd.readouterr().err.splitlines()
    assert reason == "the driver is too old"
    assert "NVIDIA GPU that TensorFlow does not see" in line
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with starting():
        os.write(2, b"no GPU\n")
    assert capfd.readouterr().err == ""


HELP = """\
python command.py --fail=input \\
    --count=3

A command that fails as it is told.

What else there is to say.

Failures:
  --fail=input|run|os|bug|signal
      How to fail. Default: not at all.

Numbers:
  --count=INTEGER
      How often. At least 1. Default: 1.
  --name=TEXT
      Which.
  --size=NUMBER
      How large. Above 0 and at most 10.

--helpfull lists the flags of the library absl as well.
"""


@pytest.mark.parametrize("flag", ["--help", "-?", "--helpshort", "--help=true"])
def test_help_has_the_example_first_and_flags_by_purpose(call, flag):
    result = call("--fail=bug", flag)
    assert (result.returncode, result.stdout, result.stderr) == (0, HELP, "")


def test_helpfull_adds_the_flags_of_absl(call):
    result = call("--helpfull")
    assert result.returncode == 0
    assert result.stdout.startswith(HELP)
    assert "  --verbosity\n" in result.stdout


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--pear=1", "pear"),
        ("--count=many", "many"),
        ("--count=0", "count must be at least 1, not 0"),
        ("--size=nan", "size must be above 0 and at most 10, not nan"),
        ("--fail=well", "well"),
        ("--name=", "name must not be empty"),
        ("pear.png", "'pear.png'"),
    ],
    ids=["unknown flag", "bad value", "too small", "no number", "bad choice", "empty", "stray"],
)
def test_bad_usage_is_status_2_and_one_line(call, argument, named):
    result = call(argument)
    assert result.returncode == 2
    assert_one_line(result, named)


@pytest.mark.parametrize(("error", "status"), [("input", 2), ("run", 1), ("os", 1)])
def test_errors_a_user_can_mend_are_one_line(call, error, status):
    result = call(f"--fail={error}")
    assert result.returncode == status
    assert_one_line(result, "pear.png: cannot be read")


def test_mistake_in_the_code_keeps_its_traceback(call):
    result = call("--fail=bug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), "download, verify"), (("pear",), "download, verify"), (("verify", "pear"), "'pear'")],
    ids=["no word", "unknown word", "stray argument"],
)
def test_command_of_several_words_takes_one_of_them(tmp_path, arguments, named):
    call = caller(tmp_path, COMMAND_WITH_WORDS)
    assert call("verify").stdout == "done verify\n"
    result = call(*arguments)
    assert result.returncode == 2
    assert_one_line(result, named)


def test_sigterm_is_one_line(call):
    result = call("--fail=signal")
    assert result.returncode == 1
    assert_one_line(result, "interrupted")
