"""A long job shows a bar on a terminal and a few lines in a log file."""

import io
import sys

import pytest

from srn_tf.common.progress import Progress, duration, progress, say


@pytest.fixture
def clock(monkeypatch):
    """Moves the time on, by so many seconds."""
    now = [1000.0]
    monkeypatch.setattr(Progress, "_time", lambda self: now[0], raising=False)
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])

    def pass_by(seconds):
        now[0] += seconds

    return pass_by


def test_a_log_file_gets_a_line_every_half_minute(clock, capsys):
    for _ in progress(range(100), "deblurring"):
        clock(1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["deblurring:", f"{n}%", f"{n}/100", f"[{time}<{left},"]
        for n, time, left in (
            (30, "00:30", "01:10"),
            (60, "01:00", "00:40"),
            (90, "01:30", "00:10"),
        )
    ]


def test_a_job_of_unknown_length_says_how_far_it_is(clock, capsys):
    with Progress("deblurring", None, "frame") as shown:
        for _ in range(2):
            shown.update(10)
            clock(40)
        shown.update(10)
    assert capsys.readouterr().err.splitlines()[-1].startswith("deblurring: 30frame [01:20")


def test_a_short_job_and_one_with_nothing_to_do_say_nothing(clock, capsys):
    assert list(progress(range(3), "scoring")) == [0, 1, 2]
    assert list(progress([], "scoring")) == []
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_is_taken_away(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(range(3), "scoring"):
        clock(40)
    assert "scoring:   0%|" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


def test_without_a_stderr_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    with Progress("scoring", 3) as shown:
        shown.update(3)
    say("a line")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "00:05"), (3725.9, "1:02:05"), (86400, "1 day 00:00"), (3 * 86400 + 60, "3 days 01:00")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
