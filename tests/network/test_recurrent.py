"""The cells of the bottleneck against NumPy computations of their equations."""

import numpy as np
import pytest
import tensorflow as tf
from numpy_ops import conv, relu, sigmoid
from precision import global_policy

from srn_tf.network import recurrent
from srn_tf.network.recurrent import ConvLSTM2D
from srn_tf.network.variants import RECURRENT

FILTERS = 3
SHAPE = (2, 5, 6, FILTERS)
CELLS = {kind: getattr(recurrent, name) for kind, name in RECURRENT.items()}


def make(kind):
    """A cell with random variables, features and a state."""
    rng = np.random.default_rng(0)
    features, *state = (
        rng.normal(0, 1, SHAPE).astype(np.float32) for _ in range(1 + CELLS[kind].state_count)
    )
    cell = CELLS[kind](FILTERS, name="tested")
    cell(features, state)
    for variable in cell.variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    return cell, features, state


def lstm(x, state, gates):
    c, h = state
    everything = conv(np.concatenate([x, h], axis=-1), *gates)
    i, j, f, o = (everything[..., k * FILTERS : (k + 1) * FILTERS] for k in range(4))
    c = c * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
    h = np.tanh(c) * sigmoid(o)
    return h, [c, h]


def rnn(x, state, input_conv, hidden_conv, output_conv):
    h = np.tanh(conv(x, *input_conv) + conv(state[0], *hidden_conv))
    return relu(conv(h, *output_conv)), [h]


def gru(x, state, gates, candidate):
    (h,) = state
    both = sigmoid(conv(np.concatenate([x, h], axis=-1), *gates))
    update, reset = both[..., :FILTERS], both[..., FILTERS:]
    new = np.tanh(conv(np.concatenate([x, reset * h], axis=-1), *candidate))
    h = (1 - update) * h + update * new
    return h, [h]


EQUATIONS = {
    "conv_lstm": (lstm, ["gates"]),
    "conv_rnn": (rnn, ["input", "hidden", "output"]),
    "conv_gru": (gru, ["gates", "candidate"]),
    "conv": (lambda x, state, w: (relu(conv(x, *w)), []), ["conv"]),
    "none": (lambda x, state: (x, []), []),
}


def expected(kind, cell, features, state):
    equations, names = EQUATIONS[kind]
    weights = {variable.name: variable.numpy() for variable in cell.variables}
    pairs = [(weights[f"tested/{n}/kernel:0"], weights[f"tested/{n}/bias:0"]) for n in names]
    assert len(weights) == 2 * len(names)
    return equations(features, state, *pairs)


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("kind", RECURRENT)
def test_cell_equals_its_equations(kind, mode):
    cell, features, state = make(kind)
    call = tf.function(cell) if mode == "graph" else cell
    wanted_output, wanted_state = expected(kind, cell, features, state)
    output, new_state = call(tf.constant(features), [tf.constant(tensor) for tensor in state])
    np.testing.assert_allclose(output, wanted_output, atol=1e-5)
    assert len(new_state) == len(wanted_state) == cell.state_count
    for found, wanted in zip(new_state, wanted_state):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_lstm_with_zero_weights_forgets_by_a_gate_of_one():
    cell, features, (c, h) = make("conv_lstm")
    for variable in cell.variables:
        variable.assign(tf.zeros_like(variable))
    output, (new_c, _) = cell(features, [c, h])
    np.testing.assert_allclose(new_c, c * 0.7310586, atol=1e-6)  # the logistic function of 1
    np.testing.assert_allclose(output, np.tanh(c * 0.7310586) / 2, atol=1e-6)


def test_fresh_lstm_has_a_small_truncated_normal_kernel_and_zero_biases():
    cell = ConvLSTM2D(32)
    features = tf.zeros([1, 4, 4, 32])
    cell(features, [features] * cell.state_count)
    kernel, bias = (variable.numpy() for variable in cell.variables)
    assert kernel.shape == (3, 3, 64, 128)
    assert 1.9e-3 < np.abs(kernel).max() <= 2e-3  # cut at two standard deviations
    np.testing.assert_allclose(kernel.std(), 0.8796e-3, rtol=0.02)  # which narrows it to 0.88
    assert not bias.any()


@pytest.mark.parametrize("kind", ["conv_rnn", "conv_gru", "conv"])
def test_fresh_cell_of_another_kind_has_xavier_kernels_and_zero_biases(kind):
    cell = CELLS[kind](16)
    features = tf.zeros([1, 4, 4, 16])
    cell(features, [features] * cell.state_count)
    for variable in cell.variables:
        if "bias" in variable.name:
            assert not variable.numpy().any()
        else:
            limit = np.sqrt(6 / (9 * sum(variable.shape[2:])))
            assert 0.95 * limit < np.abs(variable).max() <= limit


@pytest.mark.parametrize("kind", EQUATIONS)
def test_mixed_precision_keeps_output_and_state_in_float16(kind):
    with global_policy("mixed_float16"):
        cell, features, state = make(kind)
        half = [tf.cast(tensor, tf.float16) for tensor in (features, *state)]
        output, new_state = cell(half[0], half[1:])
    assert {tensor.dtype for tensor in (output, *new_state)} == {tf.float16}
    wanted, _ = expected(kind, cell, features, state)
    assert np.abs(output - wanted).max() < 0.02
