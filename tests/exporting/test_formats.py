"""Exports agree with the network and run where this package is missing."""

import json
import re
import shutil
import subprocess
import sys

import commands
import numpy as np
import pytest
import tensorflow as tf
from networks import lively_model, write_run

from srn_tf.common.errors import InputError, RunError
from srn_tf.exporting import graph
from srn_tf.exporting.folder import export
from srn_tf.exporting.formats import FORMATS
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_image, write_image
from srn_tf.weights.run_folder import CONFIG


def small_model(variant="SR-EDRB1"):
    return lively_model(variant, kernel_size=3, scales=2)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return write_run(small_model(), tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module")
def exported(run_dir):
    """A folder for each format."""
    folders = {kind: run_dir.with_name(kind) for kind in FORMATS}
    for kind, folder in folders.items():
        assert export(run_dir, folder, kind) <= 1
    return folders


def random_images(*shape):
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("kind", FORMATS)
def test_gray_networks_with_legacy_resize_deblur_batches_of_any_size(kind, tmp_path):
    model = small_model("lstm")
    client = graph.WRITERS[kind](model, tmp_path)
    deblurrer = Deblurrer(model, precision="float32")
    for shape in ((2, 37, 21, 3), (1, 16, 32, 3), (3, 1, 1, 3)):
        images = random_images(*shape)
        deblurred = client(images)
        assert deblurred.dtype == np.uint8
        expected = np.stack([deblurrer(image) for image in images])
        np.testing.assert_allclose(deblurred.astype(int), expected, rtol=0, atol=1)


def test_the_float_signature_is_not_rounded(exported):
    model = small_model()
    images = random_images(1, 32, 16, 3).astype(np.float32) / 255
    loaded = tf.saved_model.load(str(exported["saved_model"]))
    deblurred = loaded.signatures["float"](image=tf.constant(images))["deblurred"]
    np.testing.assert_allclose(deblurred, np.clip(model(images)[0], 0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_readme_tells_what_it_is_and_its_example_runs_alone(kind, exported, run_dir):
    folder = exported[kind]
    readme = (folder / "README.md").read_text()
    parts = ["# SR-EDRB1", FORMATS[kind].file, "`serving_default`", "Step 1 "]
    assert [part for part in parts if part not in readme] == []
    assert ("`float`" in readme) == (kind == "saved_model")
    assert json.loads((folder / "config.json").read_text())["training"] == {"max_steps": 1}
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(example.splitlines()) == 5
    image = random_images(19, 33, 3)
    write_image(folder / "blurred.png", image)
    absent = ("srn_tf", "tensorflow_addons")
    hide = f"import sys; sys.modules.update(dict.fromkeys({absent})); "
    subprocess.run([sys.executable, "-I", "-c", hide + example], cwd=folder, check=True)
    expected = Deblurrer.from_run_dir(run_dir, precision="float32")(image)
    np.testing.assert_allclose(read_image(folder / "deblurred.png").astype(int), expected, atol=1)


def write_wrongly(model, folder):
    (folder / "saved_model.pb").touch()
    return lambda images: images


def write_until_full(model, folder):
    (folder / "saved_model.pb").touch()
    raise tf.errors.ResourceExhaustedError(None, None, "No space left on device\nand more")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_wrongly, r"differs from the Keras model by \d+ gray levels"),
        (write_until_full, r"^.*exported could not .* \(disk full\?\): No space.*$"),
    ],
)
def test_an_export_that_fails_is_one_line_and_leaves_nothing(
    run_dir, tmp_path, monkeypatch, write, message
):
    monkeypatch.setitem(graph.WRITERS, "saved_model", write)
    with pytest.raises(RunError, match=message):
        export(run_dir, tmp_path / "exported")
    assert not list(tmp_path.iterdir())


def test_only_an_earlier_export_is_replaced_and_only_when_asked(run_dir, tmp_path):
    output, other = tmp_path / "exported", tmp_path / "other"
    output.mkdir()
    (output / FORMATS["onnx"].file).touch()
    (output / "README.md").write_text("old")
    (output / CONFIG).touch()
    with pytest.raises(InputError, match=r"exported exists: pass --overwrite"):
        export(run_dir, output)
    assert (output / "README.md").read_text() == "old"
    export(run_dir, output, overwrite=True)
    assert (output / "README.md").read_text() != "old"
    assert not (output / FORMATS["onnx"].file).exists()
    for name in ("diary.txt", None):  # without it, it may be anybody's ONNX or SavedModel
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        for file in (FORMATS["onnx"].file, *([name, CONFIG, "README.md"] if name else [])):
            (other / file).touch()
        with pytest.raises(InputError, match="other is not an earlier export"):
            export(run_dir, other, overwrite=True)
        assert (other / FORMATS["onnx"].file).exists()


def test_bfloat16_is_for_saved_models(run_dir, tmp_path):
    assert 0 < export(run_dir, tmp_path / "exported", precision="bfloat16") <= 8
    with pytest.raises(InputError, match="onnx computes in float32: take --format=saved_model"):
        export(run_dir, tmp_path / "onnx", "onnx", precision="bfloat16")


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(graph.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[export\]'"):
        graph.write_onnx(None, tmp_path)


def test_the_command_prints_the_largest_difference(run_dir, tmp_path):
    flags = f"--run_dir={run_dir}", f"--output={tmp_path / 'exported'}"
    status, output = commands.run("srn_tf.export", *flags)
    assert status == 0, output
    assert re.search(r"at most [01] gray levels from the Keras model \(48x64 and 53x37\)", output)
