"""The page: what stands on it, and what happens when a photograph is dropped."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from srn_tf.common.errors import InputError, RunError
from srn_tf.serving.privacy import OnlyThisHost
from srn_tf.serving.visits import Visits
from srn_tf.serving.worker import Worker
from srn_tf.weights.starter import NOTE, STARTER

_TILES = [("automatic: about 1 GB of memory", 0), ("512", 512), ("256", 256), ("128", 128)]
_OVERLAPS = [("exact", -1), ("64", 64), ("32", 32), ("16", 16)]
_BYTES_PER_PIXEL = 8  # four channels of 16 bits, not compressed
_BYTES_BESIDE = 2**20  # metadata
_PROGRESS = gr.Progress()  # as a default value: this is how Gradio knows it

# Fonts of the reader's own machine: Gradio's themes load theirs from another host.
_THEME = gr.themes.Default(
    primary_hue="blue",
    font=("system-ui", "sans-serif"),
    font_mono=("ui-monospace", "monospace"),
)
_CSS = """
.gradio-container { width: 100%; max-width: 1200px !important; margin: auto; }
footer { display: none !important; }
.remark { border: 1px solid var(--border-color-primary) !important; padding: 0.6em 1em; }
.refusal { border-color: #c62828 !important; }
"""


def serve(worker: Worker, weights: list[str], host: str, port: int) -> None:
    """Shows the page until the process is interrupted; what visitors brought is then removed.

    Args:
      worker: does the work.
      weights: run folders or "starter", to choose from; the first one is chosen.
      host: address to bind to.
      port: port to bind to.

    Raises:
      RunError: the address cannot be bound to.
    """
    with tempfile.TemporaryDirectory(prefix="srn_tf-") as folder:
        # Gradio takes these from the environment. Its own start-up check must not go by a proxy.
        os.environ["GRADIO_TEMP_DIR"] = os.path.realpath(folder)
        os.environ["no_proxy"] = ",".join(filter(None, [os.environ.get("no_proxy"), host]))
        page = build_page(worker, weights, Visits(Path(os.path.realpath(folder))))
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
                max_file_size=int(worker.max_megapixels * 1e6 * _BYTES_PER_PIXEL) + _BYTES_BESIDE,
                app_kwargs={"middleware": [Middleware(OnlyThisHost)]},
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


def build_page(worker: Worker, weights: list[str], visits: Visits) -> gr.Blocks:
    """The page, not yet served."""
    with gr.Blocks(
        title="Deblur a photograph", theme=_THEME, css=_CSS, analytics_enabled=False
    ) as page:
        gr.Markdown(
            "# Deblur a photograph\n"
            "Camera shake and motion are taken back as far as the weights have learned it. "
            f"At most {worker.max_megapixels:g} megapixels; removed when you close the page."
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                photograph = gr.File(label="Photograph", height=150)
                run_dir = gr.Dropdown(
                    weights,
                    value=weights[0],
                    label="Weights",
                    info=NOTE if STARTER in weights else None,
                )
                with gr.Accordion("Tiles", open=False):
                    tile = gr.Dropdown(_TILES, value=0, label="Side in pixels")
                    halo = gr.Dropdown(
                        _OVERLAPS,
                        value=-1,
                        label="Overlap in pixels",
                        info="Less than exact is faster and may show seams.",
                    )
                again = gr.Button("Deblur", variant="primary")
            with gr.Column(scale=3):
                remark = gr.Markdown(visible=False)
                pictures = gr.ImageSlider(
                    label="Before | after",
                    interactive=False,
                    show_download_button=False,
                    height=520,
                    max_height=520,
                )
                download = gr.DownloadButton("Download PNG", interactive=False)

        outputs = [pictures, download, remark]

        def take(upload: str, request: gr.Request):
            try:
                return str(visits.take(request.session_hash, Path(upload)))
            except InputError as error:
                raise gr.Error(str(error)) from None

        def leave(request: gr.Request):
            visits.end(request.session_hash)

        def deblur(
            upload: str | None,
            run_dir: str,
            tile: int,
            halo: int,
            request: gr.Request,
            progress: gr.Progress = _PROGRESS,
        ):
            visit, path = request.session_hash, Path(upload or "")
            if not visits.holds(visit, path):
                return _refused("drop a photograph first")

            def report(share: float) -> None:
                if not visits.holds(visit, path):
                    raise RunError("the page was closed, or another photograph dropped")
                progress(share, desc="Deblurring")

            progress(0, desc="Reading")
            try:
                before, after, notes = worker.deblur(
                    path, run_dir, tile or None, None if halo < 0 else halo, report
                )
            except (InputError, RunError, OSError) as error:
                return _refused(str(error))
            finally:
                if not visits.is_open(visit):  # it ended in the last moment
                    shutil.rmtree(path.parent, ignore_errors=True)
            return (
                (str(before), str(after)),
                gr.update(value=str(after), interactive=True),
                gr.update(value="\n\n".join(notes), visible=bool(notes), elem_classes=["remark"]),
            )

        inputs = [photograph, run_dir, tile, halo]
        job = {
            "concurrency_id": "deblur",
            "concurrency_limit": 1,
            "trigger_mode": "always_last",
            "api_name": False,
        }
        taken = photograph.upload(take, photograph, photograph, queue=False, api_name=False)
        taken.success(deblur, inputs, outputs, **job)
        again.click(deblur, inputs, outputs, **job)
        page.unload(leave)
    return page


def _refused(line: str) -> tuple:
    """The outputs of a job that has no pictures."""
    return (
        None,
        gr.update(value=None, interactive=False),
        gr.update(value=line, visible=True, elem_classes=["remark", "refusal"]),
    )
