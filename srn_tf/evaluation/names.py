"""The benchmarks by name; what takes long to import is imported when one is opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from srn_tf.common.errors import InputError

if TYPE_CHECKING:
    from srn_tf.evaluation.benchmarks import Benchmark

BENCHMARKS = {
    "gopro": "pairs in any layout, PSNR and two SSIMs",
    "kohler": "the 48 images under their own protocol",
    "hide": "2025 photographs of people, scored like gopro",
    "realblur_j": "980 photographs, registered before scoring",
    "realblur_r": "the same, made from raw files",
    "reds": "300 frames of videos, scored like gopro",
}


def check_arguments(name: str, split: str | None, blur_subset: str | None) -> None:
    """Raises the InputError of `open_benchmark` for arguments of pairs alone, before all else."""
    if name != "gopro" and (split or blur_subset):
        raise InputError(f"--split and --blur_subset do not go with --benchmark={name}")


def open_benchmark(
    name: str, data_dir: str | os.PathLike, split: str | None = None, blur_subset: str | None = None
) -> Benchmark:
    """The benchmark of a name in `data_dir`.

    Args:
      name: a key of `BENCHMARKS`.
      data_dir: folder, or list file, of the data.
      split: "train" or "test", only for "gopro"; None means "test".
      blur_subset: "blur" or "blur_gamma", only for "gopro"; None means "blur".

    Raises:
      InputError: files are missing, or an argument does not go with the benchmark.
    """
    check_arguments(name, split, blur_subset)
    if name == "gopro":
        from srn_tf.evaluation.benchmarks import PairedBenchmark

        return PairedBenchmark(data_dir, split or "test", blur_subset or "blur")
    if name == "kohler":
        from srn_tf.evaluation.kohler import KohlerBenchmark

        return KohlerBenchmark(data_dir)
    if name == "hide":
        from srn_tf.evaluation.hide import HideBenchmark

        return HideBenchmark(data_dir)
    if name == "reds":
        from srn_tf.evaluation.reds import RedsBenchmark

        return RedsBenchmark(data_dir)
    from srn_tf.evaluation.realblur import RealBlurBenchmark

    return RealBlurBenchmark(data_dir, name.removeprefix("realblur_").upper())
