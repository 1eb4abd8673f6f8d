"""A GPU that the machine has and TensorFlow does not see: it is said, by every command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

UNSEEN = (
    "This machine has an NVIDIA GPU that TensorFlow does not see: computing on the CPU. "
    "pip install 'srn-tf[cuda]' brings its libraries; docs/gpu.md says more"
)


def is_hidden() -> bool:
    """Whether the user hides all GPUs from programs."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")


def has_nvidia_gpu() -> bool:
    """Whether the machine has an NVIDIA GPU with a driver, whatever TensorFlow makes of it."""
    if Path("/dev/nvidia0").exists():
        return True
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout
