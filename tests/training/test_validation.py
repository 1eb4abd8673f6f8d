"""A validation never costs a step, and the best checkpoint is chosen on no test image."""

import json
import shutil

import pytest
import tensorflow as tf
from networks import TINY
from pair_folders import write_pairs

from srn_tf.common.errors import InputError, OutOfMemory
from srn_tf.data import find_pairs, hold_out
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import evaluate_run
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.training import train, validation
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.validation import TrainedDeblurrer, Validation
from srn_tf.weights.run_folder import checkpoint_steps, load_model


def sequences(root):
    """Three sequences of two pairs, each of its own size, named as in GoPro's flat layout."""
    write_pairs(root, [(16, 20 + i) for i in range(6)])
    for folder in ("blur", "sharp"):
        for i, path in enumerate(sorted((root / "train" / folder).iterdir())):
            path.rename(path.with_name(f"{'abc'[i // 2]}_{i:06}.png"))
    return root


def config(data, **changes):
    fields = {"batch_size": 2, "crop_size": 8, "decay_steps": 20, **changes}
    return TrainingConfig(TINY, str(data), **fields)


def test_a_run_that_finds_no_memory_to_validate_does_all_its_steps(tmp_path, monkeypatch, capsys):
    def exhausted(self, image):
        raise OutOfMemory("out of memory")

    data = sequences(tmp_path / "data")
    monkeypatch.setattr(Deblurrer, "__call__", exhausted)
    options = RunOptions(max_steps=20, validate_every=5, checkpoint_every=5, keep_checkpoints=9)
    train(config(data, hold_out="1"), options, tmp_path / "run")
    said = capsys.readouterr().out
    assert "validation will have to be left out" in said
    assert [said.count(f"step {step}: validation left out") for step in (5, 10, 15, 20)] == [1] * 4
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [20, 15, 10, 5]


@pytest.mark.parametrize("place", ["scores", "take_weights", "_examples"])
def test_a_lack_of_memory_anywhere_in_a_validation_costs_no_step(tmp_path, monkeypatch, place):
    def exhausted(*_):
        if place == "scores":  # NumPy's
            raise MemoryError("Unable to allocate 1.2 GiB")
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    owner = {"scores": validation, "take_weights": TrainedDeblurrer, "_examples": Validation}
    monkeypatch.setattr(owner[place], place, exhausted)
    options = RunOptions(max_steps=9, validate_every=4, checkpoint_every=3, keep_checkpoints=9)
    train(config(sequences(tmp_path / "data"), hold_out="1"), options, tmp_path / "run")
    # Each is saved before its validation, too.
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [9, 8, 6, 4, 3]


def test_the_best_checkpoint_is_chosen_on_sequences_that_are_held_out(tmp_path, capsys):
    data = sequences(tmp_path / "data")
    # A pair without blur, whose PSNR is infinite, ends no validation.
    (data / "train/blur/b_000002.png").write_bytes((data / "train/sharp/b_000002.png").read_bytes())
    run_dir = tmp_path / "run"
    train(config(data, hold_out="b"), RunOptions(max_steps=2, validate_every=1), run_dir)
    content = json.loads((run_dir / "config.json").read_text())["data"]
    assert (content["held_out"], list(content["sequences"])) == (["b"], ["a", "c"])
    assert load_model(run_dir, "best").restored_step in (1, 2)

    options = RunOptions(max_steps=4, validate_every=1, validation_images=1)
    with pytest.raises(InputError, match="best checkpoint on 2 held-out images, not these 1"):
        train(config(data, hold_out="b"), options, run_dir)

    def selection(checkpoint, split):
        summary = evaluate_run(run_dir, open_test_set("gopro", data, split), checkpoint=checkpoint)
        return summary["selected_on"], summary.get("selected_on_and_scored")

    shutil.copytree(data / "train", data / "test")
    for path in (data / "test").glob("*/b_*"):
        path.unlink()
    best = "2 held-out training images"
    assert selection("latest", "test") == ("nothing", None)
    assert selection("best", "test") == (best, 0)
    assert "warning" not in capsys.readouterr().err
    assert selection("best", "train") == (best, 2)
    assert "2 of the images on which" in capsys.readouterr().err
    lines = [f"data/train/sharp/b_00000{i}.png data/train/blur/b_00000{i}.png\n" for i in (2, 3)]
    (tmp_path / "list.txt").write_text("".join(lines))  # the same images by other names
    images = open_test_set("gopro", tmp_path / "list.txt")
    listed = evaluate_run(run_dir, images, tmp_path / "listed", "best")
    assert listed["selected_on_and_scored"] == 2


def test_whole_sequences_are_held_out_by_number_or_name(tmp_path):
    pairs = find_pairs(sequences(tmp_path), "train")
    for wanted, expected in {"1": {"b"}, "2": {"a", "c"}, "c,a": {"a", "c"}}.items():
        kept, held = hold_out(pairs, wanted)
        assert {pair.sequence for pair in held} == expected
        assert {pair.sequence for pair in kept} == {"a", "b", "c"} - expected
    for wanted, message in {
        "3": "3 of 3",
        "0": "0 of 3",
        "d": "hold out d",
        "a,b,c": "all",
    }.items():
        with pytest.raises(InputError, match=message):
            hold_out(pairs, wanted)
