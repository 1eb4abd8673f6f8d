"""The authors' own graph: its outputs, and ten steps of its training.

The recordings lie in ../shared/fixtures beside the repository; where they are not, nothing of this
file is collected, and `test_convert.py` proves the forward pass without them. Shown by
`pytest -s tests/test_parity.py`.
"""

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from reference import relative_error

from srn_tf.common.keras import keras
from srn_tf.network.model import build_model
from srn_tf.network.variants import get_variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import make_trainer
from srn_tf.weights.released import authors_name, import_weights

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
CASES = sorted(FIXTURES.glob("official_tf1/*/case_*.npz"))
TRAININGS = sorted(FIXTURES.glob("official_training/*.npz"))
STEPS = 10


def weights_of(name):
    return str(FIXTURES / "official_tf1" / name / "deblur.model-523000")


@functools.cache
def released(name, mode):
    """The network with the recorded weights; its graph does not know the sizes of images."""
    if mode == "graph":
        net = released(name, "eager")
        image = tf.TensorSpec([None, None, None, net.variant.channels])
        return tf.function(net).get_concrete_function(image)
    net = build_model(name)
    import_weights(net, weights_of(name))
    return net


if CASES:

    @pytest.mark.parametrize("mode", ["eager", "graph"])
    @pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
    def test_predictions_are_those_of_the_authors_graph(path, mode):
        name = path.parent.name
        case = np.load(path)
        blurred = tf.constant(case["image"][None].astype(np.float32) / 255)
        gray = get_variant(name).channels == 1
        if gray:  # R, G and B are a batch of three images
            blurred = tf.transpose(blurred, [3, 1, 2, 0])
        predictions = released(name, mode)(blurred)
        for prediction, scale in zip(predictions, ["fine", "middle", "coarse"]):
            if gray:
                prediction = tf.transpose(prediction, [3, 1, 2, 0])
            error = relative_error(prediction, case[scale])
            print(f"{name} {path.stem} {mode} {scale}: relative error {error:.1e}")
            assert prediction.shape == case[scale].shape
            assert error < 1e-5


class LogEveryStep(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(dict(logs))

    def __getitem__(self, name):
        return np.array([step[name] for step in self.steps])


def trained(path, recorded):
    """Our trainer after ten steps on the recorded batches, with what it logged at each."""
    name, _, clipped = path.stem.partition("_clip")
    variant = get_variant(name)
    trainer = make_trainer(
        TrainingConfig(
            variant=variant,
            data_dir="",
            batch_size=2,
            crop_size=64,
            end_learning_rate=0.0,
            decay_steps=1000,
            clip_norm=3.0 * int(clipped),
        )
    )
    import_weights(trainer.net, weights_of(name))
    images = [recorded[key].astype(np.float32) / 255 for key in ("blurred", "sharp")]
    if variant.channels == 1:
        images = [tf.image.rgb_to_grayscale(image).numpy() for image in images]
    data = tf.data.Dataset.from_tensor_slices((*images, np.zeros((STEPS, 2), np.int64)))
    logs = LogEveryStep()
    trainer.fit(data, steps_per_epoch=STEPS, callbacks=[logs], verbose=0)
    return trainer.net, images[0][0], logs


if TRAININGS:

    @pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
    def test_ten_steps_of_training_are_those_of_the_authors_graph(path):
        recorded = np.load(path)
        net, first_batch, logs = trained(path, recorded)
        assert len(logs.steps) == STEPS

        pairs = {
            f"loss of scale {scale}": (
                logs[f"loss_scale{scale}"],
                recorded["losses_coarse_to_fine"][:, 3 - scale],
            )
            for scale in (1, 2, 3)
        }
        pairs["learning rate"] = (logs["learning_rate"], recorded["learning_rate"])
        if net.recurrent_variables:
            norms = (logs["recurrent_gradient_norm"], recorded["recurrent_gradient_norm"])
            pairs["recurrent gradient norm"] = norms
        errors = {what: np.abs(a / b - 1).max() for what, (a, b) in pairs.items()}

        ours = {authors_name(variable.name): variable.numpy() for variable in net.variables}
        assert set(ours) == set(recorded["variable_names"])
        errors["sum of a variable"] = max(
            abs(ours[name].sum(dtype=float) - total) / absolute
            for name, (total, absolute) in zip(
                recorded["variable_names"], recorded["variable_sum_abs_sum"]
            )
        )
        errors["fine prediction afterwards"] = relative_error(
            net(first_batch)[0], recorded["fine_after"]
        )
        for what, error in errors.items():
            print(f"{path.stem}, {what}: relative error {error:.1e}")
        assert max(errors.values()) < 1e-3
