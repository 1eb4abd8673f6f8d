"""How fast the parts are on this machine.

    python -m experiments.benchmark inference
    python -m experiments.benchmark scaling
    python -m experiments.benchmark data
    python -m experiments.benchmark training

`inference` compares a network in this package with ONNX Runtime and OpenVINO, which run the same
network as it is exported (extra `bench`; a minute). `scaling` measures time and memory per
megapixel from 0.25 to 24 megapixels and draws them (half an hour). `data` measures the training
data's sources (3 minutes), `training` options of the training step (10 minutes). Everything
compared takes turns, and the median of each is reported, so that other load on the machine hits all
alike. "Per core" counts pairs per second of processor time, "waiting" is the share of its time that
a training step of SR-EDRB3 (batch 2, crops of 128) waits for its batch.
"""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define

_NETWORK, _DATA, _LENGTH = "Network", "Data", "Length"
VARIANT = define(
    "variant", str, "SR-EDRB3", "Network of `inference` and `scaling`.", group=_NETWORK
)
SIDE = define(
    "side",
    int,
    256,
    "Height and width of the image of `inference` in pixels.",
    group=_NETWORK,
    least=1,
    most=2**13,
)
LARGEST = define(
    "largest",
    float,
    24.0,
    "Largest image of `scaling` in megapixels.",
    group=_NETWORK,
    above=0,
    most=400,
)
OUTPUT = define("output", Path, "scaling.png", "Picture of `scaling`.", group=_NETWORK)
PAIRS = define("pairs", int, 50, "Number of 1280x720 PNG pairs.", group=_DATA, least=1, most=10**5)
BATCH_SIZE = define(
    "batch_size",
    int,
    None,
    "Pairs per batch. Default: 16; for `training`, where float16 is slow on CPUs, 2.",
    group=_DATA,
    least=1,
    most=2**16,
)
CROP_SIZE = define(
    "crop_size",
    int,
    None,
    "Side of the crops in pixels. Default: 256; for `training` 32.",
    group=_DATA,
    least=16,
    most=720,
)
RUNS = define(
    "runs",
    int,
    5,
    "Runs of whatever is compared, of which the median counts.",
    group=_LENGTH,
    least=1,
    most=10**4,
)
SECONDS = define("seconds", float, 3.0, "Least length of a run.", group=_LENGTH, above=0, most=3600)
STEPS = define(
    "steps",
    int,
    5,
    "Training steps of a run, of which the first is left out.",
    group=_LENGTH,
    least=2,
    most=10**6,
)


def main(what: str) -> None:
    """Runs the benchmark of that name."""
    from experiments import inference_speed, speed

    if what == "inference":
        inference_speed.benchmark_inference(VARIANT.value, SIDE.value, RUNS.value)
    elif what == "scaling":
        output = Path(OUTPUT.value)
        inference_speed.benchmark_scaling(VARIANT.value, LARGEST.value, RUNS.value, output)
    elif what == "data":
        batch_size, crop_size = BATCH_SIZE.value or 16, CROP_SIZE.value or 256
        speed.benchmark_data(
            PAIRS.value, batch_size, crop_size, RUNS.value, SECONDS.value, STEPS.value
        )
    else:
        batch_size, crop_size = BATCH_SIZE.value or 2, CROP_SIZE.value or 32
        speed.benchmark_training(batch_size, crop_size, RUNS.value, STEPS.value)


if __name__ == "__main__":
    run(main, choices=("inference", "scaling", "data", "training"))
