"""One training step: loss, gradients, clipping, update.

A step is one call of one graph. Each replica computes the losses and gradients of its share of the
batch, which are summed over all replicas and applied on each. A step that is not finite changes
nothing. Unless such steps are to be left out, no later step changes anything either, until the host
has looked (`check`), which it does before it logs or saves. So the host has to wait for no step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import RunError
from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.resize import image_pyramid
from srn_tf.training.adversarial import Adversary
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.losses import image_weights, mean_psnr, multi_scale_loss, total_variation_loss
from srn_tf.training.optimizer import Adam, learning_rate


class NonFiniteStep(RunError):
    """A loss or gradient that is not finite; `step` counts from 1, as in the log."""

    def __init__(self, step: int):
        super().__init__(f"step {step}: loss or gradient is not finite")
        self.step = step


class NonFiniteWeights(RunError):
    """Weights or moments that are not finite: not worth saving."""

    def __init__(self, step: int):
        super().__init__(
            f"step {step} or one shortly before: finite gradients, but an update that is not"
        )


class Trainer(tf.Module):
    """A network with all that its training changes: optimizer, step, average of weights.

    Made under the scope of the distribution strategy.

    Args:
      config: what shapes the weights.
      accumulate: parts into which each batch is cut to save memory.
      jit_compile: compile the gradients with XLA.
      skip_nonfinite: leave out steps that are not finite instead of stopping.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        accumulate: int = 1,
        jit_compile: bool = False,
        skip_nonfinite: bool = False,
    ):
        super().__init__(name="trainer")
        self.config, self.accumulate, self.skip_nonfinite = config, accumulate, skip_nonfinite
        self.strategy = tf.distribute.get_strategy()
        with _policy(config.mixed_precision):
            self.net = build_model(config.variant)
            self.average = build_model(config.variant) if config.ema_decay else None
            self.adversary = Adversary(config) if config.adversarial else None
        scaled = config.mixed_precision == "float16"
        self.optimizer = Adam(config, self.net.trainable_variables, scaled)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False, name="skipped")
        scales = range(1, config.variant.scales + 1)
        self.log_names = [
            *("loss", "psnr", "recurrent_gradient_norm", "learning_rate"),
            *(f"{what}_scale{scale}" for what in ("loss", "gain") for scale in scales),
            *(Adversary.LOSSES if config.adversarial else ()),
        ]
        self._sums = tf.Variable(tf.zeros([2, len(self.log_names)]), trainable=False)
        self._stopped = tf.Variable(False, trainable=False)  # by a step that was not finite
        self._losses_and_gradients = tf.function(
            self._compute_losses_and_gradients,
            jit_compile=jit_compile,
            reduce_retracing=True,
            autograph=False,
        )

    def inference_net(self) -> ScaleRecurrentNet:
        """The network whose weights are meant for inference."""
        return self.average or self.net

    def checkpointed(self) -> dict[str, tf.Module]:
        """What a checkpoint holds, by name; the position in the data is the step."""
        names = ("net", "average", "optimizer", "adversary", "step", "skipped")
        parts = {name: getattr(self, name) for name in names}
        return {name: part for name, part in parts.items() if part is not None}

    def make_step(self, crop: Callable | None = None) -> Callable:
        """`step(*element)`: does one training step on all replicas, in one graph.

        Args:
          crop: `crop(*element)` makes blurred and sharp, float32 `[B, H, W, C]` in [0, 1]; without
            it the elements are these two.
        """
        return tf.function(lambda *element: self._step(element, crop), autograph=False)

    def _step(self, element: tuple, crop: Callable | None) -> None:
        def on_replica(*element):
            return self._update(*self.gradients(*(crop(*element) if crop else element)))

        results = self.strategy.run(on_replica, args=element)
        values, finite, applied = (
            self.strategy.experimental_local_results(result)[0] for result in results
        )
        skips = tf.constant(self.skip_nonfinite)
        scale = self.optimizer.loss_scale
        if scale:
            # Gradients overflow while the loss scale is too large: such steps are left out as long
            # as there is a smaller one.
            loss_is_finite = tf.math.is_finite(values[self.log_names.index("loss")])
            skips |= loss_is_finite & (scale.current_loss_scale > 1)
        skipped = ~finite & ~self._stopped & skips
        if scale:
            scale.update(applied, skipped)
        self._stopped.assign(self._stopped | ~(finite | skips))
        self.optimizer.iterations.assign_add(tf.cast(applied, tf.int64))
        if self.adversary is not None:
            self.adversary.optimizer.iterations.assign_add(tf.cast(applied, tf.int64))
        self.skipped.assign_add(tf.cast(skipped, tf.int64))
        self.step.assign_add(tf.cast(applied | skipped, tf.int64))
        counted = tf.math.is_finite(values)  # a step that is left out has others
        self._sums.assign_add([tf.where(counted, values, 0.0), tf.cast(counted, tf.float32)])

    def gradients(self, blurred: tf.Tensor, sharp: tf.Tensor) -> tuple[tf.Tensor, list, list]:
        """What is logged, and the gradients of network and adversary, the recurrent ones clipped.

        Runs on each replica with its share of the batch; the results are those of all together.
        """
        logs, gradients = self._accumulated(blurred, sharp)
        replicas = self.strategy.num_replicas_in_sync
        if replicas > 1:
            logs, gradients = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM,
                tf.nest.map_structure(lambda x: x / replicas, (logs, gradients)),
            )
        count = len(self.net.trainable_variables)
        gradients, others = gradients[:count], gradients[count:]
        if self.optimizer.loss_scale:
            scale = self.optimizer.loss_scale.current_loss_scale
            gradients = [gradient / scale for gradient in gradients]
        gradients, logs["recurrent_gradient_norm"] = self._clip_recurrent(gradients)
        logs["learning_rate"] = learning_rate(self.config, self.optimizer.iterations)
        return tf.stack([logs[name] for name in self.log_names]), gradients, others

    def _update(self, values: tf.Tensor, gradients: list, others: list) -> tuple:
        """Applies the gradients on this replica where all is finite; tells so beside `values`."""
        loss = values[self.log_names.index("loss")]
        norm = tf.linalg.global_norm([*gradients, *others])
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        applied = finite & ~self._stopped
        self.optimizer.update(self.net.trainable_variables, gradients, applied)
        if self.adversary:
            self.adversary.update(others, applied)
        if self.average:
            self._update_average(applied)
        return values, finite, applied

    def check(self) -> None:
        """Waits for the steps so far and raises what they could not.

        Raises:
          NonFiniteWeights: an update has made weights that are not finite.
          NonFiniteStep: a loss or gradient was not finite; nothing has changed since.
        """
        kept = [*self.net.variables, *self.optimizer.moments]
        kept += self.average.variables if self.average else []
        kept += self.adversary.variables if self.adversary else []
        # Not a graph: to build one takes longer than all the calls of a short run.
        finite = [tf.reduce_all(tf.math.is_finite(v)) for v in kept if v.dtype.is_floating]
        if not tf.reduce_all(finite):
            raise NonFiniteWeights(int(self.step.numpy()))
        if self._stopped.numpy():
            raise NonFiniteStep(int(self.step.numpy()) + 1)

    def take_logs(self) -> dict[str, float]:
        """Means over the steps since the last call: losses, PSNR and gains in dB, gradient norm.

        "gain_scaleN" is the PSNR of the prediction minus that of the blurred input at that scale;
        the norm is that of the recurrent module's gradients before clipping. Values that are not
        finite, as those of a step that was left out, are not counted. "skipped" is the number of
        steps left out in the whole run, "loss_scaling" what float16 multiplies the loss by.
        """
        sums, counts = self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        logs = dict(zip(self.log_names, means.tolist()))
        logs["skipped"] = float(self.skipped.numpy())
        if self.optimizer.loss_scale:
            logs["loss_scaling"] = float(self.optimizer.loss_scale.current_loss_scale.numpy())
        return logs

    def _accumulated(self, blurred: tf.Tensor, sharp: tf.Tensor):
        """Logs and gradients of a batch, computed in `accumulate` equal parts one after another."""
        if self.accumulate == 1:
            return self._losses_and_gradients(blurred, sharp)
        size = blurred.shape[0] // self.accumulate

        def add_part(part, total):
            here = slice(part * size, (part + 1) * size)
            new = self._losses_and_gradients(
                tf.ensure_shape(blurred[here], [size, *blurred.shape[1:]]),
                tf.ensure_shape(sharp[here], [size, *sharp.shape[1:]]),
            )
            return part + 1, tf.nest.map_structure(tf.add, total, new)

        # A loop of the graph, so that the memory of one part is free before the next begins.
        _, total = tf.while_loop(
            lambda part, total: part < self.accumulate,
            add_part,
            (1, self._losses_and_gradients(blurred[:size], sharp[:size])),
            parallel_iterations=1,
        )
        return tf.nest.map_structure(lambda x: x / self.accumulate, total)

    def _compute_losses_and_gradients(self, blurred: tf.Tensor, sharp: tf.Tensor):
        config, adversary, logs = self.config, self.adversary, {}
        rule = config.variant.resize
        with tf.GradientTape(persistent=adversary is not None) as tape:
            predictions = self.net(blurred)
            weights = image_weights(blurred, sharp, config.relative_loss)
            losses = multi_scale_loss(predictions, sharp, rule, weights, config.loss)
            loss = tf.add_n(losses)
            if config.total_variation:
                loss += config.total_variation * total_variation_loss(predictions)
            if adversary:
                logs = adversary.losses(predictions[0], sharp)
                loss += config.adversarial * logs["loss_adversarial"]
            scaled = loss
            if self.optimizer.loss_scale:
                scaled *= self.optimizer.loss_scale.current_loss_scale
        gradients = tape.gradient(scaled, self.net.trainable_variables)
        if adversary:
            gradients += adversary.gradients(tape, logs)
        inputs, targets = (image_pyramid(x, len(predictions), rule) for x in (blurred, sharp))
        logs["loss"] = loss
        for scale, prediction in reversed(list(enumerate(predictions, start=1))):
            psnr = mean_psnr(tf.clip_by_value(prediction, 0.0, 1.0), targets[scale - 1])
            logs[f"loss_scale{scale}"] = losses[scale - 1]
            logs[f"gain_scale{scale}"] = psnr - mean_psnr(inputs[scale - 1], targets[scale - 1])
        logs["psnr"] = psnr  # of the finest scale
        return logs, gradients

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

    def _update_average(self, applied: tf.Tensor) -> None:
        # A short memory at first, so that the random initial weights are soon forgotten.
        steps = tf.cast(self.optimizer.iterations + 1, tf.float32)
        decay = tf.minimum(self.config.ema_decay, (1 + steps) / (10 + steps))
        decay = tf.where(applied, decay, 1.0)
        rest = 1 - decay
        for average, weight in zip(self.average.variables, self.net.variables):
            # By its handle: on this replica alone, without a copy to the others.
            mean = average * decay + weight * rest
            tf.raw_ops.AssignVariableOp(resource=average.handle, value=mean)


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
