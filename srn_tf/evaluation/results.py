"""The files an evaluation leaves.

results.csv    image, sequence, the metrics, seconds; one row per image, the last row is the mean
baseline.csv   the same for the blurred images themselves
sequences.md   the table that is also printed: means per sequence
summary.json   all means, and what was evaluated on what; of a run also on what its checkpoint was
               selected ("selected_on": "nothing" for the latest), and of the best how many of those
               images are among the scored ("selected_on_and_scored": 0 is as it should be)

In the rows of means, `sequence` tells what they are means of. `seconds` is the time of the network
for one image, empty where the predictions were made elsewhere. An image that equals the truth has
an infinite PSNR ("inf" in the tables, null in JSON): it is named, and a mean is over the others.
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import math
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import InputError, named
from srn_tf.common.files import read_text, write_json, write_text
from srn_tf.evaluation.benchmarks import Benchmark

RESULTS, BASELINE, SEQUENCES, SUMMARY = FILES = (
    "results.csv",
    "baseline.csv",
    "sequences.md",
    "summary.json",
)
TITLES = {
    "psnr": "PSNR (dB)",
    "ssim_matlab": "SSIM (MATLAB)",
    "ssim": "SSIM (per channel)",
    "mssim": "MSSIM",
    "aligned": "aligned",
    "seconds": "s/image",
}


class Row(NamedTuple):
    """One image: the metrics of its prediction and of the blurred image, the network's seconds."""

    image: str
    sequence: str
    scores: Sequence[float]
    baseline: Sequence[float]
    seconds: float | None


def write_results(output: Path, benchmark: Benchmark, rows: list[Row], about: dict) -> dict:
    """Writes all four files into `output` and prints the table.

    Args:
      output: folder.
      benchmark: what the rows belong to.
      rows: one for each image, in the order of the benchmark.
      about: JSON types that tell what made the predictions, and on which device.

    Returns:
      The content of summary.json.
    """
    sequences = {
        name: _means(benchmark, [row for row in rows if row.sequence == name])
        for name in dict.fromkeys(row.sequence for row in rows)
    }
    everything = _means(benchmark, rows)
    summary = {
        **benchmark.about,
        **about,
        **everything,
        "sequences": sequences,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": importlib.metadata.version("tensorflow"),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }
    _write_csv(output / RESULTS, benchmark, rows)
    blurred = [row._replace(scores=row.baseline, seconds=None) for row in rows]
    _write_csv(output / BASELINE, benchmark, blurred)
    text = "\n".join(
        [
            _sequence_table(benchmark, {**sequences, "mean": everything}),
            "",
            *_remarks(everything),
            *filter(None, [benchmark.published]),
            "; ".join(f"{key}: {value}" for key, value in {**benchmark.about, **about}.items()),
        ]
    )
    write_text(output / SEQUENCES, f"{text}\n")
    write_json(output / SUMMARY, summary)
    print(f"{text}\n{output}: written")
    return summary


def read_summary(folder: str | Path) -> dict | None:
    """The content of summary.json in the folder of an evaluation; None when it has none.

    Raises:
      InputError: the file is not readable, or is no summary.
    """
    path = Path(folder) / SUMMARY
    if not path.exists():
        return None
    try:
        summary = json.loads(read_text(path))
        kinds = {"images": int, "mean": dict, "baseline": dict, "sequences": dict, "data_dir": str}
        for field, kind in kinds.items():
            if not isinstance(summary[field], kind):
                raise TypeError(f"{field} is {summary[field]!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error!r}): evaluate again") from None
    return summary


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that also reads well as text; the first column is left-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths))
        )
        return f"| {' | '.join([first, *others])} |"

    rule = [("-" * width if i == 0 else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def finite_mean(values: Iterable[float]) -> tuple[float | None, int]:
    """The mean of the finite values, None where there are none, and how many they are.

    The PSNR of an image that equals the truth is infinite.
    """
    finite = [value for value in values if math.isfinite(value)]
    return (float(np.mean(finite)) if finite else None), len(finite)


def number(metric: str, value: float | None) -> str:
    """A score or time as tables print it, "-" for None."""
    if value is None:
        return "-"
    return f"{value:.2f}" if metric in ("psnr", "seconds") else f"{value:.4f}"


def _means(benchmark: Benchmark, rows: list[Row]) -> dict:
    """Means over the finite scores, and which images equal the truth."""
    means = {"images": len(rows)}
    for key, kind in (("mean", "scores"), ("baseline", "baseline")):
        columns = zip(*(getattr(row, kind) for row in rows))
        means[key] = {name: finite_mean(v)[0] for name, v in zip(benchmark.metrics, columns)}
        equal = [row.image for row in rows if math.inf in getattr(row, kind)]
        means["identical" if key == "mean" else "identical_blurred"] = equal
    seconds = [row.seconds for row in rows]
    means["mean"]["seconds"] = None if None in seconds else float(np.mean(seconds))
    return means


def _remarks(means: dict) -> list[str]:
    """What is to be said of infinite scores."""
    remarks = []
    for key, kind in (("identical", "predictions"), ("identical_blurred", "blurred images")):
        if means[key]:
            finite = means["images"] - len(means[key])
            remarks.append(
                f"{len(means[key])} {kind} equal the truth ({named(means[key])}): the mean PSNR is "
                f"that of the other {finite} of {means['images']}"
            )
    return remarks


def _write_csv(path: Path, benchmark: Benchmark, rows: list[Row]) -> None:
    means = _means(benchmark, rows)
    scored = f"{benchmark.tag}, {len(rows)} images"
    if means["identical"]:
        scored += f", PSNR of {len(rows) - len(means['identical'])}"
    mean = Row("mean", scored, list(means["mean"].values())[:-1], (), means["mean"]["seconds"])
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["image", "sequence", *benchmark.metrics, "seconds"])
    for row in [*rows, mean]:
        values = [*row.scores, row.seconds]
        numbers = ["" if value is None else f"{value:.6f}" for value in values]
        table.writerow([row.image, row.sequence, *numbers])
    write_text(path, text.getvalue())


def _sequence_table(benchmark: Benchmark, means: dict[str, dict]) -> str:
    header = ["sequence", "images"]
    header += [TITLES[name] for name in (*benchmark.metrics, "seconds")]
    header += [f"blurred {TITLES[name]}" for name in benchmark.metrics]
    rows = []
    for sequence, group in means.items():
        row = [sequence or "(none)", str(group["images"])]
        row += [number(name, group["mean"][name]) for name in (*benchmark.metrics, "seconds")]
        row += [number(name, group["baseline"][name]) for name in benchmark.metrics]
        rows.append(row)
    return markdown_table(header, rows)
