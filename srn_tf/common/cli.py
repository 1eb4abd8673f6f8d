"""One `run(main)` for all commands, so that they fail alike and explain themselves alike.

Exit status: 0 done; 1 failed while running, or some files of a folder job failed; 2 bad usage or
bad input. Errors that a user can mend are one line on stderr, never a traceback.

Commands start in a moment: at the top of their modules they import nothing that needs TensorFlow,
so that --help and refused flags are answered at once. What a command needs it imports in `main`,
after its checks.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from logging import getLogger

from absl import app, flags, logging

from srn_tf.common import gpus
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.usage import full_usage, usage


def run(main: Callable[..., None], choices: Sequence[str] = ()) -> None:
    """Parses the command line, calls `main()` and exits with the status described above.

    With `choices`, one of these words must stand beside the flags, and `main(word)` is called. The
    docstring of the module of `main` explains the command in --help.
    """
    logging.set_verbosity(logging.WARNING)
    # What is wrong with an image gets a line of ours.
    warnings.filterwarnings("ignore", module="PIL")
    getLogger("tifffile").disabled = True
    # File names may hold bytes that are not text: print them escaped, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    sys.meta_path.insert(0, _TensorFlowFinder())
    # As Ctrl-C does it, SIGTERM unwinds the stack, so that half-written files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    docstring = sys.modules[main.__module__].__doc__
    app.run(
        lambda argv: _call(main, *argv[1:]),
        flags_parser=lambda argv: parse(argv, docstring, choices),
    )


def parse(argv: Sequence[str], docstring: str, choices: Sequence[str] = ()) -> list[str]:
    """Parses flags and returns the words beside them, the command's name first.

    Exits with status 2 and one line when they cannot be used, with 0 after --help.
    """
    for name, text in (("help", usage), ("helpshort", usage), ("helpfull", full_usage)):
        flags.DEFINE_flag(_HelpFlag(name, lambda text=text: text(docstring)))
    # absl's own parser exits with 1 on an unknown flag.
    try:
        positional = flags.FLAGS(list(argv))
    except flags.Error as error:
        _fail(f"{error} (--help lists the flags)", 2)
    words = positional[1:]
    if choices and (not words or words.pop(0) not in choices):
        _fail(f"the command needs one of these words: {', '.join(choices)}", 2)
    if words:
        _fail(f"stray argument {words[0]!r}: everything is passed as --flag=value", 2)
    return positional


class _HelpFlag(flags.BooleanFlag):
    """In place of absl's flag of that name."""

    def __init__(self, name: str, text: Callable[[], str]):
        short_name = "?" if name == "help" else None
        super().__init__(name, False, "Show this help.", short_name, allow_override=True)
        self._text = text

    def parse(self, argument):
        if self._parse(argument):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # --help | head
            print(self._text())
            sys.exit(0)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Keeps to itself what TensorFlow says while it starts; after an error it is shown.

    On file descriptor 2 it says, as errors or whatever the log level, that libraries are registered
    twice and that there is no GPU. Where the user sets TF_CPP_MIN_LOG_LEVEL to see its messages,
    nothing is held back; and where there is a GPU that it does not see, what it says tells why.
    """
    with _held_back() if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("2", "3") else _shown() as show:
        yield
        tensorflow = sys.modules.get("tensorflow")
        found = tensorflow and tensorflow.config.list_physical_devices("GPU")
        unseen = tensorflow and not found and not gpus.is_hidden() and gpus.has_nvidia_gpu()
        if unseen:
            show()
    if unseen:
        print(gpus.UNSEEN, file=sys.stderr)


@contextlib.contextmanager
def _shown() -> Iterator[Callable[[], None]]:
    yield lambda: None


@contextlib.contextmanager
def _held_back() -> Iterator[Callable[[], None]]:
    """Collects what goes to file descriptor 2; what it yields shows it, and so does an error."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:

        def show() -> None:
            said.seek(0)
            os.write(stderr, said.read())

        os.dup2(said.fileno(), 2)
        try:
            yield show
        except BaseException:
            show()
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


class _TensorFlowFinder(importlib.abc.MetaPathFinder):
    """Has TensorFlow imported in the context `starting`, wherever a command first needs it."""

    def find_spec(self, name, path, target=None):
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: starting()(execute)(module)
        return spec


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
