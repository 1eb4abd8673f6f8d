"""Whole images while training: how well the weights do, and which checkpoint is the best.

What is validated on is a choice that the paper leaves open. Its recipe trains on all pairs, so by
default the images are those of the test split: they draw a curve and choose nothing, since a
checkpoint chosen on the images it is then scored on would look better than it is. With --hold_out
whole sequences of the training split are kept out of training; validation is on them, and the
checkpoint that does best there is kept as `checkpoints/best`.
"""

from __future__ import annotations

import contextlib
import functools
import math

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import OutOfMemory
from srn_tf.common.progress import say
from srn_tf.data import Pair
from srn_tf.evaluation.metrics import Scores, scores
from srn_tf.evaluation.results import finite_mean
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import Variant
from srn_tf.training.devices import sum_over_workers, worker
from srn_tf.training.log import VALIDATION, TrainingLog
from srn_tf.training.run import Run
from srn_tf.weights.run_folder import Checkpoints, best_psnr_of, checkpoint_folder

# With large images NumPy may be the first to find none.
LACK_OF_MEMORY = (OutOfMemory, MemoryError, tf.errors.ResourceExhaustedError)


class TrainedDeblurrer(Deblurrer):
    """Deblurs with the weights that a training has reached.

    The weights are copied into a network that computes in float32, as every other command will do
    it, whatever type the training computes in. Made outside the scope of the distribution strategy.
    """

    def __init__(self, variant: Variant):
        self._net = build_model(variant)
        super().__init__(self._net, precision="float32")

    def take_weights(self, net: ScaleRecurrentNet) -> None:
        """From now on deblurs with the present weights of `net`."""
        self._net.set_weights(net.get_weights())
        self.refresh()

    def scores(self, pair: Pair) -> tuple[Scores, Scores]:
        """PSNR and SSIMs of the blurred and of the deblurred image of a pair."""
        blurred, sharp = read_rgb(pair.blurred), read_rgb(pair.sharp)
        return scores(blurred, sharp), scores(self(blurred), sharp)


class Validation:
    """Scores whole images of a run, and keeps the best checkpoint where images are held out.

    A validation that finds no memory is reported and left out; it never ends a training. With
    several workers each scores its share, so that every image counts exactly once.
    """

    def __init__(self, run: Run):
        self.run = run
        self.pairs = run.data.held_out or run.data.test
        self.best = None
        if run.data.held_out:
            folder = checkpoint_folder(run.folder, "best")
            self.best_psnr = tf.Variable(best_psnr_of(folder), dtype=tf.float64, trainable=False)
            parts = run.trainer.checkpointed()
            kept = {name: parts[name] for name in ("net", "average") if name in parts}
            self.best = Checkpoints(folder, {**kept, "best_psnr": self.best_psnr}, keep=1)

    @functools.cached_property
    def deblurrer(self) -> TrainedDeblurrer:
        """Made when an image is first scored: a run without validation needs no second network."""
        return TrainedDeblurrer(self.run.config.variant)

    def try_one_image(self) -> None:
        """Before the first step, so that a lack of memory is known at once."""
        if self.run.options.validate_every and self.pairs:
            try:
                self.deblurrer(read_rgb(self.pairs[0].blurred))
            except LACK_OF_MEMORY as error:
                self._say(f"validation will have to be left out: {error}")

    def score(self, step: int, log: TrainingLog | None) -> None:
        """Scores, tells and records them, and saves the best checkpoint when these are the best.

        Args:
          step: that has been done.
          log: gets the mean PSNR, its gain over the blurred images and SSIM (MATLAB's, as in the
            paper), and example crops; None on workers that do not write.
        """
        if not self.pairs:
            return
        means = self._means()
        if means is None:
            self._say(f"step {step}: validation left out, out of memory")
            return
        psnr, gain, ssim = means.values()
        is_best = self.best is not None and psnr > float(self.best_psnr)
        if is_best:
            self.best_psnr.assign(psnr)
        if log is None:
            return
        self._say(
            f"step {step}: validation on {len(self.pairs)} images  psnr {psnr:.2f} "
            f"({gain:+.2f} dB)  ssim {ssim:.4f}" + ("  (best so far)" if is_best else "")
        )
        log.add(step, means)
        if is_best:
            self.best.save(step)
        with contextlib.suppress(*LACK_OF_MEMORY):  # they are a picture for the curious
            log.add_images(step, "blurred, deblurred, sharp", self._examples())

    def _means(self) -> dict[str, float] | None:
        """Over the images of all workers; None when one of them found no memory.

        An image that equals the truth has an infinite PSNR, which counts in no mean.
        """
        strategy = self.run.strategy
        number, count = worker(strategy)
        rows, lacks_memory = [], 0
        try:
            self.deblurrer.take_weights(self.run.trainer.inference_net())
            for pair in self.pairs[number::count]:
                before, after = self.deblurrer.scores(pair)
                rows.append([after.psnr, after.psnr - before.psnr, after.ssim_matlab])
        except LACK_OF_MEMORY:
            lacks_memory = 1
        if sum_over_workers(strategy, lacks_memory):
            return None
        means = {}
        for name, values in zip(VALIDATION, np.reshape(rows, (-1, 3)).T):
            mean, finite = finite_mean(values)
            total = sum_over_workers(strategy, finite * (mean or 0.0))
            finite = sum_over_workers(strategy, finite)
            means[name] = total / finite if finite else math.inf
        return means

    def _say(self, line: str) -> None:
        if self.run.is_chief:
            say(line)

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
