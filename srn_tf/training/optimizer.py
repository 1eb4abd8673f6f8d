"""Adam and the learning rate's decay (Sec. 4), and the loss scale of float16."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.recipe import SCHEDULES

_BETA1, _BETA2 = 0.9, 0.999


def learning_rate(config: TrainingConfig, iterations: tf.Tensor) -> tf.Tensor:
    """The rate of an update, counted from 0: a float32 scalar."""
    done = tf.cast(iterations, tf.float32)
    start, end, length = (
        tf.constant(value, tf.float32)
        for value in (config.learning_rate, config.end_learning_rate, config.decay_steps)
    )
    share = SCHEDULES[config.schedule](tf.minimum(done, length) / length, config.decay_power)
    rate = (start - end) * share + end
    if config.warmup_steps:
        rate *= tf.minimum((done + 1) / config.warmup_steps, 1.0)
    return rate


class Adam(tf.Module):
    """Adam (Kingma and Ba) with one fused operation per variable.

    Keras's makes twenty operations per variable. Checkpoints hold both under the same names.

    Args:
      config: with the schedule, epsilon and precision.
      variables: what is trained.
      scaled: whether the loss is scaled, as float16 needs it.
    """

    def __init__(
        self, config: TrainingConfig, variables: Sequence[tf.Variable], scaled: bool = False
    ):
        super().__init__(name="adam")
        self._config = config
        self._iterations = tf.Variable(0, dtype=tf.int64, trainable=False, name="iterations")
        moments = [
            tf.Variable(tf.zeros(variable.shape), trainable=False)
            for variable in variables
            for _ in range(2)
        ]
        self._variables = [self._iterations, *moments]
        self.loss_scale = LossScale() if scaled else None

    @property
    def iterations(self) -> tf.Variable:
        """The number of updates so far."""
        return self._iterations

    @property
    def moments(self) -> list[tf.Variable]:
        """The averages of the gradient and of its square, for one variable after the other."""
        return self._variables[1:]

    def update(
        self,
        variables: Sequence[tf.Variable],
        gradients: Sequence[tf.Tensor],
        applied: tf.Tensor,
    ) -> None:
        """Updates `variables` on this replica; changes no bit of anything unless `applied`."""
        count = tf.cast(self._iterations + 1, tf.float32)
        rate = tf.where(applied, learning_rate(self._config, self._iterations), 0.0)
        beta1, beta2 = (tf.where(applied, beta, 1.0) for beta in (_BETA1, _BETA2))
        scalars = {
            "lr": rate,
            "beta1": beta1,
            "beta2": beta2,
            "beta1_power": _BETA1**count,
            "beta2_power": _BETA2**count,
            "epsilon": tf.constant(self._config.adam_epsilon),
        }
        zero = tf.constant(0.0)
        moments = iter(self.moments)
        for variable, gradient in zip(variables, gradients):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=next(moments).handle,
                v=next(moments).handle,
                grad=tf.where(applied, gradient, zero),
                **scalars,
            )


class LossScale(tf.Module):
    """What float16 multiplies the loss by, so that small gradients are not lost.

    As Keras does it: halved, down to 1, when a gradient overflows; doubled after 2000 steps in
    which none did.
    """

    def __init__(self):
        super().__init__(name="loss_scale")
        self.current_loss_scale = tf.Variable(2.0**15, trainable=False)
        self.good_steps = tf.Variable(0, dtype=tf.int64, trainable=False)

    def update(self, applied: tf.Tensor, skipped: tf.Tensor) -> None:
        """To be called once a step, outside of the replicas, with what became of the step."""
        scale, good = self.current_loss_scale, self.good_steps + 1
        grown = tf.where((good >= 2000) & tf.math.is_finite(2 * scale), 2 * scale, scale)
        good = tf.where(good >= 2000, tf.zeros_like(good), good)
        halved = tf.maximum(scale / 2, 1.0)
        scale.assign(tf.where(applied, grown, tf.where(skipped, halved, scale)))
        unchanged = tf.where(skipped, tf.zeros_like(good), self.good_steps)
        self.good_steps.assign(tf.where(applied, good, unchanged))
