"""What a training run shows at its end: scores, a picture strip and its curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from srn_tf.common.files import written_beside
from srn_tf.common.progress import progress
from srn_tf.data import Pair
from srn_tf.evaluation.metrics import scores
from srn_tf.evaluation.results import finite_mean, rounded
from srn_tf.media.images import read_rgb, write_image
from srn_tf.training.log import METRICS, read_metrics
from srn_tf.training.run import CURVES
from srn_tf.training.validation import TrainedDeblurrer

_PAPER_METRICS = ("psnr", "ssim_matlab")


def report(
    run_dir: Path, deblurrer: TrainedDeblurrer, pairs: Sequence[Pair], strip_rows: int = 4
) -> str:
    """Scores `pairs` and writes comparison.png: blurred | deblurred | sharp, details below.

    Returns:
      A table of the mean PSNR and SSIM (MATLAB's, as in the paper) of the blurred and the
      deblurred images; that of PSNR is over those that do not equal the truth.
    """
    chosen = np.linspace(0, len(pairs) - 1, min(strip_rows, len(pairs))).astype(int)
    rows, strips = [], []
    for i, pair in enumerate(progress(pairs, "evaluating")):
        blurred, sharp = read_rgb(pair.blurred), read_rgb(pair.sharp)
        deblurred = deblurrer(blurred)
        rows.append([scores(image, sharp) for image in (blurred, deblurred)])
        if i in chosen:
            strips.append(with_detail(blurred, deblurred, sharp))
    write_image(run_dir / "comparison.png", stack_rows(strips))
    lines = [f"{len(pairs)} images   PSNR (dB)   SSIM"]
    for column, name in enumerate(("blurred", "deblurred")):
        (psnr, count), (ssim, _) = (
            finite_mean(getattr(row[column], metric) for row in rows) for metric in _PAPER_METRICS
        )
        equal = len(rows) - count
        note = f"   {equal} equal the truth, PSNR of the others" if equal else ""
        lines.append(f"{name:<11}{rounded('psnr', psnr):>10}{ssim:>11.4f}{note}")
    return "\n".join(lines)


def with_detail(*images: np.ndarray) -> np.ndarray:
    """uint8 RGB images of one size side by side; below each the middle third of it, enlarged."""
    height, width = images[0].shape[:2]
    rows, columns = (slice(size // 3, -(-2 * size // 3)) for size in (height, width))
    details = [
        cv2.resize(image[rows, columns], (width, height), interpolation=cv2.INTER_CUBIC)
        for image in images
    ]
    return np.vstack([np.hstack(images), np.hstack(details)])


def stack_rows(images: Sequence[np.ndarray]) -> np.ndarray:
    """Puts uint8 RGB images below each other, narrower ones on white."""
    width = max(image.shape[1] for image in images)
    return np.vstack(
        [
            np.pad(image, [(0, 0), (0, width - image.shape[1]), (0, 0)], constant_values=255)
            for image in images
        ]
    )


def plot_curves(run_dir: Path) -> None:
    """Draws curves.png from metrics.csv: losses, gains over the input, the deep half's life.

    Nothing where there are no rows.
    """
    rows = read_metrics(run_dir / METRICS)
    if not rows:
        return
    figure = Figure(figsize=(15, 4), layout="constrained")
    left, right, deep = axes = figure.subplots(1, 3)
    for axis, prefix in ((left, "loss_scale"), (right, "gain_scale")):
        for name in (name for name in rows[0] if name.startswith(prefix)):
            scale = name[len(prefix) :]
            label = f"scale {scale}" + (" (finest)" if scale == "1" else "")
            axis.plot(*_column(rows, name), label=label)
    if any("validation_gain" in row for row in rows):
        right.plot(*_column(rows, "validation_gain"), "ko-", label="validation images")
    left.set(ylabel="loss", yscale="log", title="Loss (Eq. 3)")
    # The loss differs more from batch to batch than training changes it; this difference does not.
    right.set(ylabel="PSNR minus that of the blurred input (dB)", title="Gain, same crops")
    # Once this has fallen by powers of ten, the ReLUs above are shut and the deep half is lost.
    steps, norms = _column(rows, "recurrent_gradient_norm")
    deep.plot(steps, norms, label="before clipping")
    has_module = max(norms, default=0) > 0
    deep.set(yscale="log" if has_module else "linear", title="Gradient of the recurrent module")
    for axis in axes:
        axis.set(xlabel="training step")
        axis.legend()
        axis.grid(alpha=0.3)
    with written_beside(run_dir / CURVES) as temporary:
        figure.savefig(temporary, dpi=120)


def _column(rows: list[dict], name: str) -> tuple[list[float], list[float]]:
    chosen = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in chosen], [value for _, value in chosen]
