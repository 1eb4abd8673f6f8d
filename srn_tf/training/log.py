"""What a run tells of its steps: lines, metrics.csv, TensorBoard, and a hook for other loggers."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.files import read_text, write_text
from srn_tf.common.folders import tensorflow_path
from srn_tf.common.progress import Progress, duration, say

LogRow = dict[str, float]
METRICS = "metrics.csv"
VALIDATION = ("validation_psnr", "validation_gain", "validation_ssim")
_NORM = "recurrent_gradient_norm"
_FALL = 1e-3  # of the gradient: the deep half has died


class TrainingLog:
    """Progress bar, lines, metrics.csv and TensorBoard of a run.

    Args:
      run_dir: the run folder.
      columns: names of all values that a row may have.
      start_step: where the run resumes; rows that a killed run wrote beyond it are dropped.
      total_steps: where it ends.
      batch_size: for images/s.
      on_log: called with each row, a dict of floats with "step" among them.
    """

    def __init__(
        self,
        run_dir: Path,
        columns: Sequence[str],
        start_step: int,
        total_steps: int,
        batch_size: int,
        on_log: Callable[[LogRow], None] | None = None,
    ):
        self.table = run_dir / METRICS
        self.start_step, self.total_steps = start_step, total_steps
        self.batch_size, self.on_log = batch_size, on_log
        rows = [row for row in read_metrics(self.table) if row["step"] <= start_step]
        found = [name for row in rows for name in row]
        self.columns = list(dict.fromkeys(["step", *columns, *found]))
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_text(self.table, text.getvalue())
        self.writer = tf.summary.create_file_writer(tensorflow_path(run_dir / "logs"))
        # No lines where there is no terminal: the log lines tell the same.
        self.bar = Progress("training", total_steps, "step", initial=start_step, lines=False)
        self.logged_step = start_step
        self.seconds = self.waited = 0.0  # since the last line, without validation and checkpoints
        self.all_seconds = 0.0
        self.alarm = ""  # what is wrong with the run, for its last line
        self._levels, self._highest = [], 0.0
        for row in rows:
            self._has_died(row)

    def count(self, seconds: float, waited: float) -> None:
        """Counts a step that took so long, waiting for its data included."""
        self.seconds += seconds
        self.waited += waited
        self.bar.update()

    def write(self, step: int, means: LogRow) -> None:
        """Tells and records what the steps since the last line were like."""
        row = dict(means)
        row["images_per_second"] = (step - self.logged_step) * self.batch_size / self.seconds
        row["data_wait"] = self.waited / self.seconds
        left = "?"
        if step > self.start_step + 1:  # the first step also builds the graph
            self.all_seconds += self.seconds
            per_step = self.all_seconds / (step - self.start_step - 1)
            left = duration(per_step * (self.total_steps - step))
        scales = " ".join(f"{v:.4f}" for name, v in row.items() if name.startswith("loss_scale"))
        if "loss_adversarial" in row:
            scales += f", adversarial {row['loss_adversarial']:.3f}"
            scales += f", discriminator {row['loss_discriminator']:.3f}"
        notes = f"  skipped {row['skipped']:.0f}" if row["skipped"] else ""
        notes += f"  loss scaled by {row['loss_scaling']:.0f}" if "loss_scaling" in row else ""
        say(
            f"step {step}/{self.total_steps}  lr {row['learning_rate']:.2e}  "
            f"loss {row['loss']:.4f} (fine to coarse {scales})  psnr {row['psnr']:.2f}  "
            f"gain {row['gain_scale1']:+.2f} dB  "
            f"{row['images_per_second']:.2f} images/s  data wait {row['data_wait']:.1%}  "
            f"left {left}{notes}"
        )
        self.add(step, row)
        self.logged_step, self.seconds, self.waited = step, 0.0, 0.0
        if self._has_died(row) and not self.alarm:
            self.alarm = (
                f"at step {step} the gradient of the recurrent module had fallen by three powers "
                "of ten: the deep half of the network learns no more. Fork an earlier checkpoint "
                "(--fork_from) with a lower --learning_rate"
            )
            say(f"warning: {self.alarm}")

    def _has_died(self, row: LogRow) -> bool:
        """Whether the gradient of the recurrent module is a thousandth of what it was, or less.

        It is divided by the root of the loss, with which the gradient of Eq. 3 falls in any
        training, and compared with the highest level that three rows in turn have had.
        """
        norm, loss = row.get(_NORM, math.nan), row.get("loss", math.nan)
        if not (norm >= 0 and loss > 0):  # validations, and steps that were not finite
            return False
        self._levels = [*self._levels[-2:], norm / math.sqrt(loss)]
        level = statistics.median(self._levels)
        if len(self._levels) == 3:
            self._highest = max(self._highest, level)
        return level < _FALL * self._highest

    def add(self, step: int, values: LogRow) -> None:
        """Puts values of a step into metrics.csv and TensorBoard, and calls the hook."""
        row = {"step": step, **values}
        with self.table.open("a", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        if self.on_log:
            self.on_log(row)

    def add_images(self, step: int, name: str, images: np.ndarray) -> None:
        """Shows uint8 images `[N, H, W, 3]` in TensorBoard."""
        with self.writer.as_default(step):
            tf.summary.image(name, images, max_outputs=len(images))

    def close(self) -> str:
        """Takes the bar away and flushes TensorBoard's file; returns the alarm, or ""."""
        self.bar.close()
        self.writer.flush()
        return self.alarm


def read_metrics(path: Path) -> list[LogRow]:
    """The rows of metrics.csv, values as floats, without those left blank; [] when missing.

    A last line without its end, which a kill left, is dropped.

    Raises:
      InputError: it is not what a training writes.
    """
    if not Path(path).exists():
        return []
    text = read_text(path)
    try:
        return [
            {name: float(value) for name, value in row.items() if value or name == "step"}
            for row in csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
            if row["step"]
        ]
    except (ValueError, TypeError, KeyError, csv.Error):
        raise InputError(f"{path} is not the table of a training: move it away") from None
