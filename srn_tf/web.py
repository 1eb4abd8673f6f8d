"""Shows a page in the browser on which photographs are dropped to be deblurred.

    python -m srn_tf.web

It is shown to this machine alone unless --host says otherwise, and asks no other host for anything.
What is dropped on it is removed when it is closed.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import number
from srn_tf.common.start import start_tensorflow
from srn_tf.weights.starter import STARTER


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is shown, and to whom.

    Weights:
      run_dir: Run folder with weights to choose from; may be given several times. Default: those of
        the package and of runs/.

    Page:
      host: Address to listen on. 0.0.0.0 shows the page to everybody who reaches this machine.
      port: Port to listen on.
      max_megapixels: Refuse larger photographs, in millions of pixels.
    """

    run_dir: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = number(7860, least=1, most=65535)
    max_megapixels: float = number(30.0, least=1e-6, most=1e6)


define_flags(Flags)


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
    flags = read_flags(Flags)
    for run_dir in flags.run_dir:
        read_config(run_dir)
    serve(flags.run_dir or weights_here(), flags.host, flags.port, flags.max_megapixels)


def weights_here() -> list[str]:
    """The weights of the package, and the run folders in runs/, where training puts them."""
    from srn_tf.weights.run_folder import checkpoint_folder, checkpoint_steps

    folders = sorted(path.parent for path in Path("runs").glob("*/config.json"))
    return [STARTER, *(str(f) for f in folders if checkpoint_steps(checkpoint_folder(f)))]


script = partial(run, main)  # srn-web

if __name__ == "__main__":
    script()
