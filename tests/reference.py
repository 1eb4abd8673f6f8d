"""The authors' network in plain tf.nn, and checkpoints as their TensorFlow 1 code saves them.

Written from the description of the released model, and shares no code with srn_tf. Weights are a
dict from the authors' variable names to arrays; a network without ConvLSTM has none of that name.
"""

from __future__ import annotations

import numpy as np
import numpy_ops
import tensorflow as tf

LSTM = "g_net/convLSTM/LSTM_conv"
ENCODER = {"enc1": (1, 32), "enc2": (2, 64), "enc3": (2, 128)}  # stride, width
DECODER = {"dec3": ("dec2_4", 128), "dec2": ("dec1_4", 64), "dec1": ("dec1_0", 32)}


def random_weights(channels, lstm, kernel_size=5, res_blocks=3, seed=0):
    """Weights under which the outputs, the gates and the skips all matter."""
    rng = np.random.default_rng(seed)
    weights = {}

    def add(name, *shape, gain=1.0, biases=None):
        deviation = gain * np.sqrt(1 / (shape[0] * shape[1] * min(shape[2:])))
        weights[f"g_net/{name}/weights"] = rng.normal(0, deviation, shape).astype(np.float32)
        biases = rng.normal(0, 0.1, biases or shape[-1])
        weights[f"g_net/{name}/biases"] = biases.astype(np.float32)

    def add_res_blocks(names, width):
        for name in names:
            for part in ("conv1", "conv2"):
                add(f"{name}/{part}", kernel_size, kernel_size, width, width, gain=0.4)

    before = 2 * channels
    for stage, (_, width) in ENCODER.items():
        add(f"{stage}_1", kernel_size, kernel_size, before, width)
        add_res_blocks([f"{stage}_{i + 2}" for i in range(res_blocks)], width)
        before = width
    if lstm:
        add("convLSTM/LSTM_conv", 3, 3, 256, 512)
    for stage, (last, width) in DECODER.items():
        add_res_blocks([f"{stage}_{i + 1}" for i in range(res_blocks)], width)
        if last == "dec1_0":
            add(last, kernel_size, kernel_size, width, channels)
        else:
            add(last, 4, 4, width // 2, width, biases=width // 2)
    return weights


def forward(weights, blurred, resize="legacy", scales=3):
    """The predictions of all scales, finest first, for `[B, H, W, C]` in [0, 1]."""
    halve, double = numpy_ops.RESIZE[resize]
    pyramid = [np.asarray(blurred, np.float32)]
    for _ in range(scales - 1):
        pyramid.append(halve(pyramid[-1]))
    prediction, state, predictions = pyramid[-1], None, []
    for level in reversed(range(scales)):
        if predictions:
            prediction = double(prediction)
            state = [double(tensor) for tensor in state]
        both = np.concatenate([pyramid[level], prediction], axis=-1)
        prediction, state = _one_scale(weights, both, state)
        predictions.insert(0, prediction)
    return predictions


def _one_scale(weights, x, state):
    def conv(name, x, stride=1):
        kernel, bias = weights[f"g_net/{name}/weights"], weights[f"g_net/{name}/biases"]
        return tf.nn.conv2d(x, kernel, stride, "SAME") + bias

    def deconv(name, x):
        kernel, bias = weights[f"g_net/{name}/weights"], weights[f"g_net/{name}/biases"]
        size = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
        return tf.nn.relu(tf.nn.conv2d_transpose(x, kernel, size, 2, "SAME") + bias)

    def res_block(name, x):
        return x + conv(f"{name}/conv2", tf.nn.relu(conv(f"{name}/conv1", x)))

    count = sum("enc1_" in name and name.endswith("conv1/weights") for name in weights)
    encoded = []
    for stage, (stride, _) in ENCODER.items():
        x = tf.nn.relu(conv(f"{stage}_1", x, stride))
        for i in range(count):
            x = res_block(f"{stage}_{i + 2}", x)
        encoded.append(x)
    state = state or []
    if f"{LSTM}/weights" in weights:
        c, h = state or [tf.zeros_like(x)] * 2
        gates = conv("convLSTM/LSTM_conv", tf.concat([x, h], axis=-1))
        i, j, f, o = (gates[..., 128 * k : 128 * (k + 1)] for k in range(4))
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        x = tf.tanh(c) * tf.sigmoid(o)
        state = [c, x]
    for stage, (last, _) in DECODER.items():
        for i in reversed(range(count)):
            x = res_block(f"{stage}_{i + 1}", x)
        if last == "dec1_0":
            return conv(last, x).numpy(), [tensor.numpy() for tensor in state]
        x = deconv(last, x) + encoded[1 if stage == "dec3" else 0]
    raise AssertionError("the decoder has no last stage")


def write_tf1_checkpoint(path, weights):
    """Saves `weights`, with what else a training of TensorFlow 1 saves, as `path`-523000."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        values = {
            **weights,
            "beta1_power": np.float32(0.5),
            "beta2_power": np.float32(0.9),
            "Variable": np.int32(523000),
        }
        for name in list(weights)[:2]:
            values[f"{name}/Adam"] = values[f"{name}/Adam_1"] = np.zeros_like(weights[name])
        for name, value in values.items():
            tf.compat.v1.get_variable(name, initializer=tf.constant(value), use_resource=False)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        return saver.save(session, str(path), global_step=523000, write_meta_graph=False)


def relative_error(found, expected):
    """||found - expected|| / ||expected||."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)
