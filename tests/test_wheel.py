"""What `pip install` brings: the package with its weights, its commands, nothing of the clone."""

from pathlib import Path

import pytest
from setuptools import Distribution

from srn_tf import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture
def distribution(monkeypatch):
    monkeypatch.chdir(ROOT)
    distribution = Distribution({"script_name": "setup.py"})
    distribution.parse_config_files()
    return distribution


def test_the_wheel_holds_the_package_and_its_weights_and_nothing_else(distribution):
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    files = {Path(path).relative_to(build.build_lib) for path in build.get_outputs(False)}
    sources = {path.relative_to(ROOT) for path in ROOT.glob("srn_tf/**/*.py")}
    weights = {Path("srn_tf/weights") / name for name in ("starter.npz", "MODEL_CARD.md")}
    assert files == sources | weights


def test_every_command_has_a_console_script(distribution):
    scripts = distribution.entry_points["console_scripts"]
    commands = [path.stem for path in ROOT.glob("srn_tf/[!_]*.py")]
    assert sorted(scripts) == sorted(f"srn-{name} = srn_tf.{name}:script" for name in commands)


def test_every_place_says_the_same_version(distribution):
    assert distribution.get_version() == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
