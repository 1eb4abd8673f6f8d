"""Damaged text files: config.json, lists, names of checkpoints.

Nothing comes out but what commands report in one line, and no name leads out of its folder.
"""

import random
from pathlib import Path

import pytest
from mutations import mutated, mutated_json
from scored_images import NAMES, pixels, place

from srn_tf.common.errors import InputError, RunError
from srn_tf.data import find_pairs
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import prediction_path
from srn_tf.media.images import write_image
from srn_tf.network.variants import get_variant
from srn_tf.weights.run_folder import checkpoint_steps, read_config, write_config

pytestmark = pytest.mark.fuzz
COUNT, SECONDS = 1500, 60


def tried(contents, path, *readers):
    """Writes each of `contents` to `path` and calls all readers; prints how many were refused."""
    count, refusals = 0, []
    for content in contents:
        path.write_bytes(content)
        count += 1
        for reader in readers:
            try:
                reader()
            except (InputError, RunError, OSError) as error:  # what commands report in one line
                refusals.append(str(error))
    assert not [text for text in refusals if "\n" in text.strip()]
    # Each names the file, or the image in its folder or elsewhere that a list speaks of.
    named = path.name, str(path.parent)
    assert all(text[0] == "/" or any(name in text for name in named) for text in refusals)
    refused = len(refusals)
    print(f"{path.name}: {count} damaged files, {refused} refusals, nothing else came out")
    assert count > COUNT // 10
    assert refused


@pytest.fixture
def data(tmp_path):
    for name in NAMES:
        for folder in ("blur", "sharp"):
            write_image(tmp_path / "data" / place(name, folder), pixels(name, folder))
    return tmp_path / "data"


def test_config(tmp_path):
    write_config(tmp_path, get_variant("SR-EDRB1"), training={"ema_decay": 0.5})
    path = tmp_path / "config.json"
    tried(mutated_json(path.read_text(), COUNT, SECONDS), path, lambda: read_config(tmp_path))


def test_lists(tmp_path, data):
    output = tmp_path / "out"

    def read():
        for image in open_test_set("gopro", data / "list.txt").images:
            path = prediction_path(output, image)
            assert output.resolve() in Path(path).resolve().parents

    text = "".join(f"{place(name, 'sharp')} {place(name, 'blur')}\n" for name in NAMES)
    tried(mutated(text.encode(), COUNT, SECONDS), data / "list.txt", read)


def test_lists_of_realblur(tmp_path):
    line = "RealBlur-J/scene001/gt/gt_1.png RealBlur-J/scene001/blur/blur_1.png\n"
    path = tmp_path / "RealBlur_J_test_list.txt"
    tried(
        mutated(2 * line.encode(), COUNT, SECONDS),
        path,
        lambda: open_test_set("realblur_j", tmp_path),
        lambda: find_pairs(path, "test"),
    )


def test_names_of_checkpoints(tmp_path):
    chance = random.Random(0)
    parts = [
        "step",
        "-",
        "1",
        "900",
        " (copy)",
        ".index",
        ".data-00000-of-00001",
        "é",
        "-1",
        "_temp",
    ]
    read = []
    for _ in range(COUNT):
        name = "".join(chance.choices(parts, k=chance.randint(1, 6)))
        name = f"step-{name}.index" if chance.random() < 0.5 else name
        (tmp_path / name).write_bytes(b"none")
        steps = checkpoint_steps(tmp_path)
        assert all(isinstance(step, int) and step >= 0 for step in steps)
        read += steps
        (tmp_path / name).unlink()
    print(f"{COUNT} names, {len(read)} of them checkpoints, nothing else came out")
    assert read
