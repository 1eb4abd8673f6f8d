"""The files an evaluation leaves.

results.csv    image, sequence, the metrics, seconds; one row per image, the last row is the mean
baseline.csv   the same for the blurred images themselves
sequences.md   the table that is also printed: means per sequence
summary.json   all means, and what was evaluated on what; of a run also on what its checkpoint was
               selected ("selected_on": "nothing" for the latest), and of the best how many of those
               images are among the scored ("selected_on_and_scored": 0 is as it should be)

In the rows of means, `sequence` tells what they are means of. `seconds` is the time of the network
for one image, while other threads score the images before it; it is empty where the prediction was
made elsewhere or by an earlier, interrupted call, and the mean is over the others. An image that
equals the truth has an infinite PSNR ("inf" in the tables, null in JSON): it is named, and a mean
is over the others.
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import math
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import named
from srn_tf.common.files import read_json, write_json, write_text
from srn_tf.evaluation.protocol import TestData

FILES = ("results.csv", "baseline.csv", "sequences.md", "summary.json")
RESULTS, BASELINE, SEQUENCES, SUMMARY = FILES
TITLES = {
    "psnr": "PSNR (dB)",
    "ssim_matlab": "SSIM (MATLAB)",
    "ssim": "SSIM (per channel)",
    "mssim": "MSSIM",
    "aligned": "aligned",
    "seconds": "s/image",
}


class ImageScores(NamedTuple):
    """One image: the metrics of its prediction and of the blurred image, the network's seconds."""

    image: str
    sequence: str
    scores: Sequence[float]
    baseline: Sequence[float]
    seconds: float | None


def write_results(output: Path, data: TestData, rows: list[ImageScores], about: dict) -> dict:
    """Writes all four files into `output` and prints the table.

    Args:
      output: folder.
      data: what the rows belong to.
      rows: one for each image, in the order of the data.
      about: JSON types that tell what made the predictions, and on which device.

    Returns:
      The content of summary.json, which is written last.
    """
    metrics = data.test_set.metrics
    sequences = {
        name: _means(metrics, [row for row in rows if row.sequence == name])
        for name in dict.fromkeys(row.sequence for row in rows)
    }
    means = _means(metrics, rows)
    about = {**data.about, **about}
    versions = {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("tensorflow", "numpy")},
        "opencv": cv2.__version__,
    }
    summary = {**about, **means, "sequences": sequences, "versions": versions}
    remarks = []
    for key, kind in (("identical", "predictions"), ("identical_blurred", "blurred images")):
        if means[key]:
            remarks.append(
                f"{len(means[key])} {kind} equal the truth ({named(means[key])}): the mean PSNR is "
                f"that of the other {len(rows) - len(means[key])} of {len(rows)}"
            )
    table = _sequence_table(metrics, {**sequences, "mean": means})
    said = "; ".join(f"{key}: {value}" for key, value in about.items())
    text = "\n".join([table, "", *remarks, *filter(None, [data.test_set.published]), said])
    blurred = [row._replace(scores=row.baseline, seconds=None) for row in rows]
    for name, part in ((RESULTS, rows), (BASELINE, blurred)):
        write_text(output / name, _csv(data, part))
    write_text(output / SEQUENCES, f"{text}\n")
    write_json(output / SUMMARY, summary)
    print(f"{text}\n{output}: written")
    return summary


def read_summary(folder: str | Path) -> dict | None:
    """The content of summary.json in the folder of an evaluation; None when it has none."""
    path = Path(folder) / SUMMARY
    return read_json(path) if path.exists() else None


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


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """The text of a CSV file of these rows."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def finite_mean(values: Iterable[float]) -> tuple[float | None, int]:
    """The mean of the finite values, None where there are none, and how many they are.

    The PSNR of an image that equals the truth is infinite.
    """
    finite = [value for value in values if math.isfinite(value)]
    return (float(np.mean(finite)) if finite else None), len(finite)


def rounded(metric: str, value: float | None) -> str:
    """A score or time as tables print it, "-" for None."""
    if value is None:
        return "-"
    return f"{value:.2f}" if metric in ("psnr", "seconds") else f"{value:.4f}"


def _means(metrics: Sequence[str], rows: list[ImageScores]) -> dict:
    """Means over the finite scores and known times, and which images equal the truth."""
    means = {"images": len(rows)}
    for key, kind in (("mean", "scores"), ("baseline", "baseline")):
        columns = zip(*(getattr(row, kind) for row in rows))
        means[key] = {name: finite_mean(column)[0] for name, column in zip(metrics, columns)}
        equal = [row.image for row in rows if math.inf in getattr(row, kind)]
        means["identical" if key == "mean" else "identical_blurred"] = equal
    seconds = [row.seconds for row in rows if row.seconds is not None]
    means["mean"]["seconds"] = float(np.mean(seconds)) if seconds else None
    return means


def _csv(data: TestData, rows: list[ImageScores]) -> str:
    metrics = data.test_set.metrics
    means = _means(metrics, rows)
    scored = f"{data.tag}, {len(rows)} images"
    if means["identical"]:
        scored += f", PSNR of {len(rows) - len(means['identical'])}"
    table = [["image", "sequence", *metrics, "seconds"]]
    for name, sequence, *values in (
        *((row.image, row.sequence, *row.scores, row.seconds) for row in rows),
        ("mean", scored, *means["mean"].values()),
    ):
        table.append([name, sequence, *("" if v is None else f"{v:.6f}" for v in values)])
    return csv_text(table)


def _sequence_table(metrics: Sequence[str], means: dict[str, dict]) -> str:
    header = ["sequence", "images", *(TITLES[name] for name in (*metrics, "seconds"))]
    header += [f"blurred {TITLES[name]}" for name in metrics]
    rows = []
    for sequence, group in means.items():
        row = [sequence or "(none)", str(group["images"])]
        row += [rounded(name, group["mean"][name]) for name in (*metrics, "seconds")]
        row += [rounded(name, group["baseline"][name]) for name in metrics]
        rows.append(row)
    return markdown_table(header, rows)
