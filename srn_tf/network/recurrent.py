"""The modules in the bottleneck that carry information from scale to scale (Sec. 3.1, Eq. 2).

Every cell is called as `output, state = cell(features, state)`. The features and every tensor of
the state are `[B, h, w, filters]`; a state is a list of tensors, empty for a cell without memory.
The caller starts with `cell.initial_state(features)` (zeros) and resizes the state between scales.
Kernels are 3x3 as in the released code, also in the 5x5 network. `*` is convolution, `.` the
elementwise product, `s` the logistic function.
"""

from __future__ import annotations

import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.layers import conv

_KERNEL_SIZE = 3


@keras.utils.register_keras_serializable("srn_tf")
class ConvCell(keras.layers.Layer):
    """What all cells share: `filters` and a zero state. By itself, one convolution with ReLU.

    It takes the place of the recurrent module in SS, SC, w/o R, SR-Flat and SR-RB.

    Args:
      filters: number of channels of the features, the output and each tensor of the state.
    """

    state_count = 0

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self._make_layers()

    def _make_layers(self) -> None:
        self.conv = conv("conv", self.filters, _KERNEL_SIZE)

    def initial_state(self, features: tf.Tensor) -> list[tf.Tensor]:
        """Zeros `[B, h, w, filters]` for features of that size."""
        return [tf.zeros_like(features) for _ in range(self.state_count)]

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return self.conv(features), state

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters}


@keras.utils.register_keras_serializable("srn_tf")
class NoCell(ConvCell):
    """Nothing in the bottleneck: the released `gray` and `color` models."""

    def _make_layers(self) -> None:
        pass

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return features, state


@keras.utils.register_keras_serializable("srn_tf")
class ConvLSTM2D(ConvCell):
    """Convolutional LSTM; its state is `[c, h]`.

        i, j, f, o = W * [x, h] + b      (one convolution, split in this order)
        c' = s(f + 1) . c + s(i) . tanh(j)
        h' = s(o) . tanh(c'),            which is also the output

    The forget gate's 1 is added when running, it is not part of the bias. The kernel starts as
    truncated normal with a standard deviation of 0.001.
    """

    state_count = 2

    def _make_layers(self) -> None:
        self.gates = conv(
            "gates",
            4 * self.filters,
            _KERNEL_SIZE,
            activation=None,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=1e-3),
        )

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        c, h = state
        i, j, f, o = tf.split(self.gates(tf.concat([features, h], axis=-1)), 4, axis=-1)
        c = c * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
        return h, [c, h]


@keras.utils.register_keras_serializable("srn_tf")
class ConvRNN2D(ConvCell):
    """Convolutional Elman network (variant RNN); its state is `[h]`.

    h' = tanh(Wx * x + Wh * h + bx + bh)
    y = relu(Wy * h' + by)
    """

    state_count = 1

    def _make_layers(self) -> None:
        self.input_conv = conv("input", self.filters, _KERNEL_SIZE, activation=None)
        self.hidden_conv = conv("hidden", self.filters, _KERNEL_SIZE, activation=None)
        self.output_conv = conv("output", self.filters, _KERNEL_SIZE)

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        h = tf.tanh(self.input_conv(features) + self.hidden_conv(state[0]))
        return self.output_conv(h), [h]


@keras.utils.register_keras_serializable("srn_tf")
class ConvGRU2D(ConvCell):
    """Convolutional gated recurrent unit, the third choice of Sec. 3.1; its state is `[h]`.

    z, r = s(W * [x, h] + b)         (one convolution, split in this order)
    n = tanh(V * [x, r . h] + d)
    h' = (1 - z) . h + z . n,        which is also the output
    """

    state_count = 1

    def _make_layers(self) -> None:
        self.gates = conv("gates", 2 * self.filters, _KERNEL_SIZE, activation="sigmoid")
        self.candidate = conv("candidate", self.filters, _KERNEL_SIZE, activation="tanh")

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        (h,) = state
        z, r = tf.split(self.gates(tf.concat([features, h], axis=-1)), 2, axis=-1)
        n = self.candidate(tf.concat([features, r * h], axis=-1))
        h = (1 - z) * h + z * n
        return h, [h]


CELLS = {
    "conv_lstm": ConvLSTM2D,
    "conv_rnn": ConvRNN2D,
    "conv_gru": ConvGRU2D,
    "conv": ConvCell,
    "none": NoCell,
}
