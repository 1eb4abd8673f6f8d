"""Released checkpoints find their place, and the network then computes what the authors' does."""

import hashlib
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import reference
import tensorflow as tf
from commands import run

from srn_tf.common.errors import InputError, RunError
from srn_tf.evaluation.scoring import trained_subset
from srn_tf.network.model import build_model
from srn_tf.weights.released import INDEX_SHA256, convert, import_weights
from srn_tf.weights.run_folder import load_model

FORMS = {"lstm": (1, True), "gray": (1, False), "color": (3, False)}  # channels, ConvLSTM


class Released:
    """A checkpoint as the authors publish it, with random weights."""

    def __init__(self, name, folder):
        self.name = name
        channels, lstm = FORMS[name]
        self.weights = reference.random_weights(channels, lstm)
        self.path = reference.write_tf1_checkpoint(folder / "deblur.model", self.weights)
        image = np.random.default_rng(1).uniform(0, 1, (1, 16, 32, 3)).astype(np.float32)
        if channels == 1:  # R, G and B as a batch of three gray images
            image = image.transpose(3, 1, 2, 0)
        self.image = image
        self.predictions = reference.forward(self.weights, self.image)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            made[name] = Released(name, tmp_path_factory.mktemp(name))
        return made[name]

    return get


@pytest.fixture
def run_dir(tmp_path):
    return tmp_path / "run"


@pytest.mark.parametrize(
    "name",
    [name if name == "lstm" else pytest.param(name, marks=pytest.mark.robust) for name in FORMS],
)
def test_imported_network_computes_what_the_reference_does(released, run_dir, name):
    checkpoint = released(name)
    convert(checkpoint.path, name, run_dir)
    model = load_model(run_dir)
    assert model.variant.name == name
    for mode, call in {"eager": model, "graph": tf.function(model)}.items():
        predictions = call(tf.constant(checkpoint.image))
        assert len(predictions) == len(checkpoint.predictions) == 3
        for scale, (found, expected) in enumerate(zip(predictions, checkpoint.predictions)):
            error = reference.relative_error(found, expected)
            print(f"{name}, {mode}, scale {scale + 1}: relative error {error:.1e}")
            assert error < 1e-5


def test_the_folder_of_a_checkpoint_serves_and_the_run_folder_tells_what_was_in_it(
    released, run_dir
):
    path = Path(released("gray").path)
    assert not convert(str(path.parent), "gray", run_dir)  # random weights, not the authors'
    config = json.loads((run_dir / "config.json").read_text())
    assert config["imported_from"] == str(path)
    assert (config["variant"]["name"], config["variant"]["resize"]) == ("gray", "legacy")
    assert trained_subset(run_dir) == "blur"
    assert (run_dir / "checkpoints" / "step-523000.index").exists()
    path.with_name("another.index").touch()
    try:
        assert_refused(path.parent, "gray", run_dir.with_name("2"), "holds 2 checkpoints")
    finally:
        path.with_name("another.index").unlink()


def test_released_weights_are_told_from_others_by_their_index(released, run_dir, monkeypatch):
    index = Path(released("gray").path + ".index").read_bytes()
    monkeypatch.setitem(INDEX_SHA256, "gray", hashlib.sha256(index).hexdigest())
    assert convert(released("gray").path, "gray", run_dir)


def assert_refused(checkpoint, name, run_dir, *words):
    with pytest.raises(InputError) as caught:
        convert(str(checkpoint), name, run_dir)
    message = str(caught.value)
    for word in (str(checkpoint), *words):
        assert word in message
    assert "\n" not in message
    assert not run_dir.exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("g_net/dec2_2/conv1/biases", None, ["is missing"]),
        ("g_net/enc4_1/weights", np.zeros(3, np.float32), ["has no place in the network"]),
        ("g_net/enc1_1/biases", np.zeros(31, np.float32), ["(31,)", "(32,)"]),
    ],
    ids=["missing", "left over", "of another shape"],
)
def test_variables_that_do_not_fit_are_named(released, run_dir, tmp_path, variable, value, words):
    weights = {**released("gray").weights, variable: value}
    weights = {name: value for name, value in weights.items() if value is not None}
    path = reference.write_tf1_checkpoint(tmp_path / "model", weights)
    assert_refused(path, "gray", run_dir, variable, *words)


@pytest.mark.parametrize(
    ("held", "asked"),
    [("lstm", "gray"), ("gray", "color"), ("color", "lstm")],
)
def test_checkpoint_of_another_model_is_recognised(released, run_dir, held, asked):
    words = (f"it is a {held!r} checkpoint", f"--model={held}")
    assert_refused(released(held).path, asked, run_dir, *words)


def copied(checkpoint, folder):
    """Index and data of a copy of a checkpoint, to be damaged."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"model{suffix}" for suffix in (".index", ".data-00000-of-00001")]
    for path in paths:
        path.write_bytes(Path(checkpoint + path.name[len("model") :]).read_bytes())
    return paths


def no_checkpoint(index, data):
    index.write_text("no checkpoint")
    data.write_text("no checkpoint")


def truncated(index, data):
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size // 2)


def a_pipe(index, data):
    index.unlink()
    os.mkfifo(index)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda index, data: index.unlink(), "does not exist"),
        (lambda index, data: data.unlink(), "not a readable checkpoint"),
        (no_checkpoint, "not a readable checkpoint"),
        (truncated, "not a readable checkpoint"),
        (a_pipe, "is a pipe"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_named(released, run_dir, tmp_path, damage, words):
    damage(*copied(released("gray").path, tmp_path))
    assert_refused(tmp_path / "model", "gray", run_dir, words)


@pytest.mark.parametrize(
    ("name", "message"), [("config.json", "holds a run already"), ("a.txt", "holds something else")]
)
def test_folder_in_use_is_refused_and_kept(released, run_dir, name, message):
    run_dir.mkdir()
    (run_dir / name).write_text("{}")
    with pytest.raises(InputError, match=message):
        convert(released("gray").path, "gray", run_dir)
    assert os.listdir(run_dir) == [name]
    assert (run_dir / name).read_text() == "{}"


def test_full_disk_leaves_nothing(released, run_dir):
    path = released("gray").path
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RunError, match=rf"{run_dir} could not be written \(disk full"):
            convert(path, "gray", run_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not run_dir.exists()
    assert not [path for path in os.listdir(run_dir.parent) if "partial" in path]


def test_command_says_whose_weights_these_are_also_in_folders_with_brackets(released, tmp_path):
    folder, run_dir = tmp_path / "authors [1]*", tmp_path / "authors [1]*" / "run?"
    copied(released("color").path, folder)
    flags = [f"--checkpoint={folder / 'model'}", "--model=color", f"--run_dir={run_dir}"]
    status, output = run("srn_tf.convert", *flags)
    assert status == 0
    assert f"{run_dir}: imported another training of the same network (color)" in output
    assert load_model(run_dir).variant.name == "color"


def test_refused_checkpoint_leaves_the_network_as_it_was(released, tmp_path):
    truncated(*copied(released("gray").path, tmp_path))
    model = build_model("gray")
    before = model.get_weights()
    with pytest.raises(InputError):
        import_weights(model, str(tmp_path / "model"))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
