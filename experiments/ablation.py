"""Table 1: trains the ten networks alike, scores each on the test split, and compares.

    python -m experiments.ablation --data_dir=.../GOPRO_Large
    python -m experiments.ablation --data_dir=data/demo --preset=demo

The first is the paper's recipe, the second `make ablation`. Result: OUTPUT/table1.md, table1.csv,
table1.png and the run folders OUTPUT/runs/*. With the paper's recipe PSNR and SSIM should come near
the paper's, which stand beside; the demo proves the protocol, not the ordering.

Time: the demo takes up to half an hour on two cores. The paper trained one network for three days
on a GPU; SR-Flat and SR-RB take about six times as long as the others.

The same command resumes where it was stopped; finished networks are not trained again. To spread
the work, give each machine its --variants, copy the OUTPUT folders together and run --report_only.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

from absl import flags

from experiments import runs
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.common.flags import define_flags
from srn_tf.common.options import PathText
from srn_tf.network.variants import TABLE1, Variant, get_variant, slug

BASE, NOT_RUN = "SR-EDRB3", "not run"
METRICS = {"psnr": ("psnr", "PSNR (dB)", 2), "ssim": ("ssim_matlab", "SSIM", 4)}


class Row(NamedTuple):
    """One network; `summary` and `training` are None where it was not run."""

    variant: Variant
    parameters: int
    gflops: float
    summary: dict | None
    training: dict | None

    def score(self, metric: str) -> float:
        """PSNR in dB, or MATLAB's SSIM as in the paper; NaN where it was not run."""
        return self.summary["mean"][METRICS[metric][0]] if self.summary else math.nan


def main() -> None:
    """Trains and scores what is not done yet, and makes the table of what there is."""
    values = flags.FLAGS
    runs_dir = Path(values.output) / "runs"
    variants = [get_variant(name) for name in values.variants or []]
    for variant in variants:
        if variant not in TABLE1:
            names = ", ".join(known.name for known in TABLE1)
            raise InputError(f"{variant.name} is no row of Table 1: {names}")
    if not values.report_only:
        config, options, data = runs.configure()
        for number, variant in enumerate(variants or TABLE1, start=1):
            print(f"\n{variant.name}: network {number} of {len(variants or TABLE1)}")
            run_dir = runs_dir / slug(variant.name)
            runs.train_and_evaluate(variant, config, options, run_dir, data)
    print(write_table(read_rows(runs_dir), Path(values.output)))


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
    done = [row for row in rows if row.summary]
    for row in done[1:]:
        _check_alike(done[0], row)
    return rows


def measure(variant: Variant) -> tuple[int, float]:
    """Number of parameters, and GFLOPs of one 1280x720 image."""
    from experiments.report import gflops
    from srn_tf.network.model import build_model

    model = build_model(variant)
    return model.count_params(), gflops(model)


def _read_run(run_dir: Path) -> tuple[dict | None, dict | None]:
    """Summary of the evaluation and training configuration of a run that has both."""
    from srn_tf.evaluation.results import read_summary
    from srn_tf.evaluation.scoring import run_output
    from srn_tf.training.record import recorded_training
    from srn_tf.weights.run_folder import CONFIG, read_config

    if not (run_dir / CONFIG).exists():
        return None, None
    training = recorded_training(read_config(run_dir))
    if training is None:
        raise InputError(f"{run_dir} was not trained: it holds imported weights")
    summary = read_summary(run_output(run_dir, f"test-{training['blur_subset']}"))
    return (summary, training) if summary else (None, None)


def _check_alike(first: Row, row: Row) -> None:
    for field, value in first.training.items():
        if field not in ("variant", "data_dir") and row.training[field] != value:
            raise InputError(
                f"{first.variant.name} was trained with {field} {value!r}, {row.variant.name} with "
                f"{row.training[field]!r}: they do not belong into one table"
            )
    scored = [(r.summary["images"], r.summary["baseline"]["ssim_matlab"]) for r in (first, row)]
    if scored[0][0] != scored[1][0] or not math.isclose(scored[0][1], scored[1][1]):
        raise InputError(
            f"{first.variant.name} and {row.variant.name} were scored on different test images"
        )


def write_table(rows: list[Row], output: Path) -> str:
    """Writes table1.md, table1.csv and table1.png into `output`; returns the text."""
    from experiments.report import write_tables

    base = next(row for row in rows if row.variant.name == BASE)
    header = ["network", "parameters", "parameters (paper)", "GFLOPs"]
    for _, title, _ in METRICS.values():
        header += [title, f"{title} (paper)", f"{title} minus {BASE}", f"{title} minus (paper)"]
    header.append("steps")
    body = []
    for row in rows:
        published = row.variant.published
        cells = [row.variant.name, f"{row.parameters / 1e6:.2f}M", published.parameters]
        cells.append(f"{row.gflops:.0f}")
        for metric, (_, _, digits) in METRICS.items():
            here, there = row.score(metric), getattr(published, metric)
            minus = here - base.score(metric), there - getattr(base.variant.published, metric)
            cells.append(NOT_RUN if math.isnan(here) else f"{here:.{digits}f}")
            cells.append(f"{there:.{digits}f}")
            cells += ["-" if math.isnan(value) else f"{value:+.{digits}f}" for value in minus]
        body.append([*cells, str(row.summary["step"]) if row.summary else "-"])
    with written_beside(output / "table1.png") as temporary:
        _plot(rows, temporary)
    return write_tables(output, "table1", header, body, _caption(rows))


def _caption(rows: list[Row]) -> str:
    from experiments.report import reservation, scored_on

    done = [row for row in rows if row.summary]
    explained = (
        "PSNR and SSIM (MATLAB's, as in the paper) are means over images. GFLOPs: convolutions of "
        "one 1280x720 image, a multiply-add counted as two. "
    )
    missing = [row.variant.name for row in rows if not row.summary]
    explained += f"Not run: {', '.join(missing)}. " if missing else ""
    if not done:
        return explained
    training = done[0].training
    steps = sorted({row.summary["step"] for row in done})
    said = f"all networks trained for {steps[0]} steps"
    if len(steps) > 1:
        said = f"networks trained for unequal numbers of steps, {steps[0]} to {steps[-1]}"
    devices = " and ".join(dict.fromkeys(row.summary["device"] for row in done))
    return (
        f"Table 1, {said} (batch {training['batch_size']}, crop {training['crop_size']}, seed "
        f"{training['seed']}); {scored_on(done[0].summary)}; scored on {devices}. {explained}"
        f"{reservation(training, steps[0])}"
    )


def _plot(rows: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.5), layout="constrained")
    axes = figure.subplots(1, 2)
    baselines = [row.summary["baseline"] for row in rows if row.summary]
    for axis, (metric, (name, title, _)) in zip(axes, METRICS.items()):
        for i, row in enumerate(rows):
            published, style = row.variant.published, {"color": f"C{i}", "markersize": 9}
            paper = float(published.parameters[:-1]), getattr(published, metric)
            axis.plot(*paper, "o", fillstyle="none", **style)
            label = row.variant.name + ("" if row.summary else f" ({NOT_RUN})")
            axis.plot(row.parameters / 1e6, row.score(metric), "o", label=label, **style)
        for baseline in baselines[:1]:
            axis.axhline(baseline[name], color="gray", linestyle="--", label="blurred input")
        axis.set(xlabel="parameters (millions)", ylabel=title, title=f"{title} on the test set")
        axis.grid(alpha=0.3)
    title = "full: measured here\nhollow: the paper, GoPro"
    figure.legend(*axes[0].get_legend_handles_labels(), title=title, loc="outside right upper")
    figure.savefig(path, dpi=150)


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made, beside the flags of training.

    Table 1:
      output: Folder of the table and of the runs.
      variants: Networks to train, with commas between, e.g. SS,wo-R. Default: all ten.
      report_only: Train nothing, make the table.
    """

    output: PathText = "results/ablation"
    variants: list[str] | None = None
    report_only: bool = False


if __name__ == "__main__":
    define_flags(Flags)
    runs.define_training_flags()
    run(main)
