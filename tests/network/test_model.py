"""The loop over scales: Fig. 3, Eq. 1 and 2."""

import dataclasses

import numpy as np
import pytest
import reference
import tensorflow as tf
from precision import global_policy

from srn_tf.common.keras import keras
from srn_tf.network.model import build_model
from srn_tf.network.variants import VARIANTS, get_variant

SMALL = VARIANTS["SR-EDRB1"]
UNSHARED = dataclasses.replace(SMALL, name="unshared", shared_weights=False, published=None)
PLACES = {
    "in_block/conv": "enc1_1",
    "in_block/block1": "enc1_2",
    "eblock1/conv": "enc2_1",
    "eblock1/block1": "enc2_2",
    "eblock2/conv": "enc3_1",
    "eblock2/block1": "enc3_2",
    "conv_lstm/gates": "convLSTM/LSTM_conv",
    "dblock1/block1": "dec3_1",
    "dblock1/deconv": "dec2_4",
    "dblock2/block1": "dec2_1",
    "dblock2/deconv": "dec1_4",
    "out_block/block1": "dec1_1",
    "out_block/conv": "dec1_0",
}


def filled(variant, weights):
    """A network of one ResBlock per block with the weights of the reference."""
    model = build_model(variant)
    for variable in model.variables:
        stage, block, *conv, kind = variable.name.partition("net/")[2].split("/")
        place = "/".join([PLACES[f"{stage}/{block}"], *conv])
        kind = {"kernel:0": "weights", "bias:0": "biases"}[kind]
        variable.assign(weights[f"g_net/{place}/{kind}"])
    return model


@pytest.fixture(scope="module")
def weights():
    return reference.random_weights(channels=3, lstm=True, kernel_size=3, res_blocks=1)


@pytest.fixture(scope="module")
def model(weights):
    return filled(SMALL, weights)


@pytest.fixture(scope="module")
def image():
    return tf.constant(np.random.default_rng(1).uniform(0, 1, (2, 32, 48, 3)), tf.float32)


@pytest.fixture
def unshared():
    """Independent nets at each scale, so that their parts in a gradient can be told apart."""
    keras.utils.set_random_seed(0)
    return build_model(UNSHARED)


@pytest.mark.parametrize("scales", [1, 2, 3])
@pytest.mark.parametrize("rule", ["half_pixel", "legacy"])
def test_predictions_equal_the_reference_at_all_scales(weights, image, rule, scales):
    model = filled(dataclasses.replace(SMALL, resize=rule, scales=scales), weights)
    expected = reference.forward(weights, image, rule, scales)
    predictions = model(image)
    assert len(predictions) == len(expected) == scales
    for prediction, wanted in zip(predictions, expected):
        assert reference.relative_error(prediction, wanted) < 1e-5


def test_predictions_come_finest_first_and_in_float32(model, image):
    predictions = model(image)
    sizes = [(2, 32, 48, 3), (2, 16, 24, 3), (2, 8, 12, 3)]
    assert [tuple(prediction.shape) for prediction in predictions] == sizes
    assert {prediction.dtype for prediction in predictions} == {tf.float32}


def test_sizes_may_be_unknown_when_tracing(model, image):
    graph = tf.function(model).get_concrete_function(tf.TensorSpec([None, None, None, 3]))
    for blurred in (image, image[:1, :16, 16:]):
        for found, expected in zip(graph(blurred), model(blurred)):
            assert found.shape == expected.shape
            assert reference.relative_error(found, expected) < 1e-5


def test_mixed_precision_is_close_to_float32(weights, image, model):
    with global_policy("mixed_float16"):
        half = filled(SMALL, weights)
        predictions = half(image)
    assert {variable.dtype for variable in half.variables} == {tf.float32}
    for prediction, expected in zip(predictions, model(image)):
        assert prediction.dtype == tf.float32
        assert 1e-6 < reference.relative_error(prediction, expected) < 1e-2


def stages_with_a_gradient(model, image):
    """Those that the finest scale's loss pulls at, such as "net2/eblock1"."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(image)[0]))
    gradients = tape.gradient(loss, model.trainable_variables)
    return {
        "/".join(variable.name.split("/")[1:3])
        for variable, gradient in zip(model.trainable_variables, gradients)
        if gradient is not None and np.any(gradient)
    }


def test_gradients_cross_scales_through_the_state_and_not_through_the_image(unshared, image):
    towards_state = {"in_block", "eblock1", "eblock2", "conv_lstm"}
    towards_image = {"dblock1", "dblock2", "out_block"}
    expected = {f"net1/{stage}" for stage in towards_state | towards_image}
    expected |= {f"net{scale}/{stage}" for scale in (2, 3) for stage in towards_state}
    assert stages_with_a_gradient(unshared, image) == expected


def test_without_a_state_no_gradient_crosses_scales(image):
    cascade = build_model(dataclasses.replace(UNSHARED, recurrent="conv"))
    assert {name.split("/")[0] for name in stages_with_a_gradient(cascade, image)} == {"net1"}


def test_coarsest_scale_sees_the_blurred_image_twice(weights, image):
    model = filled(SMALL, weights)
    before = [prediction.numpy() for prediction in model(image)]
    kernel = model.nets[0].in_block.conv.kernel
    kernel.assign(tf.concat([kernel[:, :, 3:], kernel[:, :, :3]], axis=2))  # swap the two images
    after = model(image)
    assert reference.relative_error(after[2], before[2]) < 1e-5
    assert reference.relative_error(after[1], before[1]) > 1e-3


@pytest.mark.parametrize("name", ["SR-EDRB1", "SR-RB", "SR-Flat"])
def test_only_encoder_decoders_have_long_skips(name, image):
    variant = dataclasses.replace(VARIANTS[name], blocks=1)
    model = build_model(variant)
    last = model.nets[0].dblock2.up
    last.kernel.assign(tf.zeros_like(last.kernel))  # nothing but the skip reaches the OutBlock
    varies = np.std(model(image)[0][0, 12:20, 12:20, 0]) > 1e-4
    assert varies == variant.encoder_decoder


def test_flat_networks_keep_every_feature_map_at_the_size_of_the_image():
    variant = dataclasses.replace(VARIANTS["SR-RB"], blocks=1)
    net = build_model(variant).nets[0]
    features = tf.zeros([1, 8, 12, 6])
    widths = []
    for stage in (net.in_block, net.eblock1, net.eblock2, net.dblock1, net.dblock2):
        features = stage(features)
        assert tuple(features.shape[1:3]) == (8, 12)
        widths.append(features.shape[3])
    assert widths == [32, 64, 128, 64, 32]


def test_one_net_serves_all_scales(model):
    assert len({id(net) for net in model.nets}) == 1
    assert len(model.nets) == 3


def test_nets_of_sc_are_independent_and_cascaded(image):
    model = build_model(dataclasses.replace(VARIANTS["SC"], blocks=1))
    groups = {variable.name.split("/")[1] for variable in model.variables}
    assert groups == {"net1", "net2", "net3"}
    for scale in (1, 2, 3):
        before = [prediction.numpy() for prediction in model(image)]
        bias = model.nets[scale - 1].out_block.conv.bias
        bias.assign_add(tf.ones_like(bias))
        changed = [np.any(a != b) for a, b in zip(before, model(image))]
        assert changed == [index < scale for index in range(3)]  # that scale and all finer ones


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        (SMALL, 2),
        (UNSHARED, 6),
        (dataclasses.replace(SMALL, recurrent="conv_rnn"), 6),
        (dataclasses.replace(SMALL, recurrent="conv_gru"), 4),
        (dataclasses.replace(SMALL, recurrent="conv"), 0),
        (dataclasses.replace(SMALL, recurrent="none"), 0),
    ],
    ids=["lstm", "unshared", "rnn", "gru", "conv", "none"],
)
def test_recurrent_variables_are_those_of_cells_with_a_memory(variant, count):
    model = build_model(variant)
    found = model.recurrent_variables
    of_cells = [v for v in model.variables if v.name.split("/")[2] == variant.recurrent]
    assert len(found) == count
    assert {v.ref() for v in found} == {v.ref() for v in (of_cells if count else [])}


PINNED = {
    "SR-EDRB3": [
        "srn/net/in_block/conv/kernel:0",
        "srn/net/eblock1/block2/conv1/bias:0",
        "srn/net/conv_lstm/gates/kernel:0",
        "srn/net/dblock2/deconv/kernel:0",
        "srn/net/out_block/conv/bias:0",
    ],
    "RNN": ["srn/net/conv_rnn/hidden/kernel:0"],
    "w/o R": ["srn/net/conv/conv/kernel:0"],
    "SC": ["srn/net1/in_block/conv/kernel:0", "srn/net3/dblock1/deconv/bias:0"],
    "SR-RB": ["srn/net/dblock1/conv/kernel:0"],
}


@pytest.mark.parametrize("name", PINNED)
def test_names_of_variables_are_stable_and_unique(name):
    names = [variable.name for variable in build_model(name).variables]
    assert len(set(names)) == len(names)
    assert set(PINNED[name]) <= set(names)
    assert not any("_1/" in name for name in names)  # a suffix that counts earlier networks


def test_model_is_built_from_a_name_or_a_variant():
    assert build_model("w/o R").variant is build_model(get_variant("w/o R")).variant


@pytest.mark.parametrize("variant", [SMALL, UNSHARED], ids=["shared", "unshared"])
def test_checkpoint_brings_every_weight_back(tmp_path, variant):
    model = build_model(variant)
    before = model.get_weights()
    path = tf.train.Checkpoint(net=model).write(str(tmp_path / "checkpoint"))
    for variable in model.variables:
        variable.assign(tf.fill(variable.shape, 7.0))
    tf.train.Checkpoint(net=model).read(path).assert_consumed()
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
