"""Table 1 as text, numbers and picture, from run folders that were trained alike and evaluated."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from experiments.complexity import gflops
from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.evaluation.results import markdown_table, number, read_summary
from srn_tf.evaluation.scoring import run_output
from srn_tf.network.model import build_model
from srn_tf.network.variants import TABLE1, Variant, slug
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.identity import recorded_training
from srn_tf.weights.run_folder import CONFIG

BASE = "SR-EDRB3"
NOT_RUN = "not run"
# What may differ between runs of one table, and what the paper leaves open.
_FREE_FIELDS = ("variant", "data_dir")
_OPEN_FIELDS = (*_FREE_FIELDS, "blur_subset", "seed", "decay_steps")


class Row(NamedTuple):
    """One network; `summary` and `training` are None where it was not run."""

    variant: Variant
    parameters: int
    gflops: float
    summary: dict | None
    training: dict | None

    @property
    def psnr(self) -> float | None:
        """In dB, or None."""
        return self.summary and self.summary["mean"]["psnr"]

    @property
    def ssim(self) -> float | None:
        """MATLAB's, as in the paper, or None."""
        return self.summary and self.summary["mean"]["ssim_matlab"]


def read_rows(runs_dir: Path) -> list[Row]:
    """The ten networks of Table 1 with what `runs_dir` holds of them, a folder each.

    Raises:
      InputError: runs were trained with different configurations or scored on different images,
        or a file is unreadable.
    """
    rows = [
        Row(variant, *measure(variant), *_read_run(runs_dir / slug(variant.name)))
        for variant in TABLE1
    ]
    _check_alike([row for row in rows if row.summary])
    return rows


def measure(variant: Variant) -> tuple[int, float]:
    """Number of parameters, and GFLOPs of one 1280x720 image."""
    model = build_model(variant)
    return model.count_params(), gflops(model)


def _read_run(run_dir: Path) -> tuple[dict | None, dict | None]:
    """Summary of the evaluation and training configuration of a run that has both."""
    if not (run_dir / CONFIG).exists():
        return None, None
    training = recorded_training(run_dir)
    if training is None:
        raise InputError(f"{run_dir} was not trained: it holds imported weights")
    summary = read_summary(run_output(run_dir, f"test-{training['blur_subset']}"))
    return (summary, training) if summary else (None, None)


def _check_alike(rows: list[Row]) -> None:
    for row in rows[1:]:
        for field, value in rows[0].training.items():
            other = row.training[field]
            if field not in _FREE_FIELDS and other != value:
                raise InputError(
                    f"{rows[0].variant.name} was trained with {field} {value!r}, "
                    f"{row.variant.name} with {other!r}: they do not belong into one table"
                )
        first, here = (
            (scored.summary["images"], round(scored.summary["baseline"]["psnr"] or math.inf, 6))
            for scored in (rows[0], row)
        )
        if first != here:
            raise InputError(
                f"{rows[0].variant.name} and {row.variant.name} were scored on different test "
                f"images: {first[0]} of {first[1]} dB and {here[0]} of {here[1]} dB"
            )


def write_table(rows: list[Row], output: Path) -> str:
    """Writes table1.md, table1.csv and table1.png into `output`; returns the text."""
    text = f"{_table(rows)}\n\n{_caption(rows)}\n"
    with written_beside(output / "table1.md") as temporary:
        temporary.write_text(text)
    with (
        written_beside(output / "table1.csv") as temporary,
        temporary.open("w", newline="") as file,
    ):
        records = _records(rows)
        table = csv.DictWriter(file, records[0])
        table.writeheader()
        table.writerows(records)
    with written_beside(output / "table1.png") as temporary:
        _plot(rows).savefig(temporary, dpi=150)
    return text


def _difference(row: Row, rows: list[Row], metric: str) -> tuple[float | None, float]:
    """From SR-EDRB3: measured, and in the paper."""
    base = next(other for other in rows if other.variant.name == BASE)
    here, there = getattr(row, metric), getattr(base, metric)
    published = getattr(row.variant.published, metric) - getattr(base.variant.published, metric)
    return (None if here is None or there is None else here - there), published


def _table(rows: list[Row]) -> str:
    header = ["network", "parameters", "paper", "GFLOPs"]
    header += ["PSNR (dB)", "paper", f"minus {BASE}", "paper"]
    header += ["SSIM", "paper", f"minus {BASE}", "paper", "steps"]
    body = []
    for row in rows:
        published = row.variant.published
        cells = [row.variant.name, millions(row.parameters), published.parameters]
        cells.append(f"{row.gflops:.0f}")
        for metric, digits in (("psnr", 2), ("ssim", 4)):
            measured = getattr(row, metric)
            cells.append(NOT_RUN if measured is None else f"{measured:.{digits}f}")
            cells.append(f"{getattr(published, metric):.{digits}f}")
            for value in _difference(row, rows, metric):
                cells.append("-" if value is None else f"{value:+.{digits}f}")
        cells.append(str(row.summary["step"]) if row.summary else "-")
        body.append(cells)
    return markdown_table(header, body)


def _records(rows: list[Row]) -> list[dict]:
    records = []
    for row in rows:
        published, summary = row.variant.published, row.summary or {}
        record = {
            "network": row.variant.name,
            "parameters": row.parameters,
            "paper_parameters": published.parameters,
            "gflops": f"{row.gflops:.1f}",
        }
        for metric in ("psnr", "ssim"):
            measured, difference = getattr(row, metric), _difference(row, rows, metric)[0]
            record[metric] = NOT_RUN if measured is None else f"{measured:.6f}"
            record[f"paper_{metric}"] = getattr(published, metric)
            record[f"{metric}_minus_{BASE}"] = "" if difference is None else f"{difference:.6f}"
        for name in ("step", "images", "blur_subset", "data_dir", "device"):
            record[name] = summary.get(name, "")
        records.append(record)
    return records


def millions(parameters: int) -> str:
    """As in the paper: "3.76M"."""
    return f"{parameters / 1e6:.2f}M"


def _caption(rows: list[Row]) -> str:
    done = [row for row in rows if row.summary]
    explained = (
        "PSNR and SSIM (MATLAB's, as in the paper) are means over images. GFLOPs: convolutions of "
        "one 1280x720 image, a multiply-add counted as two."
    )
    missing = [row.variant.name for row in rows if not row.summary]
    not_run = f"Not run: {', '.join(missing)}. " if missing else ""
    if not done:
        return not_run + explained
    summary, training = done[0].summary, done[0].training
    blurred = number("psnr", summary["baseline"]["psnr"])
    devices = " and ".join(dict.fromkeys(row.summary["device"] for row in done))
    return (
        f"Table 1, {_steps(done)} (batch {training['batch_size']}, crop {training['crop_size']}, "
        f"seed {training['seed']}) on {_data(done)}; scored on {summary['images']} test "
        f"images ({summary['blur_subset']}), blurred: {blurred} dB, SSIM "
        f"{summary['baseline']['ssim_matlab']:.4f}; scored on {devices}. "
        f"{explained} {not_run}{reservation(training, min(row.summary['step'] for row in done))}"
    ).rstrip()


def _steps(done: list[Row]) -> str:
    steps = sorted({row.summary["step"] for row in done})
    if len(steps) == 1:
        return f"all networks trained for {steps[0]} steps"
    return f"networks trained for unequal numbers of steps, {steps[0]} to {steps[-1]}"


def _data(done: list[Row]) -> str:
    # Names alone: the same data lie elsewhere on another machine.
    return " and ".join(dict.fromkeys(Path(row.summary["data_dir"]).name for row in done))


def reservation(training: dict, step: int) -> str:
    """What keeps scores from being comparable with the paper's; empty where nothing does.

    Args:
      training: the configuration, as config.json has it.
      step: of the weights that were scored.
    """
    changed = [
        f"{field.name} {training[field.name]} (paper {field.default})"
        for field in dataclasses.fields(TrainingConfig)
        if field.name not in _OPEN_FIELDS and training[field.name] != field.default
    ]
    if changed:
        return (
            "**These are demonstration scores: they prove the protocol, not the ordering of the "
            f"networks.** The recipe is not the paper's: {', '.join(changed)}."
        )
    if step < training["decay_steps"]:
        return f"The schedule is not finished: {step} of {training['decay_steps']} steps."
    return ""


def _plot(rows: list[Row]) -> Figure:
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    axes = figure.subplots(1, 2)
    titles = {"psnr": "PSNR (dB)", "ssim": "SSIM (MATLAB)"}
    colours = [f"C{i}" for i in range(len(rows))]
    for axis, (metric, title) in zip(axes, titles.items()):
        for row, colour in zip(rows, colours):
            paper = (
                float(row.variant.published.parameters[:-1]),
                getattr(row.variant.published, metric),
            )
            axis.plot(*paper, "o", color=colour, fillstyle="none", markersize=9)
            measured = getattr(row, metric)
            point = ([], []) if measured is None else (row.parameters / 1e6, measured)
            label = row.variant.name + (f" ({NOT_RUN})" if measured is None else "")
            axis.plot(*point, "o", color=colour, markersize=9, label=label)
        baselines = [row.summary["baseline"] for row in rows if row.summary]
        if baselines:
            name = {"psnr": "psnr", "ssim": "ssim_matlab"}[metric]
            axis.axhline(baselines[0][name], color="gray", linestyle="--", label="blurred input")
        axis.set(xlabel="parameters (millions)", ylabel=title, title=f"{title} on the test set")
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    (hollow,) = axes[0].plot([], [], "o", color="black", fillstyle="none")
    (full,) = axes[0].plot([], [], "o", color="black")
    figure.legend(
        [full, hollow, *handles],
        ["full: measured here", "hollow: the paper, GoPro", *labels],
        loc="outside right upper",
    )
    return figure
