"""Starts TensorFlow without the messages that it prints whatever the log level."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

UNSEEN = (
    "This machine has an NVIDIA GPU that TensorFlow does not see: computing on the CPU. "
    "pip install 'srn-tf[cuda]' installs its libraries; docs/gpu.md says more"
)


def start_tensorflow() -> None:
    """Imports TensorFlow with stderr held back; warns of an NVIDIA GPU that it does not see.

    It prints there that libraries are registered twice and that there is no GPU. After an error,
    with an unseen GPU, and where TF_CPP_MIN_LOG_LEVEL asks for it, its messages are shown.
    """
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        unseen, shown = False, True
        try:
            import tensorflow as tf

            unseen = not tf.config.list_physical_devices("GPU") and _has_nvidia_gpu()
            shown = unseen or os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            if shown:
                os.write(2, held.read())
    if unseen:
        print(UNSEEN, file=sys.stderr)


def _has_nvidia_gpu() -> bool:
    """Whether there is one, and the user does not hide it from programs."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None
