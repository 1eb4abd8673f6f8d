"""Every command and program in the documents works as it stands.

The word after the fence says what a block holds. `sh`: commands that are run here, in a folder
with small files of the names that the documents use. `sh download`: commands that need a download
or take hours, of which only the flags are checked. `python`: programs that are run after the
commands of the same document. `python server`: programs that need a server or an account.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from clips import make_video
from commands import ROOT
from networks import lively_model, write_run
from PIL import Image

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
NOTEBOOKS = sorted((ROOT / "docs").glob("*.ipynb"))
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What makes a documented training short enough for a test.
SHORT = ("--max_steps=1", "--batch_size=1", "--crop_size=32", "--validate_every=0")
PARSE_ONLY = """
import runpy, sys
from srn_tf.common import cli

def parse_only(main):  # everything but the work itself
    cli.parse(sys.argv, sys.modules[main.__module__].__doc__)

cli.run = parse_only
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    remark: str
    text: str


def blocks(document: Path) -> list[Block]:
    return [Block(b[0], b[1].strip(), b[2]) for b in FENCE.findall(document.read_text())]


def command_lines(block: Block) -> list[list[str]]:
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def module_of(words: list[str]) -> str | None:
    if Path(words[0]).name == "python" and words[1] == "-m":
        return words[2]
    return None


def all_commands():
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "sh":
                for words in command_lines(block):
                    yield pytest.param(words, id=f"{document.stem}: {' '.join(words)[:90]}")


@pytest.mark.parametrize("words", list(all_commands()))
def test_every_command_has_flags_that_exist(words):
    if words[0] == "make":
        process = subprocess.run(
            ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True
        )
        assert process.returncode == 0, process.stderr
    elif module_of(words):
        process = subprocess.run(
            [sys.executable, "-c", PARSE_ONLY, *words[2:]], cwd=ROOT, capture_output=True, text=True
        )
        assert process.returncode == 0, process.stderr
    else:
        assert words[0] in ("pip", "git"), words


def test_links_between_documents_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with files of the names that the documents use, all small."""
    folder = tmp_path_factory.mktemp("documents")
    rng = np.random.default_rng(0)

    def photograph(place: str) -> None:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(path)

    for name in ("photo.jpg", "photos/a.jpg", "photos/b.png"):
        photograph(name)
    for subset in ("blur", "blur_gamma", "sharp"):
        photograph(f"GOPRO_Large/train/GOPR0372_07_00/{subset}/000001.png")
        photograph(f"GOPRO_Large/test/GOPR0384_11_00/{subset}/000001.png")
    photograph("PNGS/GOPR0384_11_00/000001.png")
    make_video(folder / "clip.mp4", times=tuple(range(16)))
    write_run(lively_model("SRN"), folder / "runs" / "SRN")
    return folder


@pytest.mark.docs
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_commands_and_programs_run(document, folder, monkeypatch):
    monkeypatch.chdir(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = 0
    for block in blocks(document):
        if block.remark:
            continue
        if block.language == "sh":
            for words in command_lines(block):
                if module_of(words):
                    short = (*SHORT, f"--run_dir=runs/{ran}")
                    short = short if module_of(words) == "srn_tf.train" else ()
                    process = subprocess.run(
                        [sys.executable, *words[1:], *short],
                        capture_output=True,
                        text=True,
                        env=environment,
                    )
                    assert process.returncode == 0, (words, process.stdout, process.stderr)
                    ran += 1
        elif block.language == "python":
            image = np.zeros((48, 64, 3), np.uint8)
            names = {"blurred": np.zeros((1, 32, 32, 3), np.float32), "photograph": image}
            exec(compile(block.text, str(document), "exec"), names)
            ran += 1
    print(f"{document.name}: {ran} run")


@pytest.mark.docs
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook, folder, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    content = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(content, timeout=600, resources=resources).execute()
    outputs = [output for cell in content.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
