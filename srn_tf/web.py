"""Shows a page in the browser on which photographs are dropped to be deblurred.

    python -m srn_tf.web

It is shown to this machine alone unless --host says otherwise, and asks no other host for anything.
What is dropped on it is removed when it is closed.
"""

from __future__ import annotations

from functools import partial

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow

_WEIGHTS, _PAGE = "Weights", "Page"
RUN_DIR = define(
    "run_dir",
    tuple,
    None,
    "Run folder with weights to choose from; may be given several times. Default: those of the "
    "package and of runs/.",
    group=_WEIGHTS,
)
HOST = define(
    "host",
    str,
    "127.0.0.1",
    "Address to listen on. 0.0.0.0 shows the page to everybody who reaches this machine.",
    group=_PAGE,
)
PORT = define("port", int, 7860, "Port to listen on.", group=_PAGE, least=1, most=65535)
MAX_MEGAPIXELS = define(
    "max_megapixels",
    float,
    30.0,
    "Refuse larger photographs, in millions of pixels.",
    group=_PAGE,
    above=0,
    most=1e6,
)


def main() -> None:
    """Shows the page until Ctrl-C."""
    start_tensorflow()
    import PIL.Image

    try:
        from srn_tf.serving.page import serve
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "srn_tf":
            raise
        raise InputError(
            f"the page needs {error.name}, with Python 3.10 or later: pip install 'srn-tf[web]'"
        ) from None
    from srn_tf.serving.worker import Worker, weights_here

    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    weights = RUN_DIR.value or weights_here()
    worker = Worker(MAX_MEGAPIXELS.value)
    for run_dir in RUN_DIR.value or weights[:1]:
        worker.load(run_dir)
    serve(worker, weights, HOST.value, PORT.value)


script = partial(run, main)  # srn-web

if __name__ == "__main__":
    script()
