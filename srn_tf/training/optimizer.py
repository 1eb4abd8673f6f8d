"""Adam and the learning rate's decay, as the paper has them (Sec. 4)."""

from __future__ import annotations

from srn_tf.common.keras import keras
from srn_tf.training.configuration import TrainingConfig


def make_schedule(config: TrainingConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """The paper's polynomial decay (Sec. 4)."""
    return keras.optimizers.schedules.PolynomialDecay(
        config.learning_rate,
        config.decay_steps,
        end_learning_rate=config.end_learning_rate,
        power=config.decay_power,
    )


def make_adam(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Adam with the paper's polynomial decay (Sec. 4)."""
    # By default Keras compiles the update with XLA where a GPU is: another path than the proven
    # one, and 86 compilations for SR-EDRB3.
    return keras.optimizers.Adam(
        make_schedule(config), epsilon=config.adam_epsilon, jit_compile=False
    )


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """`make_adam`, scaling the loss under mixed_float16."""
    optimizer = make_adam(config)
    if config.mixed_precision == "float16":
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer
