"""The modules in the bottleneck that carry information from scale to scale (Sec. 3.1, Eq. 2).

Every cell is a layer, called as `output, state = cell(features, state)`. The features and every
tensor of the state are `[B, h, w, filters]`; a state is a list of `state_count` tensors, zeros at
the coarsest scale and resized between scales by the caller. Kernels are 3x3 as in the released
code, also in the 5x5 network. `*` is convolution, `.` the elementwise product, `s` the logistic
function. A further cell is a class here and a line in the table `RECURRENT` of variants.py.
"""

from __future__ import annotations

import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.layers import Conv

State = list[tf.Tensor]


class ConvLSTM2D(keras.layers.Layer):
    """Convolutional LSTM; its state is `[c, h]`.

        i, j, f, o = W * [x, h] + b      (one convolution, split in this order)
        c' = s(f + 1) . c + s(i) . tanh(j)
        h' = s(o) . tanh(c'),            which is also the output

    The forget gate's 1 is added when running, it is not part of the bias. The kernel starts as
    truncated normal with a standard deviation of 0.001.
    """

    state_count = 2

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        start = keras.initializers.TruncatedNormal(stddev=1e-3)
        self.gates = Conv(4 * filters, 3, activation=None, kernel_initializer=start, name="gates")

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        c, h = state
        i, j, f, o = tf.split(self.gates(tf.concat([features, h], axis=-1)), 4, axis=-1)
        c = c * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
        return h, [c, h]


class ConvRNN2D(keras.layers.Layer):
    """Convolutional Elman network (variant RNN); its state is `[h]`.

    h' = tanh(Wx * x + Wh * h + bx + bh)
    y = relu(Wy * h' + by)
    """

    state_count = 1

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.input_conv = Conv(filters, 3, activation=None, name="input")
        self.hidden_conv = Conv(filters, 3, activation=None, name="hidden")
        self.output_conv = Conv(filters, 3, name="output")

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        h = tf.tanh(self.input_conv(features) + self.hidden_conv(state[0]))
        return self.output_conv(h), [h]


class ConvGRU2D(keras.layers.Layer):
    """Convolutional gated recurrent unit, the third choice of Sec. 3.1; its state is `[h]`.

    z, r = s(W * [x, h] + b)         (one convolution, split in this order)
    n = tanh(V * [x, r . h] + d)
    h' = (1 - z) . h + z . n,        which is also the output
    """

    state_count = 1

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.gates = Conv(2 * filters, 3, activation="sigmoid", name="gates")
        self.candidate = Conv(filters, 3, activation="tanh", name="candidate")

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        (h,) = state
        z, r = tf.split(self.gates(tf.concat([features, h], axis=-1)), 2, axis=-1)
        n = self.candidate(tf.concat([features, r * h], axis=-1))
        h = (1 - z) * h + z * n
        return h, [h]


class ConvCell(keras.layers.Layer):
    """One convolution with ReLU in place of a recurrent module: SS, SC, w/o R, SR-Flat, SR-RB."""

    state_count = 0

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.conv = Conv(filters, 3, name="conv")

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        return self.conv(features), state


class NoCell(keras.layers.Layer):
    """Nothing in the bottleneck: the released `gray` and `color` models."""

    state_count = 0

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        return features, state
