"""Training steps on arrays, as the loop does them on batches of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from srn_tf.training.step import Trainer


class Steps:
    """What each step logged, and the weights after it."""

    def __init__(self):
        self.logs, self.weights, self.averages = [], [], []


def do_steps(trainer: Trainer, blurred: Sequence[np.ndarray], sharp: Sequence[np.ndarray]) -> Steps:
    """Does a step with each batch of images `[B, H, W, C]`."""
    done, step = Steps(), trainer.make_step()
    for batch in zip(blurred, sharp):
        step(*map(tf.constant, batch))
        done.logs.append(trainer.take_logs())
        done.weights.append(trainer.net.get_weights())
        if trainer.average is not None:
            done.averages.append(trainer.average.get_weights())
    return done
