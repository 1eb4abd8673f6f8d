"""One `run(main)` for all commands, so that they fail alike and explain themselves alike.

Exit status: 0 done; 1 failed while running, or some files of a folder job failed; 2 bad usage or
bad input; 75 a training was told to stop and can resume. Errors that a user can mend are one line
on stderr, never a traceback.

Commands start in a moment: at the top of their modules they import nothing that needs TensorFlow,
so that --help and refused flags are answered at once. What a command needs it imports in `main`,
after its checks.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from logging import getLogger

from absl import flags, logging

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.flags import usage

_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")


def run(main: Callable[[], None]) -> None:
    """Parses the command line, calls `main()` and exits with the status described above.

    The docstring of the module of `main` explains the command in --help.
    """
    _prepare_streams()
    parse(sys.argv, sys.modules[main.__module__].__doc__)
    logging.set_verbosity(logging.WARNING)
    # Media are checked here, and what is wrong with them is reported by the commands.
    warnings.filterwarnings("ignore", module="PIL")
    getLogger("tifffile").disabled = True
    # SIGTERM unwinds the stack as Ctrl-C does, so that half-written files are removed.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
        return
    except (InputError, RunError) as error:
        message, status = str(error), error.status
    except OSError as error:
        message, status = str(error), 1
    except KeyboardInterrupt:
        message, status = "interrupted; no file is left half-written", 1
    # The exception is gone, and with it what its frames held: threads that still read data when
    # Python exits may keep it from exiting.
    gc.collect()
    _fail(message, status)


def parse(argv: Sequence[str], docstring: str) -> None:
    """Parses the flags.

    Exits with status 2 and one line when they cannot be used, with 0 after --help and --version.
    """
    asked = argv[1:] if "--" not in argv else argv[1 : argv.index("--")]
    if any(argument in _HELP for argument in asked):
        if hasattr(signal, "SIGPIPE"):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # --help | head
        print(usage(docstring))
        sys.exit(0)
    if "--version" in asked:
        from srn_tf import __version__

        print(f"srn_tf {__version__}")
        sys.exit(0)
    try:
        stray = flags.FLAGS(list(argv))[1:]
    except flags.Error as error:
        missing = re.findall(r"flag (--\w+)=None: ", str(error))
        reason = f"missing: {', '.join(missing)}" if missing else error
        _fail(f"{reason} (--help lists the flags)", 2)
    if stray:
        _fail(f"stray argument {stray[0]!r}: everything is passed as --flag=value", 2)


def _prepare_streams() -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # closed: no file that is opened later may take its number
            os.open(os.devnull, os.O_RDWR)
        stream = getattr(sys, name)
        if stream is None and number:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
        elif hasattr(stream, "reconfigure"):
            # File names may hold bytes that are not text: print them escaped.
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
