"""One training step, as a Keras model to `fit`: crop, loss, gradients, clipping, update.

A step is one call of one graph. On every replica `gradient_step` crops its share of the batch and
computes losses and gradients, which are summed over all replicas; `update_step` applies them if
they are finite. A step that is not finite touches nothing. Unless such steps are to be left out, it
also latches: no later step touches anything either, until the host has looked (`check`), which it
does before it saves or says anything. So the host has to wait for no step.
"""

from __future__ import annotations

import contextlib

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import RunError
from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.resize import image_pyramid
from srn_tf.training.adversarial import Adversary
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.data_wait import Waiting
from srn_tf.training.losses import image_weights, mean_psnr, multi_scale_loss, total_variation_loss
from srn_tf.training.optimizer import make_optimizer, make_schedule


class NonFiniteStep(RunError):
    """A loss or gradient that is not finite; `step` counts from 1, as in the log."""

    def __init__(self, step: int):
        super().__init__(f"step {step}: loss or gradient is not finite")
        self.step = step


class NonFiniteWeights(RunError):
    """Weights, or what the optimizer keeps, that are not finite: nothing to be saved."""

    def __init__(self, step: int):
        super().__init__(
            f"step {step} or one shortly before: finite gradients, but an update that is not"
        )


def images_as_they_are(blurred: tf.Tensor, sharp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What crops a batch of images that need no cropping."""
    return blurred, sharp


class Trainer(keras.Model):
    """A network with what its training keeps: optimizer, step, average of weights.

    Made (as `compile` is called) under the scope of the distribution strategy. `fit` takes a data
    set of whatever `crop` makes blurred and sharp images of: float32 `[B, H, W, C]` in [0, 1].
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
        self.crop = images_as_they_are
        self.net = build_model(config.variant)
        self.average = build_model(config.variant) if config.ema_decay else None
        self.adversary = Adversary(config) if config.adversarial else None
        self.schedule = make_schedule(config)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False, name="skipped")
        self.waiting = Waiting()
        scales = range(1, config.variant.scales + 1)
        self.log_names = [
            *("loss", "psnr", "recurrent_gradient_norm", "learning_rate"),
            *(f"{what}_scale{scale}" for what in ("loss", "gain") for scale in scales),
            *(Adversary.LOSSES if config.adversarial else ()),
        ]
        self._sums = tf.Variable(tf.zeros([2, len(self.log_names)]), trainable=False)
        self._latch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._losses_and_gradients = tf.function(
            self._compute_losses_and_gradients, jit_compile=jit_compile, reduce_retracing=True
        )

    def inference_net(self) -> ScaleRecurrentNet:
        """The network whose weights are meant for inference."""
        return self.average or self.net

    def call(self, blurred: tf.Tensor) -> list[tf.Tensor]:
        return self.net(blurred)

    def make_train_function(self, force: bool = False):
        """What `fit` calls with the data iterator for each step; the logs stay on the device."""
        if self.train_function is None or force:
            step = tf.function(self.step_on_all_replicas)

            def train_function(iterator):
                step(self.waiting.next(iterator))
                return {}

            self.train_function = train_function
        return self.train_function

    def step_on_all_replicas(self, batch: tuple) -> None:
        """One step, in the context of all replicas."""
        strategy = self.distribute_strategy
        results = strategy.run(self.gradient_step, args=batch)
        values, finite = (strategy.experimental_local_results(r)[0] for r in results[:2])

        def update():
            strategy.run(self.update_step, args=(results[2],))
            if self.average is not None:
                self._update_average()
            self.step.assign_add(1)

        def leave_out():
            if self.skip_nonfinite:
                self.skipped.assign_add(1)
                self.step.assign_add(1)
            else:
                self._latch.assign(1)

        tf.cond(finite & (self._latch == 0), update, leave_out)
        counted = tf.math.is_finite(values)  # a step that is left out has others
        self._sums.assign_add([tf.where(counted, values, 0.0), tf.cast(counted, tf.float32)])

    def check(self) -> None:
        """Waits for the steps so far; raises what none of them could.

        Raises:
          NonFiniteWeights: an update has made weights that are not finite.
          NonFiniteStep: a loss or gradient was not finite; nothing has changed since.
        """
        latch, weights_are_finite = self._latch_and_weights().numpy()
        if not weights_are_finite:
            raise NonFiniteWeights(int(self.step.numpy()))
        if latch:
            raise NonFiniteStep(int(self.step.numpy()) + 1)

    def take_logs(self) -> dict[str, float]:
        """Means over the steps since the last call: losses, PSNR and gains in dB, gradient norm.

        "gain_scaleN" is the PSNR of the prediction minus that of the blurred input at that scale;
        the norm is that of the recurrent module's gradients before clipping. Values that are not
        finite, as those of a step that was left out, are not counted.
        """
        sums, counts = self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        return dict(zip(self.log_names, means.tolist()))

    def gradient_step(self, *batch) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """What is logged, whether all is finite, and the gradients, the recurrent ones clipped.

        Runs on each replica with its share of the batch; the results are those of all together.
        The gradients of the adversary, where there is one, follow those of the network.
        """
        blurred, sharp = self.crop(*batch)
        logs, gradients = self._accumulated(blurred, sharp)
        replica = tf.distribute.get_replica_context()
        logs, gradients = replica.all_reduce(
            tf.distribute.ReduceOp.SUM,
            tf.nest.map_structure(lambda x: x / replica.num_replicas_in_sync, (logs, gradients)),
        )
        gradients, others = self._split(gradients)
        if self._loss_scaling:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        finite = self._is_finite(logs["loss"], gradients)
        if others:
            finite &= tf.math.is_finite(tf.linalg.global_norm(others))
        gradients, logs["recurrent_gradient_norm"] = self._clip_recurrent(gradients)
        logs["learning_rate"] = self.schedule(self.optimizer.iterations)
        values = tf.stack([logs[name] for name in self.log_names])
        return values, finite, [*gradients, *others]

    def update_step(self, gradients: list[tf.Tensor]) -> None:
        """Applies gradients that `gradient_step` has summed over the replicas already."""
        gradients, others = self._split(gradients)
        self.optimizer.apply_gradients(
            zip(gradients, self.net.trainable_variables), skip_gradients_aggregation=True
        )
        if others:
            self.adversary.update(others)

    def _split(self, gradients: list[tf.Tensor]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Those of the network and those of the adversary."""
        count = len(self.net.trainable_variables)
        return gradients[:count], gradients[count:]

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
        rule = self.config.variant.resize
        adversary, logs = self.adversary, {}
        with tf.GradientTape(persistent=adversary is not None) as tape:
            predictions = self.net(blurred)
            weights = image_weights(blurred, sharp, self.config.relative_loss)
            losses = multi_scale_loss(predictions, sharp, rule, weights)
            loss = tf.add_n(losses)
            if self.config.total_variation:
                loss += self.config.total_variation * total_variation_loss(predictions)
            if adversary is not None:
                logs = adversary.losses(predictions[0], sharp)
                loss += self.config.adversarial * logs["loss_adversarial"]
            scaled = self.optimizer.get_scaled_loss(loss) if self._loss_scaling else loss
        gradients = tape.gradient(scaled, self.net.trainable_variables)
        if adversary is not None:
            gradients += adversary.gradients(tape, logs)
        inputs, targets = (image_pyramid(x, len(predictions), rule) for x in (blurred, sharp))
        logs["loss"] = loss
        for scale, prediction in reversed(list(enumerate(predictions, start=1))):
            psnr = mean_psnr(tf.clip_by_value(prediction, 0.0, 1.0), targets[scale - 1])
            logs[f"loss_scale{scale}"] = losses[scale - 1]
            logs[f"gain_scale{scale}"] = psnr - mean_psnr(inputs[scale - 1], targets[scale - 1])
        logs["psnr"] = psnr  # of the finest scale
        return logs, gradients

    def _is_finite(self, loss: tf.Tensor, gradients: list[tf.Tensor]) -> tf.Tensor:
        finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        if self._loss_scaling:
            # Gradients overflow while the optimizer looks for its loss scale: it leaves such a
            # step out by itself, and tries a smaller scale as long as there is one.
            finite |= self.optimizer.loss_scale > 1
        return tf.math.is_finite(loss) & finite

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

    def _latch_and_weights(self) -> tf.Tensor:
        # Not a graph: to build one takes longer than all the calls of a short run.
        kept = [*self.net.variables, *self.optimizer.variables]
        kept += self.average.variables if self.average is not None else []
        kept += self.adversary.kept if self.adversary is not None else []
        finite = [tf.reduce_all(tf.math.is_finite(v)) for v in kept if v.dtype.is_floating]
        return tf.stack([self._latch, tf.cast(tf.reduce_all(finite), tf.int64)])


def make_trainer(config: TrainingConfig, **options) -> Trainer:
    """A compiled trainer with new weights; `options` as `Trainer` takes them.

    Call it under the scope of the distribution strategy.
    """
    with _policy(config.mixed_precision):
        trainer = Trainer(config, **options)
    trainer.compile(make_optimizer(config))
    trainer.optimizer.build(trainer.net.trainable_variables)
    return trainer


@contextlib.contextmanager
def _policy(mixed_precision: str):
    """Layers made inside compute in that type; the policy is a global of Keras."""
    before = keras.mixed_precision.global_policy()
    wanted = "float32" if mixed_precision == "none" else f"mixed_{mixed_precision}"
    keras.mixed_precision.set_global_policy(wanted)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
