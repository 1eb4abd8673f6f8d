"""Every command that writes, under every fault: what is on disk afterwards, and what it takes.

Faults: a kill (SIGKILL) at several moments of writing, a disk that is full (a limit on the size of
files, and a small file system where the system lets one be made), and two processes at once. After
each, no file is cut, the same command resumes or starts again, and ends with what an undisturbed
one writes; a full disk is one line and an exit status.
"""

from __future__ import annotations

import contextlib
import csv
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import commands
import cv2
import numpy as np
import pytest
import reference
import tensorflow as tf
from clips import frames_of, make_video, packets_of
from networks import lively_model, write_run
from scored_images import pixels

from srn_tf.media.images import write_image

pytestmark = pytest.mark.robust
KILLS = (1, 4, 9)  # at which of the changes on disk
FRAMES = 12  # of the video
LIMITS = (300, 20_000)  # bytes, the largest file that can be written
REFUSALS = ("is in use by", "was made by another process", "exists: pass --overwrite")


class Command(NamedTuple):
    """A command line without its output, the flag for that, and what identifies the result."""

    module: str
    flags: list[str]
    output_flag: str
    result: Callable[[Path], object]

    def start(self, output: Path, limit: int | None = None) -> subprocess.Popen:
        """The command in a process of its own that can write files of `limit` bytes at most."""

        def confine():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.Popen(
            [sys.executable, "-m", self.module, *self.flags, f"--{self.output_flag}={output}"],
            cwd=commands.ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=confine,
        )

    def run(self, output: Path, limit: int | None = None) -> tuple[int, str]:
        """Exit status and printed text."""
        process = self.start(output, limit)
        text, _ = process.communicate(timeout=900)
        return process.returncode, text


def images(folder):
    """All pictures in a folder, decoded: a cut one fails."""
    found = {}
    for path in sorted(folder.rglob("*.png")):
        if ".partial-" not in str(path):
            picture = cv2.imread(str(path))
            assert picture is not None, f"{path} is cut"
            found[path.relative_to(folder).as_posix()] = picture.tobytes()
    return found


def film(folder):
    """All frames of all videos in a folder, decoded, and their sounds: a cut one fails."""
    found = {}
    for path in sorted(folder.rglob("*.mp4")):
        if ".partial-" not in str(path):
            frames = frames_of(path)
            assert len(frames) == FRAMES, f"{path} is cut"
            pictures = [frame.image.tobytes() for frame in frames]
            found[path.relative_to(folder).as_posix()] = pictures, packets_of(path, "audio")
    return found


def weights(run_dir):
    """What the newest checkpoint holds of the network."""
    newest = max(run_dir.glob("checkpoints/step-*.index"), key=lambda path: path.stat().st_mtime)
    reader = tf.train.load_checkpoint(str(newest.with_suffix("")))
    names = (n for n in reader.get_variable_to_shape_map() if n.startswith(("net/", "step/")))
    return newest.name, {name: reader.get_tensor(name).tobytes() for name in names}


def scores(folder):
    with (folder / "results.csv").open(newline="") as file:
        rows = [[*row[:-1]] for row in csv.reader(file)]  # without the time
    return rows, images(folder)


def export(folder):
    module = tf.saved_model.load(str(folder))
    image = tf.constant(pixels("a", "blur")[None])
    return module.signatures["serving_default"](image=image)["deblurred"].numpy().tobytes()


def table1(folder):
    with (folder / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["network"], row["psnr"], row["ssim"], row["step"]) for row in rows]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The commands by name, on small data."""
    root = tmp_path_factory.mktemp("inputs")
    for split, count in (("train", 3), ("test", 3)):
        for folder in ("blur", "sharp"):
            for number in range(count):
                path = root / f"data/{split}/GOPR0001_07_00/{folder}/{number:06d}.png"
                write_image(path, pixels(f"{split}{number}", folder))
    for number in range(30):
        write_image(root / f"frames/shot/{number:04d}.png", pixels("frame", "shot") // 2 + number)
    run_dir = write_run(lively_model("SR-EDRB1"), root / "run")
    checkpoint = reference.write_tf1_checkpoint(
        root / "deblur.model", reference.random_weights(1, lstm=False)
    )
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, 48, 64, 3), np.uint8)
    clip = make_video(
        root / "clip.mp4", tuple(range(FRAMES)), pictures=noise, sound="aac", sound_blocks=99
    )
    data, run = f"--data_dir={root / 'data'}", f"--run_dir={run_dir}"
    recipe = ["--batch_size=1", "--crop_size=16", "--decay_steps=6", "--deterministic"]
    training = [data, *recipe, "--log_every=1", "--checkpoint_every=2", "--validate_every=0"]
    sizes = ["--train_pairs=3", "--test_pairs=3", "--height=48", "--width=64"]
    synthesize = [f"--input={root / 'frames'}", "--window=7", "--fps=240"]
    return {
        "deblur": Command("srn_tf.deblur", [run, f"--input={root}/data"], "output", images),
        "video": Command("srn_tf.deblur", [run, f"--input={clip}"], "output", film),
        "evaluate": Command("srn_tf.evaluate", [run, data], "output", scores),
        "export": Command("srn_tf.export", [run], "output", export),
        "convert": Command(
            "srn_tf.convert", [f"--checkpoint={checkpoint}", "--model=gray"], "run_dir", weights
        ),
        "train": Command("srn_tf.train", ["--variant=SR-EDRB1", *training], "run_dir", weights),
        "synthesize": Command("data_tools.synthesize", synthesize, "output", images),
        "demo": Command("data_tools.demo", sizes, "output", images),
        "ablation": Command(
            "experiments.ablation", ["--variants=SR-EDRB1", *training], "output", table1
        ),
    }


NAMES = (
    "deblur",
    "video",
    "evaluate",
    "export",
    "convert",
    "train",
    "synthesize",
    "demo",
    "ablation",
)


@pytest.fixture(scope="module")
def expected(table, tmp_path_factory):
    """What the undisturbed command writes, made when it is first asked for."""
    made = {}

    def get(name):
        if name not in made:
            output = tmp_path_factory.mktemp(name) / "whole"
            status, text = table[name].run(output)
            assert status == 0, text
            made[name] = table[name].result(output)
        return made[name]

    return get


def state(folder):
    """Names and sizes of all that is below a folder; it may change meanwhile."""
    found = set()
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                path = os.path.join(place, name)
                found.add((path, os.path.getsize(path)))
    return found


def assert_no_rests(folder):
    rests = [path for path in folder.rglob("*") if ".partial-" in path.name or "_temp" in path.name]
    assert not rests


def assert_ends_well(command, output, expected):
    """The same command, run again, leaves what an undisturbed one does."""
    status, text = command.run(output)
    done = any(refusal in text for refusal in REFUSALS)  # an export that was made whole
    assert status == 0 or done, text
    assert "Traceback" not in text
    assert command.result(output) == expected
    assert_no_rests(output.parent)


@pytest.mark.parametrize("name", NAMES)
def test_kill(table, expected, tmp_path, name):
    command, killed = table[name], 0
    wanted = expected(name)
    for moment in KILLS:
        output = tmp_path / f"{moment}/out"
        output.parent.mkdir()
        process, before, changes = command.start(output), set(), 0
        while process.poll() is None and changes < moment:
            now = state(output.parent)
            changes, before = changes + (now != before), now
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        images(output.parent)  # none is cut
        assert_ends_well(command, output, wanted)
    print(f"TABLE {name} | kill | {killed} of {len(KILLS)} hit it writing | all ended well")


def assert_refused_in_one_line(status, text):
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    assert status in (1, 2), text
    assert len(lines) == 1, text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", NAMES)
def test_limited_file_size(table, expected, tmp_path, name):
    command, hit = table[name], 0
    wanted = expected(name)
    for limit in LIMITS:
        output = tmp_path / f"{limit}/out"
        output.parent.mkdir()
        status, text = command.run(output, limit)
        if status:
            hit += 1
            assert_refused_in_one_line(status, text)
        else:
            assert command.result(output) == wanted
        images(output.parent)
        assert_ends_well(command, output, wanted)
    print(f"TABLE {name} | size limit | {hit} of {len(LIMITS)} stopped it | all ended well")
    assert hit


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, which `grow` makes large enough."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "srn", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be made here")

    def grow():
        subprocess.run(["mount", "-o", "remount,size=500m", str(place)], check=True)

    try:
        yield place, grow
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_full_disk(table, expected, small_disk, name):
    command, (place, grow) = table[name], small_disk
    wanted = expected(name)
    (place / "filler").write_bytes(np.random.default_rng(0).bytes(50_000))
    status, text = command.run(place / "out")
    assert_refused_in_one_line(status, text)
    images(place)
    grow()
    assert_ends_well(command, place / "out", wanted)
    print(f"TABLE {name} | full disk | refused in one line | ended well")


@pytest.mark.parametrize("name", NAMES)
def test_two_at_once(table, expected, tmp_path, name):
    command, output = table[name], tmp_path / "out"
    wanted = expected(name)
    both = [command.start(output) for _ in range(2)]
    texts = [process.communicate(timeout=900)[0] for process in both]
    statuses = [process.returncode for process in both]
    for status, text in zip(statuses, texts):
        assert "Traceback" not in text
        assert status == 0 or any(refusal in text for refusal in REFUSALS), text
    assert 0 in statuses
    assert command.result(output) == wanted
    assert_no_rests(tmp_path)
    print(f"TABLE {name} | two at once | exit statuses {sorted(statuses)} | result whole")
