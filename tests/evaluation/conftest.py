"""A small test set on disk, predictions of it, and networks to evaluate on it."""

import pytest
from networks import lively_model, write_run
from scored_images import NAMES, pixels, place

from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import evaluate
from srn_tf.media.images import write_image


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        for kind in ("blur", "blur_gamma", "sharp"):
            write_image(tmp_path / "data" / place(name, kind), pixels(name, kind))
    return tmp_path / "data"


@pytest.fixture
def data(folder):
    return open_test_set("gopro", folder)


@pytest.fixture
def predictions(tmp_path):
    for name in NAMES:
        write_image(tmp_path / f"predictions/{name}.png", pixels(name, "sharp") // 2)
    return tmp_path / "predictions"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(data, output):
    """Evaluates a stand-in in `output`: the same each time but for the arguments."""

    def run(network, weights="the same", scored=data, into=output):
        return evaluate(scored, into, {}, weights, network)

    return run


@pytest.fixture(scope="module")
def model():
    return lively_model("SR-EDRB1")


@pytest.fixture
def run_dir(model, tmp_path):
    return write_run(model, tmp_path / "run")
