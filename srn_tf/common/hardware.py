"""What the machine offers: memory for large images, fast arithmetic in bfloat16."""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path

import tensorflow as tf

PRECISIONS = ("auto", "float32", "bfloat16")
_FAST_IN_BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # as /proc/cpuinfo calls them
_VECTORS = ("avx512_bf16", "avx512f", "avx2")
_AMPERE = (8, 0)  # the compute capability of the first GPUs with bfloat16
# Where a limit and what is used of it are said, in version 2 and version 1 of control groups.
_CGROUPS = (("", "max", "current"), ("/memory", "limit_in_bytes", "usage_in_bytes"))


def choose_precision(precision: str) -> str:
    """float32 or bfloat16; "auto" takes bfloat16 where the machine computes in it."""
    if precision != "auto":
        return precision
    return "bfloat16" if computes_in("bfloat16") else "float32"


@functools.lru_cache
def computes_in(dtype: str) -> bool:
    """Whether the GPUs, or without any the processor, compute in "float16" or "bfloat16".

    Elsewhere TensorFlow emulates them, more than ten times as slow as float32, and adds up long
    sums in 16 bits.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = map(tf.config.experimental.get_device_details, gpus)
        capabilities = [each.get("compute_capability", (0, 0)) for each in details]
        return dtype == "float16" or min(capabilities) >= _AMPERE
    return dtype == "bfloat16" and bool(_FAST_IN_BFLOAT16 & set(_read("/proc/cpuinfo").split()))


def device_name() -> str:
    """The model of the GPU, or that of the processor, its widest vectors and number of cores."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    cpuinfo = _read("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.*)", cpuinfo)
    model = named[1] if named else platform.processor() or platform.machine()
    vectors = [name for name in _VECTORS if name in cpuinfo.split()][:1]
    return f"{' '.join([model, *vectors])}, {os.cpu_count()} cores"


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
