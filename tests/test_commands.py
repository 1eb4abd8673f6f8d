"""All commands alike: they explain themselves at once, and refuse numbers that make no sense."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from srn_tf.network.variants import FIELDS

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for pattern in ("srn_tf/*.py", "data_tools/*.py", "experiments/*.py")
    for path in ROOT.glob(pattern)
    if "__main__" in path.read_text()
)
NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e400", "1" + 400 * "0")
# Runs a command's module up to where its flags are parsed. Reports what --help costs and which
# numbers are accepted by which flag.
SCRIPT = f"""
import contextlib, io, json, runpy, sys, time
sys.argv = [sys.argv[1]]
from absl import flags
from srn_tf.common import cli
from srn_tf.common.flags import OPTIONS

def parse(*arguments):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.parse(["command", *arguments], docstring)
            status = None
        except SystemExit as error:
            status = error.code
    flags.FLAGS.unparse_flags()
    return status, said.getvalue()

def examine(main):
    global docstring
    docstring = sys.modules[main.__module__].__doc__
    status, text = parse("--help")
    seconds = time.process_time()
    numbers = [name for name, option in OPTIONS.items() if option.type in ("int", "float")]
    tried = {{
        name: {{number: parse(f"--{{name}}={{number}}") for number in {NUMBERS}}}
        for name in numbers
    }}
    print(json.dumps({{
        "help": text,
        "status": status,
        "seconds": seconds,
        "heavy": sorted({{"tensorflow", "matplotlib", "skimage"}} & set(sys.modules)),
        "numbers": tried,
    }}))

cli.run = examine
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What the script says of each command, and the folder in which all of them ran."""
    folder = tmp_path_factory.mktemp("commands")
    processes = {
        module: subprocess.Popen(
            [sys.executable, "-c", SCRIPT, module],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
        )
        for module in MODULES
    }
    texts = {module: process.communicate()[0] for module, process in processes.items()}
    assert not list(folder.iterdir())
    return {module: json.loads(text) for module, text in texts.items()}


def test_all_commands_are_found():
    assert len(MODULES) > 12
    assert {"srn_tf.deblur", "data_tools.demo", "experiments.ablation"} < set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_help_comes_at_once(module, reports):
    report = reports[module]
    assert report["status"] == 0
    assert report["heavy"] == []
    assert report["seconds"] < 1.5  # 0.1 to 0.4 on an idle machine; TensorFlow alone takes 3


@pytest.mark.parametrize("module", MODULES)
def test_help_shows_an_example_first_and_is_80_columns_wide(module, reports):
    lines = reports[module]["help"].splitlines()
    assert lines[0].split()[:3] == ["python", "-m", module]
    assert [line for line in lines if len(line) > 80] == []
    assert any(line.startswith("  --") for line in lines)


@pytest.mark.parametrize("module", MODULES)
def test_numbers_out_of_range_are_bad_usage(module, reports):
    for name, tried in reports[module]["numbers"].items():
        for number, (status, said) in tried.items():
            if number == "0" and "at least 0 and" in flag_help(reports[module]["help"], name):
                assert "must be" not in said
                continue
            assert status == 2, f"--{name}={number} is accepted"
            assert said.startswith("error: flag --")
            assert len(said.splitlines()) == 1
            assert name in said


def flag_help(text, name):
    """What --help says of one flag, on one line."""
    after = text.split(f"  --{name}=", 1)[1].splitlines()[1:]
    lines = []
    for line in after:
        if not line.startswith(" " * 6):
            break
        lines.append(line.strip())
    return " ".join(lines).lower()


def test_help_of_train_names_every_field_of_a_network(reports):
    words = re.split(r"[ ,.:]+", flag_help(reports["srn_tf.train"]["help"], "variant"))
    assert FIELDS.keys() <= set(words)
