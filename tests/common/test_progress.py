"""A long job shows a bar on a terminal and a few lines in a log file."""

import contextlib
import io
import sys
from pathlib import Path

import pytest

from srn_tf.common import progress as module
from srn_tf.common.progress import Progress, duration, progress

ROOT = Path(__file__).parents[2]
ROOMS = ("srn_tf", "data_tools", "experiments")


@pytest.fixture
def clock(monkeypatch):
    """Moves the time on, by so many seconds."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def pass_by(seconds):
        now[0] += seconds

    return pass_by


def test_a_log_file_gets_a_line_at_the_start_every_half_minute_and_at_the_end(clock, capsys):
    for _ in progress(range(100), "deblurring"):
        clock(1)
    assert capsys.readouterr().err.splitlines() == [
        "deblurring: begins, 100 images to do",
        "deblurring: 30 of 100 images, left 01:10",
        "deblurring: 60 of 100 images, left 00:40",
        "deblurring: 90 of 100 images, left 00:10",
        "deblurring: 100 of 100 images in 01:40",
    ]


def test_a_job_of_unknown_length_that_fails_says_how_far_it_came(clock, capsys):
    with contextlib.suppress(ValueError), Progress("a.mkv", None, "frame") as shown:
        shown.update()
        clock(40)
        shown.update()
        raise ValueError
    assert capsys.readouterr().err.splitlines() == [
        "a.mkv: begins",
        "a.mkv: 2 frames",
        "a.mkv: 2 frames in 00:40, not finished",
    ]


def test_a_part_of_a_job_speaks_only_when_it_takes_long(clock, capsys):
    with contextlib.closing(Progress("tiles", 4_000_000, "pixel", scale=True)) as shown:
        shown.update(1_000_000)
        clock(40)
        shown.update(1_000_000)
    assert capsys.readouterr().err == "tiles: 2.00M of 4.00M pixels, left 00:40\n"


def test_where_there_is_nothing_to_do_nothing_is_said(capsys):
    assert list(progress([], "scoring")) == []
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_is_taken_away_and_no_lines(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(range(3), "scoring"):
        clock(40)
    assert "scoring:   0%|" in terminal.getvalue()
    assert "begins" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "00:05"), (3725.9, "1:02:05"), (86400, "1 day 00:00"), (3 * 86400 + 60, "3 days 01:00")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_every_command_shows_its_progress_in_this_way():
    files = [
        path
        for room in ("srn_tf", "data_tools", "experiments")
        for path in (ROOT / room).rglob("*.py")
    ]
    bars = [path.name for path in files if "import tqdm" in path.read_text()]
    assert bars == ["progress.py"]
