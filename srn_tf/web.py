"""Shows a page in the browser on which photographs are dropped to be deblurred.

    python -m srn_tf.web

It is shown to this machine alone unless --host says otherwise, and asks no other host for anything.
What is dropped on it is removed when it is closed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow
from srn_tf.weights.starter import STARTER

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
    try:
        from srn_tf.serving.page import serve
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "srn_tf":
            raise
        raise InputError(
            f"the page needs {error.name}, with Python 3.10 or later: pip install 'srn-tf[web]'"
        ) from None
    import PIL.Image

    from srn_tf.weights.run_folder import read_config

    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    for run_dir in RUN_DIR.value or ():
        read_config(run_dir)
    serve(RUN_DIR.value or weights_here(), HOST.value, PORT.value, MAX_MEGAPIXELS.value)


def weights_here() -> list[str]:
    """The weights of the package, and the run folders in runs/, where training puts them."""
    from srn_tf.weights.run_folder import checkpoint_folder, checkpoint_steps

    folders = sorted(path.parent for path in Path("runs").glob("*/config.json"))
    return [STARTER, *(str(f) for f in folders if checkpoint_steps(checkpoint_folder(f)))]


script = partial(run, main)  # srn-web

if __name__ == "__main__":
    script()
