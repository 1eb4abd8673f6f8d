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

import dataclasses
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, number


@dataclasses.dataclass(frozen=True)
class Flags:
    """How much is measured.

    Network:
      variant: Network of `inference` and `scaling`.
      side: Height and width of the image of `inference` in pixels.
      largest: Largest image of `scaling` in megapixels.
      output: Picture of `scaling`.

    Data:
      pairs: Number of 1280x720 PNG pairs.
      batch_size: Pairs per batch. Default: 16; for `training`, where float16 is slow on CPUs, 2.
      crop_size: Side of the crops in pixels. Default: 256; for `training` 32.

    Length:
      runs: Runs of whatever is compared, of which the median counts.
      seconds: Least length of a run.
      steps: Training steps of a run, of which the first is left out.
    """

    variant: str = "SR-EDRB3"
    side: int = number(256, least=1, most=2**13)
    largest: float = number(24.0, least=0.01, most=400)
    output: PathText = "scaling.png"
    pairs: int = number(50, least=1)
    batch_size: int | None = number(None, least=1, most=2**16)
    crop_size: int | None = number(None, least=16, most=720)
    runs: int = number(5, least=1)
    seconds: float = number(3.0, least=1e-3, most=3600)
    steps: int = number(5, least=2)


def main(what: str) -> None:
    """Runs the benchmark of that name."""
    from experiments import inference_speed, speed

    flags = read_flags(Flags)
    if what == "inference":
        inference_speed.benchmark_inference(flags.variant, flags.side, flags.runs)
    elif what == "scaling":
        output = Path(flags.output)
        inference_speed.benchmark_scaling(flags.variant, flags.largest, flags.runs, output)
    elif what == "data":
        batch_size, crop_size = flags.batch_size or 16, flags.crop_size or 256
        speed.benchmark_data(
            flags.pairs, batch_size, crop_size, flags.runs, flags.seconds, flags.steps
        )
    else:
        batch_size, crop_size = flags.batch_size or 2, flags.crop_size or 32
        speed.benchmark_training(batch_size, crop_size, flags.runs, flags.steps)


if __name__ == "__main__":
    define_flags(Flags)
    run(main, choices=("inference", "scaling", "data", "training"))
