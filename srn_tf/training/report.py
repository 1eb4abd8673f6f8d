"""What a training run shows at its end: scores, a picture strip and its curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tqdm
from matplotlib.figure import Figure

from srn_tf.common.files import written_beside
from srn_tf.data import Pair
from srn_tf.evaluation.metrics import scores
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb, write_image
from srn_tf.training.callbacks import read_metrics

CURVES = "curves.png"
_PAPER_METRICS = ("psnr", "ssim_matlab")


def report(run_dir: Path, deblurrer: Deblurrer, pairs: Sequence[Pair], strip_rows: int = 4) -> str:
    """Scores `pairs` and writes comparison.png (blurred | deblurred | sharp).

    Returns:
      A table of the mean PSNR and SSIM (MATLAB's, as in the paper) of the blurred and the
      deblurred images.
    """
    chosen = np.linspace(0, len(pairs) - 1, min(strip_rows, len(pairs))).astype(int)
    rows, strips = [], []
    for i, pair in enumerate(tqdm.tqdm(pairs, desc="evaluating", unit="image", disable=None)):
        blurred, sharp = read_rgb(pair.blurred), read_rgb(pair.sharp)
        deblurred = deblurrer(blurred)
        rows.append([scores(image, sharp) for image in (blurred, deblurred)])
        if i in chosen:
            strips.append(np.hstack([blurred, deblurred, sharp]))
    write_image(run_dir / "comparison.png", stack_rows(strips))
    lines = [f"{len(pairs)} images   PSNR (dB)   SSIM"]
    for column, name in enumerate(("blurred", "deblurred")):
        psnr, ssim = (np.mean([getattr(row[column], m) for row in rows]) for m in _PAPER_METRICS)
        lines.append(f"{name:<11}{psnr:>10.2f}{ssim:>11.4f}")
    return "\n".join(lines)


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
    """Draws curves.png from metrics.csv: the loss of each scale and the PSNR against the step."""
    rows = read_metrics(run_dir / "metrics.csv")
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    series = {name: f"scale {name[-1]}" for name in rows[0] if name.startswith("loss_scale")}
    for name, label in series.items():
        left.plot(*_column(rows, name), label=f"{label} (finest)" if label[-1] == "1" else label)
    left.set(
        xlabel="training step", ylabel="mean squared error", yscale="log", title="Loss (Eq. 3)"
    )
    left.legend()
    right.plot(*_column(rows, "psnr"), label="training crops")
    if any("validation_psnr" in row for row in rows):
        right.plot(*_column(rows, "validation_psnr"), "o-", label="validation images")
    right.set(xlabel="training step", ylabel="PSNR (dB)", title="Finest scale")
    right.legend()
    for axis in (left, right):
        axis.grid(alpha=0.3)
    with written_beside(run_dir / CURVES) as temporary:
        figure.savefig(temporary, dpi=120)


def _column(rows: list[dict], name: str) -> tuple[list[float], list[float]]:
    chosen = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in chosen], [value for _, value in chosen]
