"""One `run(main)` for all commands, so that they fail alike.

Exit status: 0 done; 1 failed while running, or some files of a folder job failed; 2 bad usage or
bad input. Errors that a user can mend are one line on stderr, never a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
from absl import app, flags

from srn_tf.errors import InputError, RunError


def run(main: Callable[[], None]) -> None:
    """Parses the command line, calls `main()` and exits with the status described above."""
    cv2.setLogLevel(0)  # what OpenCV would log about a broken file, our own message says
    app.run(lambda argv: _call(main), flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
    # absl's own parser exits with 1 on an unknown flag and after --help.
    try:
        positional = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(f"{error} (--help lists the flags)", 2)
    except SystemExit:
        sys.exit(0)  # one of absl's help flags has printed its text
    if len(positional) > 1:
        _fail(f"stray argument {positional[1]!r}: everything is passed as --flag=value", 2)
    return positional


def _call(main: Callable[[], None]) -> None:
    try:
        main()
    except InputError as error:
        _fail(error, 2)
    except (RunError, OSError) as error:
        _fail(error, 1)


def _fail(message: object, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
