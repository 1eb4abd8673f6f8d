"""The page: what stands on it, and what happens when a photograph is dropped.

It asks no other host for anything: what is dropped on it stays between two machines. Gradio's page
names servers of fonts and scripts; `only_this_host` takes them out and forbids the rest. What a
visitor brings and gets lies in one folder, which is removed when the page is left.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import remove
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.files import deblur_image
from srn_tf.media.images import SUFFIXES, read_photograph, write_image
from srn_tf.weights.starter import NOTE, STARTER

_BYTES_PER_PIXEL = 8  # four channels of 16 bits, not compressed
_BYTES_BESIDE = 2**20  # metadata
_PROGRESS = gr.Progress()  # as a default value: this is how Gradio knows it
# Fonts of the reader's own machine: Gradio's themes load theirs from another host.
_THEME = gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("monospace",))
_CSS = ".gradio-container { max-width: 1200px !important; } footer { display: none !important; }"

# The browser refuses what comes from elsewhere, whichever script asks for it.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
# But it connects to the host of a preconnect link whatever the policy says.
_FOREIGN = re.compile(rb"<(link|script)\b[^>]*[\"']https?://[^>]*>(\s*</script>)?")


async def only_this_host(request, call_next) -> Response:
    """Middleware that keeps a page to the host it came from."""
    response = await call_next(request)
    if response.headers.get("content-type", "").startswith("text/html"):
        body = b"".join([chunk async for chunk in response.body_iterator])
        response = Response(_FOREIGN.sub(b"", body), response.status_code, media_type="text/html")
    response.headers["content-security-policy"] = POLICY
    return response


def serve(run_dirs: list[str], host: str, port: int, max_megapixels: float) -> None:
    """Shows the page until the process is interrupted; what visitors brought is then removed.

    Args:
      run_dirs: run folders or "starter", to choose from; the first one is chosen, and loaded.
      host: address to bind to.
      port: port to bind to.
      max_megapixels: refuse larger photographs, in millions of pixels.

    Raises:
      InputError: the first one is no run folder.
      RunError: the address cannot be bound to.
    """
    with tempfile.TemporaryDirectory(prefix="srn_tf-") as folder:
        folder = os.path.realpath(folder)
        # Gradio takes these from the environment. Its own start-up check must not go by a proxy.
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["no_proxy"] = ",".join(filter(None, [os.environ.get("no_proxy"), host]))
        page = build_page(Path(folder), run_dirs, max_megapixels)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                share=False,
                ssr_mode=False,
                enable_monitoring=False,
                show_api=False,
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=int(max_megapixels * 1e6 * _BYTES_PER_PIXEL) + _BYTES_BESIDE,
                app_kwargs={"middleware": [Middleware(BaseHTTPMiddleware, only_this_host)]},
            )
        except OSError:
            raise RunError(
                f"{host}:{port} cannot be bound to: choose another --port or --host"
            ) from None
        print(f"{page.local_url} shows the page; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("the page is closed")
        finally:
            page.close(verbose=False)


def build_page(folder: Path, run_dirs: list[str], max_megapixels: float) -> gr.Blocks:
    """The page, not yet served; each visitor gets a folder in `folder`."""
    load = functools.lru_cache(maxsize=4)(Deblurrer.from_run_dir)
    load(run_dirs[0])
    with gr.Blocks(
        title="Deblur a photograph", theme=_THEME, css=_CSS, analytics_enabled=False
    ) as page:
        gr.Markdown(
            "# Deblur a photograph\n"
            "Takes back camera shake and motion as far as the weights have learned it. "
            f"At most {max_megapixels:g} megapixels; removed when you close the page."
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                photograph = gr.File(label="Photograph", file_types=list(SUFFIXES), height=150)
                info = NOTE if STARTER in run_dirs else None
                run_dir = gr.Dropdown(run_dirs, value=run_dirs[0], label="Weights", info=info)
                again = gr.Button("Deblur", variant="primary")
            with gr.Column(scale=3):
                remark = gr.Markdown(visible=False, container=True)
                pictures = gr.ImageSlider(
                    label="Before | after",
                    interactive=False,
                    show_download_button=False,
                    height=520,
                    max_height=520,
                )
                download = gr.DownloadButton("Download PNG", interactive=False)

        def leave(request: gr.Request) -> None:
            remove(folder / request.session_hash)

        def take(upload: str, request: gr.Request) -> str:
            # Gradio keeps uploads of equal content under one path, whoever sends them.
            leave(request)
            taken = folder / request.session_hash / Path(upload).name
            taken.parent.mkdir()
            os.replace(upload, taken)
            with contextlib.suppress(OSError):  # not empty: other names of equal content
                os.rmdir(Path(upload).parent)
            return str(taken)

        def deblur(upload: str | None, run_dir: str, progress: gr.Progress = _PROGRESS):
            if not upload:
                raise gr.Error("Drop a photograph first")
            path = Path(upload)

            def report(share: float) -> None:
                if not path.exists():
                    raise RunError("the page was closed, or another photograph dropped")
                progress(share, desc="Deblurring")

            try:
                report(0)
                before, after, notes = write_pictures(load(run_dir), path, max_megapixels, report)
            except (InputError, RunError, OSError) as error:
                # A visitor knows the name of the photograph, not where it is kept.
                line = str(error).replace(f"{path.parent}{os.sep}", "")
                nothing = gr.update(value=None, interactive=False)
                return None, nothing, gr.update(value=line, visible=True)
            return (
                (str(before), str(after)),
                gr.update(value=str(after), interactive=True),
                gr.update(value="\n\n".join(notes), visible=bool(notes)),
            )

        job = {
            "inputs": [photograph, run_dir],
            "outputs": [pictures, download, remark],
            "concurrency_id": "deblur",
            "concurrency_limit": 1,
            "trigger_mode": "always_last",
            "api_name": False,
        }
        taken = photograph.upload(take, photograph, photograph, queue=False, api_name=False)
        taken.success(deblur, **job)
        again.click(deblur, **job)
        page.unload(leave)
    return page


def write_pictures(
    deblurrer: Deblurrer, path: Path, max_megapixels: float, report: Callable[[float], None]
) -> tuple[Path, Path, tuple[str, ...]]:
    """Writes a photograph and what is made of it as PNGs into a new folder beside it.

    The folder is new as a browser keeps what it has shown by name; the one before it is removed.

    Args:
      deblurrer: the network.
      path: the photograph, alone in its folder but for earlier results.
      max_megapixels: refuse larger photographs before decoding them; 1 is 1e6 pixels.
      report: called with the share that is done; what it raises ends the work.

    Returns:
      The photograph, the result, and what of the photograph they do not hold, a line each.

    Raises:
      InputError: the photograph is unreadable or too large.
      RunError: out of memory, or the network's output is not finite.
    """
    image, metadata = read_photograph(path, max_megapixels)
    deblurred = deblur_image(functools.partial(deblurrer, on_progress=report), image)
    report(1.0)
    for older in path.parent.glob("result-*"):
        remove(older)
    folder = Path(tempfile.mkdtemp(prefix="result-", dir=path.parent))
    before, after = (folder / f"{path.stem}_{name}.png" for name in ("before", "deblurred"))
    write_image(before, image, metadata)
    return before, after, write_image(after, deblurred, metadata)
