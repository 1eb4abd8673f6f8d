"""What the machine offers: memory for large images, fast arithmetic in bfloat16."""

from __future__ import annotations

import os
from pathlib import Path

import tensorflow as tf

PRECISIONS = ("auto", "float32", "bfloat16")
_FAST_IN_BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # as /proc/cpuinfo calls them
_AMPERE = (8, 0)  # the compute capability of the first GPUs with bfloat16
# Where a limit and what is used of it are said, in version 2 and version 1 of control groups.
_CGROUPS = (("", "max", "current"), ("/memory", "limit_in_bytes", "usage_in_bytes"))


def choose_precision(precision: str) -> str:
    """float32 or bfloat16; "auto" takes bfloat16 where the GPU or the processor computes in it.

    Elsewhere it is emulated, ten times as slow as float32.
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capabilities = [
            tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
            for gpu in gpus
        ]
        return "bfloat16" if min(capabilities) >= _AMPERE else "float32"
    return "bfloat16" if _FAST_IN_BFLOAT16 & set(_read("/proc/cpuinfo").split()) else "float32"


def available_memory(root: str = "/") -> int:
    """Bytes that may still be taken, within the limits that a container or a job has.

    Where there is no /proc/meminfo: half of the machine's memory, or 4 GB.
    """
    meminfo = _fields(f"{root}proc/meminfo")
    if "MemAvailable:" not in meminfo:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        except (AttributeError, ValueError):  # Windows
            return 4 * 2**30
    free = [meminfo["MemAvailable:"] * 1024]
    for line in _read(f"{root}proc/self/cgroup").splitlines():
        group = Path(line.split(":", 2)[2])
        for folder in (group, *group.parents):  # the limits of all of them hold
            for base, limit, used in _CGROUPS:
                here = f"{root}sys/fs/cgroup{base}{folder}/memory."
                values = [_read(here + limit).strip(), _read(here + used).strip()]
                if all(map(str.isdigit, values)):
                    cached = _fields(here + "stat").get("inactive_file", 0)
                    free.append(int(values[0]) - int(values[1]) + cached)
    return max(min(free), 0)


def _fields(path: str) -> dict[str, int]:
    """Lines of a name and a number."""
    words = (line.split() for line in _read(path).splitlines())
    return {name: int(number) for name, number, *_ in words}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
