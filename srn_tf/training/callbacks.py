"""Keras callbacks of a training run: what is checked, said and saved, and what ends it early.

Keras counts the batches of one call of `fit`; everything here counts the steps of the whole run,
also across resumes. Nothing asks the device for anything but at the steps at which something is
due, so that the host may run ahead of it.
"""

from __future__ import annotations

import abc
import csv
import io
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.files import read_text, written_beside
from srn_tf.common.keras import keras
from srn_tf.common.progress import Progress, duration, say
from srn_tf.training.devices import sum_over_workers, worker
from srn_tf.weights.run_folder import Checkpoints

Row = dict[str, float]

# Several workers have to ask each other whether one was told to stop.
_STEPS_BETWEEN_QUESTIONS = 10


class AtSteps(keras.callbacks.Callback, abc.ABC):
    """Acts regularly, by the steps of the run.

    Args:
      start_step: where the run goes on.
      periods: numbers of steps after each of which to act; those of 0 are never.
    """

    def __init__(self, start_step: int, *periods: int):
        super().__init__()
        self.start_step = start_step
        self.periods = [period for period in periods if period]

    def on_train_batch_end(self, batch, logs=None):
        step = self.start_step + batch + 1
        if self.is_due(step):
            self.act(step)

    def is_due(self, step: int) -> bool:
        """Whether something is to be done after this step."""
        return any(step % period == 0 for period in self.periods)

    @abc.abstractmethod
    def act(self, step: int) -> None:
        """What is done."""


class FiniteCheck(AtSteps):
    """Lets the trainer raise what is not finite, before anything is said or saved.

    Args:
      start_step: where the run goes on.
      periods: of what is said or saved, in steps; the first step and the end are checked as well.
    """

    def is_due(self, step: int) -> bool:
        return step == self.start_step + 1 or super().is_due(step)

    def act(self, step: int) -> None:
        self.model.check()

    def on_train_end(self, logs=None):
        self.model.check()


class StopOnSignals(AtSteps):
    """Lets SIGINT and SIGTERM end `fit` after the current step; a second one kills the process.

    Used with `with` around `fit`. Where there are several workers, they ask each other every few
    steps and stop after the same one.
    """

    def __init__(self, start_step: int, strategy: tf.distribute.Strategy):
        is_alone = worker(strategy)[1] == 1
        super().__init__(start_step, 1 if is_alone else _STEPS_BETWEEN_QUESTIONS)
        self.strategy = strategy
        self.is_alone = is_alone
        self.requested = False

    def __enter__(self) -> StopOnSignals:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self.before = {number: signal.signal(number, self._request) for number in numbers}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _request(self, number, frame) -> None:
        self.requested = True
        print(f"\n{signal.Signals(number).name}: stopping as soon as possible", file=sys.stderr)
        signal.signal(number, signal.SIG_DFL)

    def act(self, step: int) -> None:
        asked = self.requested
        if not self.is_alone:
            asked = sum_over_workers(self.strategy, float(self.requested)) > 0
        self.model.stop_training = asked


class RunLog(AtSteps):
    """Progress bar, log lines, metrics.csv and TensorBoard scalars.

    Args:
      run_dir: the run folder.
      start_step: where the run goes on; rows that a killed run wrote beyond it are dropped.
      total_steps: where it ends.
      batch_size: for images/s.
      every: steps between log lines; the values are means over these steps.
    """

    def __init__(
        self, run_dir: Path, start_step: int, total_steps: int, batch_size: int, every: int
    ):
        super().__init__(start_step, every)
        self.table = run_dir / "metrics.csv"
        self.writer = tf.summary.create_file_writer(str(run_dir / "logs"))
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.rows = [row for row in read_metrics(self.table) if row["step"] <= start_step]

    def on_train_begin(self, logs=None):
        self._write_table()
        # No lines where there is no terminal: the log lines tell the same.
        self.bar = Progress(
            "training", self.total_steps, "step", initial=self.start_step, lines=False
        )
        self.said_step = self.start_step
        self.seconds = 0.0  # in steps since the last line, without validation and checkpoints
        self.all_seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.began
        self.bar.update()
        super().on_train_batch_end(batch, logs)

    def on_train_end(self, logs=None):
        self.bar.close()
        self.writer.flush()

    def is_due(self, step: int) -> bool:
        return super().is_due(step) or step in (self.start_step + 1, self.total_steps)

    def act(self, step: int) -> None:
        """Says and records what the steps since the last line were like."""
        row = self.model.take_logs()
        row["images_per_second"] = (step - self.said_step) * self.batch_size / self.seconds
        row["data_wait"] = self.model.waiting.take() / self.seconds
        row["skipped"] = float(self.model.skipped.numpy())
        left = "?"
        if step > self.start_step + 1:  # the first step also builds the graph
            self.all_seconds += self.seconds
            per_step = self.all_seconds / (step - self.start_step - 1)
            left = duration(per_step * (self.total_steps - step))
        scales = " ".join(f"{v:.4f}" for name, v in row.items() if name.startswith("loss_scale"))
        if "loss_adversarial" in row:
            scales += f", adversarial {row['loss_adversarial']:.3f}"
            scales += f", discriminator {row['loss_discriminator']:.3f}"
        self.say(
            f"step {step}/{self.total_steps}  lr {row['learning_rate']:.2e}  "
            f"loss {row['loss']:.4f} (fine to coarse {scales})  psnr {row['psnr']:.2f}  "
            f"gain {row['gain_scale1']:+.2f} dB  "
            f"{row['images_per_second']:.2f} images/s  data wait {row['data_wait']:.1%}  "
            f"left {left}" + (f"  skipped {row['skipped']:.0f}" if row["skipped"] else "")
        )
        self.add(step, row)
        self.said_step, self.seconds = step, 0.0

    def say(self, line: str) -> None:
        """Prints a line without tearing the progress bar."""
        say(line)

    def add(self, step: int, values: Row) -> None:
        """Puts values of a step into metrics.csv and TensorBoard."""
        self.rows.append({"step": step, **values})
        self._write_table()
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def add_images(self, step: int, name: str, images: np.ndarray) -> None:
        """Shows uint8 images `[N, H, W, 3]` in TensorBoard."""
        with self.writer.as_default(step):
            tf.summary.image(name, images, max_outputs=len(images))

    def _write_table(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with written_beside(self.table) as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, names or ["step"])
            table.writeheader()
            table.writerows(self.rows)


def read_metrics(path: Path) -> list[Row]:
    """The rows of metrics.csv, values as floats, without those left blank; [] when missing.

    Raises:
      InputError: it is not what a training writes.
    """
    if not Path(path).exists():
        return []
    try:
        rows = [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(io.StringIO(read_text(path)))
        ]
        if all("step" in row for row in rows):
            return rows
    except (ValueError, TypeError, csv.Error) as error:
        if isinstance(error, InputError):
            raise
    raise InputError(f"{path} is not the table of a training: move it away")


class Checkpointing(AtSteps):
    """Saves when training ends, also when a signal ends it early, and before that regularly.

    Args:
      start_step: where the run goes on.
      periods: numbers of steps after each of which to save; those of 0 are never.
      checkpoints: where to.
    """

    def __init__(self, start_step: int, periods: Sequence[int], checkpoints: Checkpoints):
        super().__init__(start_step, *periods)
        self.checkpoints = checkpoints

    def act(self, step: int) -> None:
        self.checkpoints.save(step)

    def on_train_end(self, logs=None):
        self.checkpoints.save(int(self.model.step.numpy()))
