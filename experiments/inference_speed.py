"""How fast a network is here, and in ONNX Runtime and OpenVINO, which run it as it is exported.

    python -m experiments.inference_speed

The engines take turns, and the median of each is reported, so that other load on the machine hits
all alike. ONNX Runtime and OpenVINO come with the extra `bench`.

Time: a minute.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import number
from srn_tf.common.progress import progress
from srn_tf.common.start import start_tensorflow


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is measured.

    Measurement:
      variant: Network.
      side: Height and width of the image in pixels.
      runs: Runs of each engine, of which the median counts.
    """

    variant: str = "SR-EDRB3"
    side: int = number(256, least=1, most=2**13)
    runs: int = number(5, least=1)


def main() -> None:
    """Prints the seconds that each engine takes for an image."""
    start_tensorflow()
    import tensorflow as tf

    from srn_tf.common.hardware import device_name

    flags = read_flags(Flags)
    image = np.random.default_rng(0).integers(0, 256, (flags.side, flags.side, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        engines, absent = _engines(flags.variant, folder)
        for engine in engines.values():
            engine(image)
        seconds = {name: [] for name in engines}
        for _ in progress(range(flags.runs), "measuring", unit="run"):
            for name, engine in engines.items():
                start = time.perf_counter()
                engine(image)
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    best = min(medians.values())
    size, machine = f"{flags.side}x{flags.side}", f"{device_name()}, TensorFlow {tf.__version__}"
    print(f"\n{flags.variant}, {size}, median of {flags.runs} runs, {machine}\n")
    print("| Engine | s | times the best |")
    print("|---|---:|---:|")
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / best:.2f} |")
    for line in absent:
        print(f"\n{line}")


def _engines(
    variant: str, folder: str
) -> tuple[dict[str, Callable[[np.ndarray], object]], list[str]]:
    """What deblurs an image, by name, and a line for each engine that cannot be tried."""
    import tensorflow as tf

    from srn_tf.common.hardware import choose_precision
    from srn_tf.exporting.graph import write_onnx
    from srn_tf.inference.deblurrer import Deblurrer
    from srn_tf.inference.graph import trace_deblurring
    from srn_tf.network.model import build_model

    model, random = build_model(variant), np.random.default_rng(0)
    for variable in model.variables:  # biases of zero might be left out
        if "bias" in variable.name:
            variable.assign(random.normal(0, 0.01, variable.shape))
    traced = trace_deblurring(model)
    engines = {
        "srn_tf, float32": Deblurrer(model, precision="float32"),
        "the same with variables": lambda image: traced(
            tf.constant(image[None] / np.float32(255))
        ).numpy(),
    }
    absent = []
    if choose_precision("auto") == "bfloat16":
        engines["srn_tf, bfloat16"] = Deblurrer(model, precision="bfloat16")
    else:
        absent.append("bfloat16: neither the processor nor a GPU computes in it")
    missing = [name for name in ("tf2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        absent.append(
            f"ONNX Runtime, OpenVINO: {missing[0]} is missing (pip install -e '.[bench]')"
        )
        return engines, absent
    run_onnx = write_onnx(model, folder)
    engines["ONNX Runtime"] = lambda image: run_onnx(image[None])
    if importlib.util.find_spec("openvino"):
        import openvino

        compiled = openvino.Core().compile_model(os.path.join(folder, "model.onnx"), "CPU")
        engines["OpenVINO"] = lambda image: compiled(image[None])
    else:
        absent.append("OpenVINO: not installed (pip install -e '.[bench]')")
    return engines, absent


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
