"""One training step: gradients, clipping, Adam, schedule, accumulation, average of weights."""

import dataclasses

import networks
import numpy as np
import pytest
import tensorflow as tf
from training_steps import do_steps

from srn_tf.common.keras import keras
from srn_tf.network.variants import ALTERNATIVES, TABLE1, VARIANTS
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.optimizer import learning_rate
from srn_tf.training.recipe import LOSSES, SCHEDULES
from srn_tf.training.step import NonFiniteStep, NonFiniteWeights, Trainer

TINY = dataclasses.replace(VARIANTS["SR-EDRB1"], name="tiny", scales=2, published=None)
SMALLEST = networks.TINY
RATE = 1e-3


def trainer_for(variant=TINY, options=None, **fields):
    keras.utils.set_random_seed(0)
    settings = {"data_dir": "", "batch_size": 2, "crop_size": 32, "learning_rate": RATE, **fields}
    return Trainer(TrainingConfig(variant=variant, **settings), **(options or {}))


def batches(count=1, channels=3, size=2, side=32):
    """Blurred and sharp images of `count` batches, as arrays."""
    rng = np.random.default_rng(0)
    shape = (count, size, side, side, channels)
    return tuple(rng.uniform(0, 1, shape).astype(np.float32) for _ in range(2))


def plain_gradients(trainer, blurred, sharp):
    """Gradients of Eq. 3 as written here, neither clipped nor scaled."""
    with tf.GradientTape() as tape:
        loss = 0.0
        for prediction in trainer.net(blurred):
            loss += tf.reduce_mean((prediction - sharp) ** 2)
            sharp = tf.nn.avg_pool2d(sharp, 2, 2, "VALID")
    return [g.numpy() for g in tape.gradient(loss, trainer.net.trainable_variables)]


def step_gradients(trainer, blurred, sharp, wrap=lambda function: function):
    values, gradients, _ = wrap(trainer.gradients)(tf.constant(blurred), tf.constant(sharp))
    logs = dict(zip(trainer.log_names, values.numpy()))
    return logs, [gradient.numpy() for gradient in gradients]


def is_recurrent(trainer):
    return ["/conv_rnn/" in v.name or "/conv_lstm/" in v.name for v in trainer.net.variables]


def global_norm(arrays):
    return np.sqrt(sum(np.sum(np.square(array, dtype=float)) for array in arrays))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("recurrent", ["conv_rnn", "conv_lstm"])
def test_gradients_of_the_recurrent_module_alone_are_clipped_to_a_global_norm_of_3(recurrent):
    trainer = trainer_for(dataclasses.replace(TINY, recurrent=recurrent))
    last = trainer.net.nets[0].out_block.conv
    last.bias.assign_add(tf.fill(last.bias.shape, 300.0))  # far off: large gradients
    (blurred,), (sharp,) = batches()
    expected = plain_gradients(trainer, blurred, sharp)
    logs, found = step_gradients(trainer, blurred, sharp)
    chosen = is_recurrent(trainer)
    assert sum(chosen) == (6 if recurrent == "conv_rnn" else 2)
    norm = global_norm([g for g, here in zip(expected, chosen) if here])
    assert norm > 6
    np.testing.assert_allclose(logs["recurrent_gradient_norm"], norm, rtol=1e-4)
    assert global_norm([g for g, here in zip(found, chosen) if here]) == pytest.approx(3, rel=1e-5)
    for gradient, wanted, here in zip(found, expected, chosen):
        wanted = wanted * (3 / norm if here else 1)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.usefixtures("eager")
def test_small_gradients_are_left_as_they_are():
    trainer = trainer_for(dataclasses.replace(TINY, recurrent="conv_rnn"))
    (blurred,), (sharp,) = batches()
    expected = plain_gradients(trainer, blurred, sharp)
    logs, found = step_gradients(trainer, blurred, sharp)
    assert 0 < logs["recurrent_gradient_norm"] < 3
    for gradient, wanted in zip(found, expected):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.usefixtures("eager")
def test_clip_norm_of_0_clips_nothing():
    trainer = trainer_for(clip_norm=0.0)
    last = trainer.net.nets[0].out_block.conv
    last.bias.assign_add(tf.fill(last.bias.shape, 3000.0))
    (blurred,), (sharp,) = batches()
    logs, found = step_gradients(trainer, blurred, sharp)
    norm = global_norm([g for g, here in zip(found, is_recurrent(trainer)) if here])
    assert norm > 6
    np.testing.assert_allclose(logs["recurrent_gradient_norm"], norm, rtol=1e-4)


def adam_step(weights, gradients, epsilon):
    """The first step of Adam (Kingma and Ba, end of Sec. 2: both corrections in the rate)."""
    rate = RATE * np.sqrt(1 - 0.999) / (1 - 0.9)
    return [
        w - rate * 0.1 * g / (np.sqrt(0.001 * np.square(g, dtype=float)) + epsilon)
        for w, g in zip(weights, gradients)
    ]


@pytest.mark.usefixtures("eager")
def test_first_step_is_adam_s_with_an_epsilon_of_1e_8():
    trainer = trainer_for()
    arrays = batches()
    before = trainer.net.get_weights()
    _, gradients = step_gradients(trainer, *(array[0] for array in arrays))
    (after,) = do_steps(trainer, *arrays).weights

    def largest_error(epsilon):
        expected = adam_step(before, gradients, epsilon)
        return max(np.abs(a - b).max() for a, b in zip(after, expected))

    # Rounding of weights near 1 and of the tiniest gradients, in a step of 1e-3.
    assert largest_error(1e-8) < 1e-5
    assert largest_error(1e-7) > 1e-4  # Keras' default


@pytest.mark.parametrize("step", [0, 131_000, 261_000, 262_000, 300_000])
def test_learning_rate_decays_as_in_the_paper(step):
    left = max(1 - step / 262_000, 0)
    expected = (1e-4 - 1e-6) * left**0.3 + 1e-6
    found = learning_rate(TrainingConfig(variant=TINY, data_dir=""), step)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_learning_rate_rises_linearly_while_it_warms_up():
    config = TrainingConfig(TINY, "", schedule="constant", warmup_steps=4)
    rates = [float(learning_rate(config, step)) for step in range(6)]
    np.testing.assert_allclose(rates, 1e-4 * np.array([0.25, 0.5, 0.75, 1, 1, 1]), rtol=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_begins_with_the_learning_rate_and_never_rises(name):
    config = TrainingConfig(TINY, "", schedule=name, decay_steps=10)
    rates = np.array([float(learning_rate(config, step)) for step in range(12)])
    assert rates[0] == pytest.approx(1e-4)
    assert np.all(np.diff(rates) <= 1e-10)
    assert rates[-1] == pytest.approx(1e-4 if name == "constant" else 1e-6, rel=1e-3)


def test_logged_learning_rates_follow_the_schedule_to_its_end():
    trainer = trainer_for(SMALLEST, decay_steps=4, end_learning_rate=1e-5)
    recorder = do_steps(trainer, *batches(6, side=16))
    left = np.array([1, 0.75, 0.5, 0.25, 0, 0])
    found = [logs["learning_rate"] for logs in recorder.logs]
    np.testing.assert_allclose(found, (1e-3 - 1e-5) * left**0.3 + 1e-5, rtol=1e-4)
    assert int(trainer.step.numpy()) == 6


@pytest.mark.usefixtures("eager")
def test_logs_hold_the_loss_its_scales_and_the_psnr_and_gain_of_the_clipped_prediction():
    trainer = trainer_for()
    arrays = batches()
    finest, coarsest = (prediction.numpy() for prediction in trainer.net(arrays[0][0]))
    sharp = arrays[1][0]
    halved = sharp.reshape(2, 16, 2, 16, 2, 3).mean((2, 4))
    errors = np.mean((np.clip(finest, 0, 1) - sharp) ** 2, axis=(1, 2, 3))
    expected = {
        "loss_scale1": np.mean((finest - sharp) ** 2),
        "loss_scale2": np.mean((coarsest - halved) ** 2),
        "psnr": np.mean(-10 * np.log10(errors)),
    }
    expected["loss"] = expected["loss_scale1"] + expected["loss_scale2"]
    before = np.mean((arrays[0][0] - sharp) ** 2, axis=(1, 2, 3))
    expected["gain_scale1"] = np.mean(10 * np.log10(before / errors))
    (logs,) = do_steps(trainer, *arrays).logs
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4)


@pytest.mark.usefixtures("eager")
def test_total_variation_is_added_to_the_loss_and_to_no_scale():
    arrays = batches()
    (plain,) = do_steps(trainer_for(), *arrays).logs
    trainer = trainer_for(total_variation=0.5)
    variation = sum(
        (np.abs(np.diff(image, axis=1)).sum() + np.abs(np.diff(image, axis=2)).sum()) / image.size
        for image in (prediction.numpy() for prediction in trainer.net(arrays[0][0]))
    )
    (logs,) = do_steps(trainer, *arrays).logs
    assert logs["loss"] == pytest.approx(plain["loss"] + 0.5 * variation, rel=1e-4)
    for scale in ("loss_scale1", "loss_scale2"):
        assert logs[scale] == pytest.approx(plain[scale], rel=1e-5)


def test_accumulation_changes_nothing():
    arrays = batches(size=4)
    whole = step_gradients(trainer_for(batch_size=4), *(array[0] for array in arrays))
    # In a graph, where the parts are a loop.
    trainer = trainer_for(batch_size=4, options={"accumulate": 4})
    parts = step_gradients(trainer, *(array[0] for array in arrays), wrap=tf.function)
    for name, value in whole[0].items():
        np.testing.assert_allclose(parts[0][name], value, rtol=1e-6, atol=1e-6)
    for gradient, wanted in zip(parts[1], whole[1]):
        np.testing.assert_allclose(gradient, wanted, atol=1e-6 * global_norm(whole[1]))


def with_a_hole(arrays, step):
    """The same batches with one blurred pixel of one step that is not a number."""
    blurred = arrays[0].copy()
    blurred[step, 1, 5, 6, 0] = np.nan
    return (blurred, *arrays[1:])


@pytest.mark.parametrize("hole", [0, 1])
def test_a_step_that_is_not_finite_latches_before_it_touches_a_weight(hole):
    trainer = trainer_for(SMALLEST, ema_decay=0.9)
    recorder = do_steps(trainer, *with_a_hole(batches(4, side=16), step=hole))
    with pytest.raises(NonFiniteStep, match=f"step {hole + 1}: loss or gradient is not finite"):
        trainer.check()
    assert int(trainer.step.numpy()) == int(trainer.optimizer.iterations.numpy()) == hole
    kept = recorder.weights[hole:], recorder.averages[hole:]
    for later in (*kept[0][1:], *kept[1][1:]):  # the good batches after it do nothing either
        expected = kept[0][0] if any(later is one for one in kept[0]) else kept[1][0]
        for array, wanted in zip(later, expected):
            np.testing.assert_array_equal(array, wanted)


def test_weights_that_an_update_has_spoilt_are_found():
    trainer = trainer_for(SMALLEST)
    trainer.check()
    trainer.net.variables[3].assign(tf.fill(trainer.net.variables[3].shape, np.inf))
    with pytest.raises(NonFiniteWeights, match="step 0 or one shortly before"):
        trainer.check()


def test_skipped_steps_are_counted_and_leave_the_weights():
    trainer = trainer_for(SMALLEST, options={"skip_nonfinite": True})
    recorder = do_steps(trainer, *with_a_hole(batches(3, side=16), step=1))
    first, second, third = recorder.weights
    for old, new in zip(first, second):
        np.testing.assert_array_equal(old, new)
    assert any(np.any(old != new) for old, new in zip(second, third))
    assert all(np.isfinite(array).all() for array in third)
    assert int(trainer.skipped.numpy()) == 1
    assert int(trainer.step.numpy()) == 3
    assert int(trainer.optimizer.iterations.numpy()) == 2


def test_average_of_weights_follows_its_formula():
    trainer = trainer_for(SMALLEST, ema_decay=0.3)
    expected = [np.array(array) for array in trainer.average.get_weights()]
    recorder = do_steps(trainer, *batches(4, side=16))
    decays = [2 / 11, 3 / 12, 0.3, 0.3]  # (1 + n) / (10 + n) after n updates, 0.3 at most
    for decay, weights, averages in zip(decays, recorder.weights, recorder.averages):
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, weights)]
        for found, wanted in zip(averages, expected):
            np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert trainer.inference_net() is trainer.average
    without = trainer_for(SMALLEST)
    assert without.average is None
    assert without.inference_net() is without.net


# Small crops: CPUs are slow at float16.


def float16_trainer(**fields):
    small = {"learning_rate": 1e-4, "crop_size": 8, "batch_size": 1}
    return trainer_for(SMALLEST, mixed_precision="float16", **small, **fields)


@pytest.mark.usefixtures("eager")
def test_mixed_precision_trains_with_loss_scaling():
    trainer = float16_trainer()
    same_batch = tuple(np.repeat(array, 2, axis=0) for array in batches(size=1, side=8))
    recorder = do_steps(trainer, *same_batch)
    losses = [logs["loss"] for logs in recorder.logs]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert [logs["loss_scaling"] for logs in recorder.logs] == [2**15] * 2
    assert {variable.dtype for variable in trainer.net.variables} == {tf.float32}
    assert all(np.isfinite(array).all() for array in recorder.weights[-1])


@pytest.mark.usefixtures("eager")
def test_steps_left_out_while_the_loss_scale_falls_are_counted_and_touch_nothing():
    trainer = float16_trainer()
    trainer.optimizer.loss_scale.current_loss_scale.assign(2.0**40)
    before = trainer.net.get_weights()
    recorder = do_steps(trainer, *batches(2, size=1, side=8))
    trainer.check()
    assert [logs["skipped"] for logs in recorder.logs] == [1, 2]
    assert [logs["loss_scaling"] for logs in recorder.logs] == [2.0**39, 2.0**38]
    assert (int(trainer.step.numpy()), int(trainer.optimizer.iterations.numpy())) == (2, 0)
    for old, new in zip(before, recorder.weights[-1]):
        np.testing.assert_array_equal(old, new)


def test_the_loss_scale_doubles_after_2000_good_steps():
    scale = trainer_for(SMALLEST, mixed_precision="float16").optimizer.loss_scale
    for good_steps, found in ((1998, 2**15), (1999, 2**16)):
        scale.good_steps.assign(good_steps)
        scale.update(tf.constant(True), tf.constant(False))
        assert float(scale.current_loss_scale.numpy()) == found
    assert int(scale.good_steps.numpy()) == 0


@pytest.mark.usefixtures("eager")
def test_mixed_precision_has_the_gradients_of_float32():
    arrays = [array[0] for array in batches(size=1, side=8)]
    expected = step_gradients(trainer_for(crop_size=8), *arrays)[1]
    found = step_gradients(trainer_for(crop_size=8, mixed_precision="float16"), *arrays)[1]
    difference = global_norm([a - b for a, b in zip(found, expected)])
    assert difference < 0.02 * global_norm(expected)


# With one block each, so that those which differ in nothing else are one.
KINDS = {
    dataclasses.replace(v, blocks=1, name="", published=None): v for v in (*TABLE1, *ALTERNATIVES)
}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("variant", KINDS, ids=[variant.name for variant in KINDS.values()])
def test_every_variant_trains_a_step(variant):
    trainer = trainer_for(variant, batch_size=1)
    before = trainer.net.get_weights()
    recorder = do_steps(trainer, *batches(size=1, side=16))
    assert np.isfinite(recorder.logs[0]["loss"])
    moved = [np.any(old != new) for old, new in zip(before, recorder.weights[0])]
    assert np.mean(moved) > 0.95


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_a_step(loss):
    (logs,) = do_steps(trainer_for(SMALLEST, loss=loss), *batches(side=16)).logs
    assert 0 < logs["loss"] < np.inf
