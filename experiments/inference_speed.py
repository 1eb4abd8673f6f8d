"""How fast a trained network deblurs: `inference` and `scaling` of `experiments.benchmark`."""

from __future__ import annotations

import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from srn_tf.common.hardware import choose_precision, device_name
from srn_tf.common.progress import progress
from srn_tf.exporting.graph import write_onnx
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.graph import trace_deblurring
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import get_variant

_MEGAPIXELS = (0.25, 1, 2, 4, 8, 12, 24)
_KEPT = Path("/proc/self")  # where Linux tells how much memory a process takes


def benchmark_inference(variant: str, side: int, runs: int) -> None:
    """Prints the seconds that each way of running the same network takes for an image.

    Args:
      variant: its name.
      side: height and width of the image in pixels.
      runs: runs of each, of which the median counts; they take turns.
    """
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        ways, absent = _ways(_model(variant), folder)
        for way in ways.values():
            way(image)
        seconds = {name: [] for name in ways}
        for _ in progress(range(runs), "measuring", unit="run"):
            for name, way in ways.items():
                seconds[name].append(_timed(way, image))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    best = min(medians.values())
    print(f"\n{variant}, {side}x{side}, median of {runs} runs, {machine()}\n")
    print("| Engine | s | times the best |")
    print("|---|---:|---:|")
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / best:.2f} |")
    for line in absent:
        print(f"\n{line}")


def _ways(
    model: ScaleRecurrentNet, folder: str
) -> tuple[dict[str, Callable[[np.ndarray], object]], list[str]]:
    """What deblurs an image, by name, and a line for each that cannot be tried."""
    traced = trace_deblurring(model)
    ways = {
        "srn_tf, float32": Deblurrer(model, precision="float32"),
        "the same with variables": lambda image: traced(
            tf.constant(image[None] / np.float32(255))
        ).numpy(),
    }
    absent = []
    if choose_precision("auto") == "bfloat16":
        ways["srn_tf, bfloat16"] = Deblurrer(model, precision="bfloat16")
    else:
        absent.append("bfloat16: neither the processor nor a GPU computes in it")
    missing = [name for name in ("tf2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        absent.append(
            f"ONNX Runtime, OpenVINO: {missing[0]} is missing (pip install -e '.[bench]')"
        )
        return ways, absent
    run_onnx = write_onnx(model, folder)
    ways["ONNX Runtime"] = lambda image: run_onnx(image[None])
    if importlib.util.find_spec("openvino"):
        import openvino

        compiled = openvino.Core().compile_model(os.path.join(folder, "model.onnx"), "CPU")
        ways["OpenVINO"] = lambda image: compiled(image[None])
    else:
        absent.append("OpenVINO: not installed (pip install -e '.[bench]')")
    return ways, absent


def benchmark_scaling(variant: str, largest: float, runs: int, output: Path) -> None:
    """Prints time and memory per megapixel of images of growing size, and draws them.

    Args:
      variant: name of the network.
      largest: megapixels of the largest image, 1 is 1e6 pixels.
      runs: runs of each size, of which the median counts; they take turns.
      output: a PNG.
    """
    deblurrer = Deblurrer(_model(variant), precision="float32")
    deblurrer(np.zeros((64, 64, 3), np.uint8))
    images = [_image(size) for size in _MEGAPIXELS if size <= largest]
    seconds, memory = [[] for _ in images], [0.0] * len(images)
    for _ in progress(range(runs), "measuring", unit="run"):
        for i, image in enumerate(images):
            before = _memory("VmRSS")
            _reset_peak()
            seconds[i].append(_timed(deblurrer, image))
            memory[i] = max(memory[i], _memory("VmHWM") - before)
    sizes = np.array([image[..., 0].size / 1e6 for image in images])
    medians = np.array([statistics.median(each) for each in seconds])
    print(f"\n{variant}, median of {runs} runs, {machine()}\n")
    print("| Megapixels | s | s per megapixel | GB | GB per megapixel |")
    print("|---:|---:|---:|---:|---:|")
    for size, second, gigabytes in zip(sizes, medians, memory):
        print(
            f"| {size:.2f} | {second:.1f} | {second / size:.2f} "
            f"| {gigabytes:.2f} | {gigabytes / size:.2f} |"
        )
    figure = Figure(figsize=(8, 3), layout="constrained")
    labels = ("seconds per megapixel", "GB per megapixel")
    for axes, values, label in zip(figure.subplots(1, 2), (medians, np.array(memory)), labels):
        axes.semilogx(sizes, values / sizes, "o-")
        axes.set(xlabel="megapixels", ylabel=label, ylim=(0, None))
    figure.suptitle(f"{variant}, {machine()}", fontsize=8)
    figure.savefig(output, dpi=120)
    print(f"\n{output}")


def machine() -> str:
    """The processor and the TensorFlow that something was measured with."""
    return f"{device_name()}, TensorFlow {tf.__version__}"


def _model(variant: str) -> ScaleRecurrentNet:
    """A network whose biases are not zero: those of a trained one are not left out either."""
    model, random = build_model(get_variant(variant)), np.random.default_rng(0)
    for variable in model.variables:
        if "bias" in variable.name:
            variable.assign(random.normal(0, 0.01, variable.shape))
    return model


def _image(megapixels: float) -> np.ndarray:
    """4 to 3, with sides that are multiples of 16."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 16) * 16
    height = round(megapixels * 1e6 / width / 16) * 16
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def _timed(function: Callable[[np.ndarray], object], image: np.ndarray) -> float:
    start = time.perf_counter()
    function(image)
    return time.perf_counter() - start


def _memory(name: str) -> float:
    """A line of /proc/self/status in GB: what the process takes, or took at most."""
    try:
        lines = (_KEPT / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e9


def _reset_peak() -> None:
    try:
        (_KEPT / "clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        print("the peak of memory cannot be set back here: it is that of all sizes so far")
