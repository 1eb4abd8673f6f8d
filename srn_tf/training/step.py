"""One training step, as a Keras model to `fit`: loss, gradients, clipping, update.

The step has two halves. `gradient_step` computes losses and gradients on every replica and sums the
gradients over all of them; between the halves the host looks whether they are finite, so that a bad
batch is reported before it touches a weight; `update_step` applies them.
"""

from __future__ import annotations

import time

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import RunError
from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.losses import multi_scale_loss, total_variation_loss

Logs = dict[str, tf.Tensor]


class NonFiniteStep(RunError):
    """A loss or gradient that is not finite; `indices` tells the pairs of the batch.

    `step` counts from 1, as in the log.
    """

    def __init__(self, step: int, indices: np.ndarray):
        super().__init__(f"step {step}: loss or gradient is not finite")
        self.step = step
        self.indices = indices


class Trainer(keras.Model):
    """A network with what its training keeps: optimizer, step, average of weights.

    Made (as `compile` is called) under the scope of the distribution strategy. `fit` takes a
    data set of `(blurred, sharp, index)`: float32 `[B, H, W, C]` in [0, 1] twice, int64 `[B]`.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        accumulate: int = 1,
        jit_compile: bool = False,
        skip_nonfinite: bool = False,
    ):
        super().__init__(name="trainer", dtype="float32")
        self.config = config
        self.accumulate = accumulate
        self.skip_nonfinite = skip_nonfinite
        self.net = build_model(config.variant)
        self.average = None
        if config.ema_decay:
            self.average = build_model(config.variant)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False, name="skipped")
        self.data_seconds = 0.0  # that steps have waited for their batch since the last log line
        self.stop_requested = False  # a signal asked this worker to stop
        self.stopping = False  # all workers know, and stop after the same step
        self._losses_and_gradients = tf.function(
            self._compute_losses_and_gradients, jit_compile=jit_compile, reduce_retracing=True
        )

    def inference_net(self) -> ScaleRecurrentNet:
        """The network whose weights are meant for inference."""
        return self.average or self.net

    def call(self, blurred: tf.Tensor) -> list[tf.Tensor]:
        return self.net(blurred)

    def make_train_function(self, force: bool = False):
        """What `fit` calls with the data iterator for each step; returns the step's logs."""
        if self.train_function is None or force:
            strategy = self.distribute_strategy

            @tf.function
            def gradients_of(batch, stop):
                return strategy.run(self.gradient_step, args=(*batch, stop))

            @tf.function
            def update(gradients):
                strategy.run(self.update_step, args=(gradients,))
                if self.average is not None:
                    self._update_average()

            def train_function(iterator):
                started = time.perf_counter()
                batch = next(iterator)
                self.data_seconds += time.perf_counter() - started
                logs, gradients = gradients_of(batch, tf.constant(self.stop_requested))
                logs = {
                    name: float(strategy.experimental_local_results(value)[0])
                    for name, value in logs.items()
                }
                self.stopping = bool(logs.pop("stop"))
                if logs.pop("finite"):
                    update(gradients)
                elif self.skip_nonfinite:
                    self.skipped.assign_add(1)
                else:
                    indices = strategy.gather(batch[2], axis=0)  # of all workers
                    raise NonFiniteStep(int(self.step.numpy()) + 1, indices.numpy())
                self.step.assign_add(1)
                logs["learning_rate"] = float(
                    self.optimizer.learning_rate.numpy()
                )  # of this update
                return logs

            self.train_function = train_function
        return self.train_function

    def gradient_step(self, blurred, sharp, index, stop) -> tuple[Logs, list[tf.Tensor]]:
        """Losses and gradients of a batch, summed over all replicas, the recurrent ones clipped.

        Runs on each replica; `stop` tells that this worker was asked to stop. The logs hold, as
        scalars, the losses, the finest scale's PSNR in dB, the norm of the recurrent module's
        gradients before clipping, and the flags `stop` and `finite`.
        """
        del index
        logs, gradients = self._accumulated(blurred, sharp)
        logs["stop"] = tf.cast(stop, tf.float32)
        replica = tf.distribute.get_replica_context()
        logs, gradients = replica.all_reduce(
            tf.distribute.ReduceOp.SUM,
            tf.nest.map_structure(lambda x: x / replica.num_replicas_in_sync, (logs, gradients)),
        )
        if self._loss_scaling:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        logs["finite"] = self._is_finite(logs["loss"], gradients)
        gradients, logs["recurrent_gradient_norm"] = self._clip_recurrent(gradients)
        return logs, gradients

    def update_step(self, gradients: list[tf.Tensor]) -> None:
        """Applies gradients that `gradient_step` has summed over the replicas already."""
        self.optimizer.apply_gradients(
            zip(gradients, self.net.trainable_variables), skip_gradients_aggregation=True
        )

    @property
    def _loss_scaling(self) -> bool:
        return isinstance(self.optimizer, keras.mixed_precision.LossScaleOptimizer)

    def _accumulated(self, blurred: tf.Tensor, sharp: tf.Tensor):
        """Logs and gradients of a batch, computed in `accumulate` equal parts one after another."""
        if self.accumulate == 1:
            return self._losses_and_gradients(blurred, sharp)
        size = blurred.shape[0] // self.accumulate
        total = self._losses_and_gradients(blurred[:size], sharp[:size])
        for part in tf.range(1, self.accumulate):
            here = slice(part * size, (part + 1) * size)
            new = self._losses_and_gradients(
                tf.ensure_shape(blurred[here], [size, *blurred.shape[1:]]),
                tf.ensure_shape(sharp[here], [size, *sharp.shape[1:]]),
            )
            total = tf.nest.map_structure(tf.add, total, new)
        return tf.nest.map_structure(lambda x: x / self.accumulate, total)

    def _compute_losses_and_gradients(self, blurred: tf.Tensor, sharp: tf.Tensor):
        with tf.GradientTape() as tape:
            predictions = self.net(blurred)
            losses = multi_scale_loss(predictions, sharp, self.config.variant.resize)
            loss = tf.add_n(losses)
            if self.config.total_variation:
                loss += self.config.total_variation * total_variation_loss(predictions)
            scaled = self.optimizer.get_scaled_loss(loss) if self._loss_scaling else loss
        gradients = tape.gradient(scaled, self.net.trainable_variables)
        finest = tf.clip_by_value(predictions[0], 0.0, 1.0)
        logs = {"loss": loss, "psnr": tf.reduce_mean(tf.image.psnr(finest, sharp, 1.0))}
        logs.update({f"loss_scale{i + 1}": scale_loss for i, scale_loss in enumerate(losses)})
        return logs, gradients

    def _is_finite(self, loss: tf.Tensor, gradients: list[tf.Tensor]) -> tf.Tensor:
        finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        if self._loss_scaling:
            # Gradients overflow while the optimizer looks for its loss scale: it leaves such a
            # step out by itself, and tries a smaller scale as long as there is one.
            finite |= self.optimizer.loss_scale > 1
        return tf.cast(tf.math.is_finite(loss) & finite, tf.float32)

    def _clip_recurrent(self, gradients: list[tf.Tensor]):
        """Clips the gradients of the recurrent module, and no other, by their global norm."""
        recurrent = {variable.ref() for variable in self.net.recurrent_variables}
        places = [i for i, v in enumerate(self.net.trainable_variables) if v.ref() in recurrent]
        if not places:
            return gradients, tf.constant(0.0)
        chosen = [gradients[i] for i in places]
        norm = tf.linalg.global_norm(chosen)
        if self.config.clip_norm:
            clipped, _ = tf.clip_by_global_norm(chosen, self.config.clip_norm, use_norm=norm)
            gradients = list(gradients)
            for i, gradient in zip(places, clipped):
                gradients[i] = gradient
        return gradients, norm

    def _update_average(self) -> None:
        # A short memory at first, so that the random initial weights are soon forgotten.
        steps = tf.cast(self.optimizer.iterations, tf.float32)
        decay = tf.minimum(self.config.ema_decay, (1 + steps) / (10 + steps))
        for average, weight in zip(self.average.variables, self.net.variables):
            average.assign(average * decay + weight * (1 - decay))


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Adam with the paper's polynomial decay (Sec. 4), scaling the loss under mixed_float16."""
    schedule = keras.optimizers.schedules.PolynomialDecay(
        config.learning_rate,
        config.decay_steps,
        end_learning_rate=config.end_learning_rate,
        power=config.decay_power,
    )
    optimizer = keras.optimizers.Adam(schedule, epsilon=config.adam_epsilon)
    if config.mixed_precision == "float16":
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def make_trainer(config: TrainingConfig, **options) -> Trainer:
    """A compiled trainer with new weights; `options` as `Trainer` takes them.

    Call it under the scope of the distribution strategy.
    """
    mixed = config.mixed_precision
    keras.mixed_precision.set_global_policy("float32" if mixed == "none" else f"mixed_{mixed}")
    trainer = Trainer(config, **options)
    trainer.compile(make_optimizer(config))
    trainer.optimizer.build(trainer.net.trainable_variables)
    return trainer
