"""One `run(main)` for all commands, so that they fail alike.

Exit status: 0 done; 1 failed while running, or some files of a folder job failed; 2 bad usage or
bad input. Errors that a user can mend are one line on stderr, never a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import cv2
from absl import app, flags, logging

from srn_tf.errors import InputError, RunError


def run(main: Callable[..., None], choices: Sequence[str] = ()) -> None:
    """Parses the command line, calls `main()` and exits with the status described above.

    With `choices`, one of these words must stand beside the flags, and `main(word)` is called.
    """
    logging.set_verbosity(logging.WARNING)
    cv2.setLogLevel(0)  # what OpenCV would log about a broken file, our own message says
    app.run(
        lambda argv: _call(main, *argv[1:]),
        flags_parser=lambda argv: _parse_flags(argv, choices),
    )


def _parse_flags(argv: list[str], choices: Sequence[str]) -> list[str]:
    # absl's own parser exits with 1 on an unknown flag and after --help.
    try:
        positional = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(f"{error} (--help lists the flags)", 2)
    except SystemExit:
        sys.exit(0)  # one of absl's help flags has printed its text
    words = positional[1:]
    if choices and (not words or words.pop(0) not in choices):
        _fail(f"the command needs one of these words: {', '.join(choices)}", 2)
    if words:
        _fail(f"stray argument {words[0]!r}: everything is passed as --flag=value", 2)
    return positional


def _call(main: Callable[..., None], *words: str) -> None:
    try:
        main(*words)
    except InputError as error:
        _fail(error, 2)
    except (RunError, OSError) as error:
        _fail(error, 1)


def _fail(message: object, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
