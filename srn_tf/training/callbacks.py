"""Keras callbacks of a training run: what it says, what it saves, how it is validated.

Steps are counted over the whole run, also across resumes; the clock of a run is `trainer.step`.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tqdm

from srn_tf.common.files import written_beside
from srn_tf.common.keras import keras
from srn_tf.data import Pair
from srn_tf.evaluation.metrics import Scores, scores
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb
from srn_tf.training.devices import sum_over_workers, worker
from srn_tf.weights.run_folder import Checkpoints

Row = dict[str, float]


class RunLog(keras.callbacks.Callback):
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
        super().__init__()
        self.table = run_dir / "metrics.csv"
        self.writer = tf.summary.create_file_writer(str(run_dir / "logs"))
        self.start_step = start_step
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.every = every
        self.rows = [row for row in read_metrics(self.table) if row["step"] <= start_step]
        self.recent: list[Row] = []

    def on_train_begin(self, logs=None):
        self._write_table()
        # None: no bar where there is no terminal; the log lines tell the same.
        self.bar = tqdm.tqdm(
            total=self.total_steps, initial=self.start_step, unit="step", disable=None
        )
        self.seconds = 0.0  # in steps since the last line, without validation and checkpoints
        self.all_seconds = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds += time.perf_counter() - self.began
        step = self.start_step + batch + 1
        self.recent.append(logs)
        self.bar.update()
        self.bar.set_postfix_str(f"loss {logs['loss']:.4f} psnr {logs['psnr']:.2f}", refresh=False)
        if step % self.every == 0 or step == self.total_steps or batch == 0:
            self._log(step)

    def on_train_end(self, logs=None):
        self.bar.close()
        self.writer.flush()

    def _log(self, step: int) -> None:
        row = {}
        for name in self.recent[0]:
            values = np.array([logs[name] for logs in self.recent])
            finite = values[np.isfinite(values)]  # a step that is left out has others
            row[name] = float(finite.mean()) if finite.size else float("nan")
        row["images_per_second"] = len(self.recent) * self.batch_size / self.seconds
        row["data_wait"] = self.model.data_seconds / self.seconds
        row["skipped"] = float(self.model.skipped.numpy())
        left = "?"
        if step > self.start_step + 1:  # the first step also builds the graph
            self.all_seconds += self.seconds
            per_step = self.all_seconds / (step - self.start_step - 1)
            left = tqdm.tqdm.format_interval(per_step * (self.total_steps - step))
        scales = " ".join(f"{v:.4f}" for name, v in row.items() if name.startswith("loss_scale"))
        self.say(
            f"step {step}/{self.total_steps}  lr {row['learning_rate']:.2e}  "
            f"loss {row['loss']:.4f} (fine to coarse {scales})  psnr {row['psnr']:.2f}  "
            f"{row['images_per_second']:.2f} images/s  data wait {row['data_wait']:.1%}  "
            f"left {left}" + (f"  skipped {row['skipped']:.0f}" if row["skipped"] else "")
        )
        self.add(step, row)
        self.recent, self.seconds, self.model.data_seconds = [], 0.0, 0.0

    def say(self, line: str) -> None:
        """Prints a line without tearing the progress bar."""
        tqdm.tqdm.write(line)

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
    """The rows of metrics.csv, values as floats, without those left blank; [] when missing."""
    if not Path(path).exists():
        return []
    with Path(path).open(newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


class Checkpointing(keras.callbacks.Callback):
    """Saves every `every` steps and when training ends, also when a signal ends it early."""

    def __init__(self, checkpoints: Checkpoints, every: int):
        super().__init__()
        self.checkpoints = checkpoints
        self.every = every

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step.numpy())
        if step % self.every == 0:
            self.checkpoints.save(step)

    def on_train_end(self, logs=None):
        self.checkpoints.save(int(self.model.step.numpy()))


class StopOnRequest(keras.callbacks.Callback):
    """Ends `fit` after the step in which some worker was asked to stop.

    Where there are several, they tell each other when the next step starts, and stop after that.
    """

    def on_train_batch_end(self, batch, logs=None):
        is_alone = worker(self.model.distribute_strategy)[1] == 1
        self.model.stop_training = self.model.stopping or (is_alone and self.model.stop_requested)


class Validation(keras.callbacks.Callback):
    """Scores whole images of the test split every `every` steps and keeps the best checkpoint.

    With several workers each scores its share, so that every image counts exactly once.

    Args:
      pairs: what to score.
      every: steps between validations.
      log: gets the mean PSNR and SSIM (MATLAB's, as in the paper) and the example crops.
      best: checkpoints of the best PSNR.
      best_psnr: variable with the best PSNR so far, in dB, part of the checkpoint.
    """

    def __init__(self, pairs, every: int, log: RunLog | None, best, best_psnr: tf.Variable):
        super().__init__()
        self.pairs = pairs
        self.every = every
        self.log = log
        self.best = best
        self.best_psnr = best_psnr

    def on_train_begin(self, logs=None):
        self.deblurrer = Deblurrer(self.model.inference_net())

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step.numpy())
        if step % self.every == 0:
            self.validate(step)

    def validate(self, step: int) -> None:
        """Scores, says and records them, and saves the best checkpoint when these are the best."""
        strategy = self.model.distribute_strategy
        number, count = worker(strategy)
        rows = [deblurred_scores(self.deblurrer, pair) for pair in self.pairs[number::count]]
        psnr, ssim = (
            sum_over_workers(strategy, sum(getattr(row, name) for row in rows)) / len(self.pairs)
            for name in ("psnr", "ssim_matlab")
        )
        is_best = psnr > float(self.best_psnr.numpy())
        if is_best:
            self.best_psnr.assign(psnr)
        if self.log is None:
            return
        self.log.say(
            f"step {step}: validation on {len(self.pairs)} images  psnr {psnr:.2f}  "
            f"ssim {ssim:.4f}" + ("  (best so far)" if is_best else "")
        )
        self.log.add(step, {"validation_psnr": psnr, "validation_ssim": ssim})
        self.log.add_images(step, "blurred, deblurred, sharp", self._examples())
        if is_best:
            self.best.save(step)

    def _examples(self, count: int = 4, side: int = 256) -> np.ndarray:
        """Triptychs of centre crops of the first images, uint8 `[count, side, 3 * side, 3]`."""
        triptychs = []
        for pair in self.pairs[:count]:
            side = min(side, *pair.size)
            y, x = ((size - side) // 2 for size in pair.size)
            blurred, sharp = (
                read_rgb(path)[y : y + side, x : x + side] for path in (pair.blurred, pair.sharp)
            )
            triptychs.append(np.hstack([blurred, self.deblurrer(blurred), sharp]))
        side = min(len(triptych) for triptych in triptychs)
        return np.stack([triptych for triptych in triptychs if len(triptych) == side])


def deblurred_scores(deblurrer: Deblurrer, pair: Pair) -> Scores:
    """PSNR and SSIMs of the deblurred image of a pair."""
    return scores(deblurrer(read_rgb(pair.blurred)), read_rgb(pair.sharp))
