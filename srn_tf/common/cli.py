"""One `run(main)` for all commands, so that they fail alike.

Exit status: 0 done; 1 failed while running, or some files of a folder job failed; 2 bad usage or
bad input. Errors that a user can mend are one line on stderr, never a traceback.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from srn_tf.common.errors import InputError, RunError


def run(main: Callable[..., None], choices: Sequence[str] = ()) -> None:
    """Parses the command line, calls `main()` and exits with the status described above.

    With `choices`, one of these words must stand beside the flags, and `main(word)` is called.
    """
    logging.set_verbosity(logging.WARNING)
    # As Ctrl-C does it, SIGTERM unwinds the stack, so that half-written files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    failure = _failure(main, *words)
    if failure:
        # The exception is gone, and with it what its frames held: threads that still read data
        # when Python exits may keep it from exiting.
        gc.collect()
        _fail(*failure)


def _failure(main: Callable[..., None], *words: str) -> tuple[str, int] | None:
    try:
        main(*words)
    except InputError as error:
        return str(error), 2
    except (RunError, OSError) as error:
        return str(error), 1
    except KeyboardInterrupt:
        return "interrupted; no file is left half-written", 1
    return None


def _fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
