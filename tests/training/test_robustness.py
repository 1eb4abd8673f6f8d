"""A run that is killed, whose disk is full or whose files rot resumes or ends as it should."""

import errno
import os
import random
import resource
import shutil
import signal
import time

import commands
import numpy as np
import pytest
import tensorflow as tf
from networks import TINY

from data_tools.scenes import make_demo
from srn_tf.common.errors import InputError, RunError
from srn_tf.data import TrainingBatches
from srn_tf.training import train
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.optimizer import Adam
from srn_tf.training.run import Run
from srn_tf.weights.run_folder import Checkpoints, checkpoint_steps, restore_newest


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "demo"
    make_demo(folder, train_pairs=6, test_pairs=2, height=64, width=64)
    return folder


def make_checkpoints(folder, steps=(1, 2, 3)):
    """Checkpoints of a variable that holds the step many times over."""
    variable = tf.Variable(tf.zeros([1000]))
    checkpoints = Checkpoints(folder, {"variable": variable}, keep=5)
    for step in steps:
        variable.assign(tf.fill([1000], float(step)))
        checkpoints.save(step)
    return checkpoints, variable


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "one bit flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["truncated", "one bit flipped", "deleted"])
@pytest.mark.parametrize("suffix", [".data-00000-of-00001", ".index"])
def test_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, capsys, how, suffix):
    checkpoints, variable = make_checkpoints(tmp_path)
    damage(tmp_path / f"step-3{suffix}", how)
    assert checkpoints.restore() == 2
    np.testing.assert_array_equal(variable, 2.0)
    # Without its index a checkpoint does not exist; any other damage is said.
    assert ("step-3" in capsys.readouterr().err) == ((how, suffix) != ("deleted", ".index"))


def test_no_readable_checkpoint_is_an_error_and_no_checkpoint_is_none(tmp_path):
    checkpoints, _ = make_checkpoints(tmp_path, steps=[1])
    damage(tmp_path / "step-1.index", "truncated")
    with pytest.raises(RunError, match=r"no checkpoint in .* can be read"):
        checkpoints.restore()
    assert restore_newest(tmp_path / "empty", tf.train.Checkpoint()) is None


def test_full_disk_leaves_every_other_checkpoint_and_no_rest(tmp_path):
    checkpoints, variable = make_checkpoints(tmp_path, steps=[40, 50])
    before = sorted(path.name for path in tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    variable.assign(tf.zeros([1000]))
    again = Checkpoints(tmp_path, {"variable": variable}, keep=5)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(RunError, match=r"step 4 could not be written.*step 50 is intact"):
            checkpoints.save(4)
        assert again.restore() == 50
        again.save(50)  # it is there: nothing is written
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    np.testing.assert_array_equal(variable, 50.0)


def save_at(folder, hours, **options):
    """Saves a checkpoint at each of these times."""
    variable = tf.Variable(0.0)
    for step, hour in enumerate(hours, start=1):
        Checkpoints(folder, {"variable": variable}, **options).save(step)  # a process each
        os.utime(folder / f"step-{step}.index", (3600 * hour, 3600 * hour))


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    save_at(tmp_path, [1, 2, 3], keep=2)
    assert checkpoint_steps(tmp_path) == [3, 2]


def test_of_older_checkpoints_the_last_of_each_hour_is_kept(tmp_path):
    hours = [1.1, 1.5, 1.9, 2.2, 2.8, 4.1, 4.2, 4.3, 4.4]
    save_at(tmp_path, hours, keep=2, keep_every_hours=1.0)
    assert checkpoint_steps(tmp_path) == [9, 8, 5, 3]
    assert len(list(tmp_path.glob("*.data*"))) == 4


def weights(run_dir, step):
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("net/", "optimizer/", "average/", "step/", "skipped/"))
    }


@pytest.mark.robust
def test_killed_and_resumed_runs_end_with_the_same_bits(data, tmp_path):
    steps, kills = 40, 10
    flags = [
        "--variant=SR-EDRB1,width=8",
        f"--data_dir={data}",
        "--batch_size=2",
        "--crop_size=32",
        "--decay_steps=40",
        "--learning_rate=1e-3",
        "--ema_decay=0.9",
        "--deterministic",
        "--checkpoint_every=3",
        "--validate_every=7",
        "--log_every=1",
    ]
    status, output = commands.run("srn_tf.train", *flags, f"--run_dir={tmp_path / 'whole'}")
    assert status == 0, output
    expected = weights(tmp_path / "whole", steps)
    chance = random.Random(0)
    moments = chance.sample(range(2, steps - 5), kills)
    identical = 0
    for number, moment in enumerate(moments):
        run_dir = tmp_path / f"killed{number}"
        process = commands.start("srn_tf.train", *flags, f"--run_dir={run_dir}")
        commands.wait_for(process, f"step {moment}/")
        time.sleep(chance.uniform(0, 0.2))  # anywhere in a step or in writing a checkpoint
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        status, output = commands.run("srn_tf.train", *flags, f"--run_dir={run_dir}")
        assert status == 0, output
        assert moment <= 3 or "steps 0 to" not in output  # it did resume from a checkpoint
        found = weights(run_dir, steps)
        assert found.keys() == expected.keys()
        identical += all(found[name].tobytes() == expected[name].tobytes() for name in expected)
    print(f"{identical} of {kills} killed and resumed runs are bit-identical")
    assert identical == kills


def poisoned(monkeypatch, victim):
    """Makes the pixels of one pair NaN, as no image file could."""
    original = TrainingBatches.crop

    def crop(self, table, *pixels):
        blurred, sharp = original(self, table, *pixels)
        bad = tf.reshape(table[:, -1] == victim, [-1, 1, 1, 1])
        return tf.where(bad, np.nan, blurred), sharp

    monkeypatch.setattr(TrainingBatches, "crop", crop)


def tiny_config(data):
    return TrainingConfig(TINY, str(data), batch_size=2, crop_size=16, decay_steps=20)


@pytest.mark.parametrize("log_every", [1, 6])
def test_nonfinite_step_stops_names_the_file_and_keeps_the_weights(
    data, tmp_path, monkeypatch, log_every
):
    poisoned(monkeypatch, victim=4)
    options = RunOptions(max_steps=6, log_every=log_every, validate_every=0)
    with pytest.raises(RunError, match=r"step (\d+): .*not finite") as caught:
        train(tiny_config(data), options, tmp_path)
    names = sorted((data / "train").glob("*/blur/*.png"))
    assert str(names[4]) in str(caught.value)
    (step,) = checkpoint_steps(tmp_path / "checkpoints")  # in seed 0, pair 4 is not in the first
    assert f"step {step + 1}:" in str(caught.value)
    for value in weights(tmp_path, step).values():
        assert not np.any(np.isnan(value))


def spoilt(monkeypatch, iteration):
    """Makes an update leave weights that are not finite, as one with finite gradients may."""
    original = Adam.update

    def overflow(self, variables, gradients, applied):
        original(self, variables, gradients, applied)
        last = variables[-1]
        bad = tf.where(self.iterations == iteration, np.inf, 0.0)
        last.assign_add(tf.fill(last.shape, bad))

    monkeypatch.setattr(Adam, "update", overflow)


def test_weights_that_are_not_finite_are_never_saved(data, tmp_path, monkeypatch):
    spoilt(monkeypatch, iteration=2)
    options = RunOptions(max_steps=8, checkpoint_every=2, validate_every=0)
    with pytest.raises(RunError, match="were not saved"):
        train(tiny_config(data), options, tmp_path)
    assert checkpoint_steps(tmp_path / "checkpoints") == [2]


def test_weights_spoilt_since_they_were_looked_at_are_not_saved_either(data, tmp_path, monkeypatch):
    spoilt(monkeypatch, iteration=2)
    original = Run.elements

    def gone(self, batches):
        for number, element in enumerate(original(self, batches)):
            if number == 3:
                raise OSError(errno.EIO, "Input/output error", "share/a.png")
            yield element

    monkeypatch.setattr(Run, "elements", gone)
    options = RunOptions(max_steps=20, log_every=10, checkpoint_every=2, validate_every=0)
    with pytest.raises(RunError, match="were not saved"):
        train(tiny_config(data), options, tmp_path)
    assert checkpoint_steps(tmp_path / "checkpoints") == [2]


def test_parts_of_a_checkpoint_that_a_kill_left_are_removed(tmp_path):
    checkpoints, _ = make_checkpoints(tmp_path, steps=[2])
    (tmp_path / "step-3_temp").mkdir()
    (tmp_path / "step-3.data-00000-of-00001").touch()
    (tmp_path / "step-by-step.txt").touch()
    checkpoints.save(4)
    names = {path.name for path in tmp_path.iterdir()} - {"checkpoint"}
    parts = {f"step-{step}.{end}" for step in (2, 4) for end in ("index", "data-00000-of-00001")}
    assert names == parts | {"step-by-step.txt"}


def test_a_copy_of_a_checkpoint_is_none(tmp_path):
    checkpoints, _ = make_checkpoints(tmp_path, steps=[3])
    for path in list(tmp_path.glob("step-3.*")):
        shutil.copy(path, path.with_name(path.name.replace("step-3", "step-900 (copy)")))
    (tmp_path / "step-.index").touch()
    (tmp_path / "step-0x7.index").touch()
    assert checkpoint_steps(tmp_path) == [3]
    assert checkpoints.restore() == 3


def test_skip_nonfinite_goes_on_and_counts(data, tmp_path, monkeypatch, capsys):
    poisoned(monkeypatch, victim=4)
    train(tiny_config(data), RunOptions(max_steps=6, skip_nonfinite=True, log_every=1), tmp_path)
    assert "skipped 2" in capsys.readouterr().out  # pair 4 stands in one of three steps an epoch
    assert not any(np.any(np.isnan(value)) for value in weights(tmp_path, 6).values())


@pytest.mark.parametrize(
    "name", ["metrics.csv", "curves.png", "comparison.png", "checkpoints/a", "logs/a"]
)
def test_a_folder_with_files_of_somebody_else_is_no_run_folder(data, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("of somebody else")
    with pytest.raises(InputError, match="was not made by a run"):
        train(tiny_config(data), RunOptions(max_steps=1), tmp_path)
    assert (tmp_path / name).read_text() == "of somebody else"
