"""The blocks of Fig. 3 against NumPy, with random weights and biases."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from numpy_ops import conv, deconv, relu
from precision import global_policy

from srn_tf.network.layers import DBlock, EBlock, OutBlock, ResBlock
from srn_tf.network.variants import VARIANTS

ONE = dataclasses.replace(VARIANTS["SR-EDRB1"], channels=1)
WIDE = dataclasses.replace(ONE, blocks=2, kernel_size=5)
PLAIN = dataclasses.replace(ONE, block="plain")
FLAT = dataclasses.replace(ONE, encoder_decoder=False)
LAYERS = {
    "ResBlock": (ResBlock, (4, 3), (5, 7, 4)),
    "plain ResBlock": (ResBlock, (4, 5, False), (5, 7, 4)),
    "InBlock": (EBlock, (4, 1, WIDE), (5, 7, 6)),
    "EBlock": (EBlock, (6, 2, ONE), (5, 8, 4)),
    "flat EBlock": (EBlock, (6, 1, FLAT), (5, 8, 4)),
    "DBlock": (DBlock, (4, PLAIN), (3, 5, 4)),
    "flat DBlock": (DBlock, (4, FLAT), (3, 5, 4)),
    "OutBlock": (OutBlock, (4, ONE), (5, 7, 4)),
}


def make(name):
    """A layer of LAYERS with random variables, and an input for it."""
    layer_class, options, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (2, *shape)).astype(np.float32)
    layer = layer_class(*options, name="tested")
    layer(x)
    for variable in layer.variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    return layer, x


def weights(layer):
    """`[kernel, bias]` by the layer's path, such as "block1/conv2"."""
    found = {}
    for variable in layer.variables:
        path, _, _ = variable.name.partition("tested/")[2].rpartition("/")
        found.setdefault(path, []).append(variable.numpy())
    return found


def res_block(x, w, name):
    return x + conv(relu(conv(x, *w[f"{name}conv1"])), *w[f"{name}conv2"])


def plain_block(x, w, name):
    return relu(conv(relu(conv(x, *w[f"{name}conv1"])), *w[f"{name}conv2"]))


def in_block(x, w):
    x = relu(conv(x, *w["conv"]))
    return res_block(res_block(x, w, "block1/"), w, "block2/")


EXPECTED = {
    "ResBlock": lambda x, w: res_block(x, w, ""),
    "plain ResBlock": lambda x, w: plain_block(x, w, ""),
    "InBlock": in_block,
    "EBlock": lambda x, w: res_block(relu(conv(x, *w["conv"], stride=2)), w, "block1/"),
    "flat EBlock": lambda x, w: res_block(relu(conv(x, *w["conv"])), w, "block1/"),
    "DBlock": lambda x, w: relu(deconv(plain_block(x, w, "block1/"), *w["deconv"])),
    "flat DBlock": lambda x, w: relu(conv(res_block(x, w, "block1/"), *w["conv"])),
    "OutBlock": lambda x, w: conv(res_block(x, w, "block1/"), *w["conv"]),
}
SHAPES = {
    "ResBlock": (5, 7, 4),
    "plain ResBlock": (5, 7, 4),
    "InBlock": (5, 7, 4),
    "EBlock": (3, 4, 6),
    "flat EBlock": (5, 8, 6),
    "DBlock": (6, 10, 2),
    "flat DBlock": (3, 5, 2),
    "OutBlock": (5, 7, 1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_its_definition(name):
    layer, x = make(name)
    output = layer(x)
    assert output.shape == (2, *SHAPES[name])
    np.testing.assert_allclose(output, EXPECTED[name](x, weights(layer)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["ResBlock", "OutBlock"])
def test_no_relu_after_the_sum_nor_after_the_last_convolution(name):
    layer, x = make(name)
    assert np.min(layer(x)) < -1


def test_fresh_layer_has_xavier_kernels_and_zero_biases():
    layer = EBlock(64, 2, ONE)
    layer(np.zeros((1, 8, 8, 32), np.float32))
    kernel, bias = layer.conv.kernel.numpy(), layer.conv.bias.numpy()
    limit = np.sqrt(6 / (9 * 32 + 9 * 64))
    assert np.abs(kernel).max() <= limit
    np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.03)
    assert not bias.any()


def test_stride_2_pads_even_sizes_at_the_bottom_and_right_only():
    layer = EBlock(1, 2, ONE)
    layer(np.zeros((1, 4, 4, 1), np.float32))
    for variable in layer.variables:
        variable.assign(tf.zeros_like(variable))
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    corner = np.zeros((3, 3, 1, 1), np.float32)
    corner[0, 0] = 1  # the first pixel under the kernel: outside of the image if padded there
    layer.conv.kernel.assign(corner)
    np.testing.assert_array_equal(layer(image)[0, :, :, 0], [[0, 2], [8, 10]])
    layer.conv.kernel.assign(corner[::-1, ::-1])
    np.testing.assert_array_equal(layer(image)[0, :, :, 0], [[10, 0], [0, 0]])


@pytest.mark.parametrize("name", LAYERS)
def test_mixed_precision_computes_in_float16_and_keeps_float32_weights(name):
    with global_policy("mixed_float16"):
        layer, x = make(name)
        output = layer(x)
    assert output.dtype == (tf.float32 if name == "OutBlock" else tf.float16)
    assert {variable.dtype for variable in layer.variables} == {tf.float32}
    expected = EXPECTED[name](x, weights(layer))
    error = np.abs(output - expected).max() / np.abs(expected).max()
    assert 1e-6 < error < 1e-2
