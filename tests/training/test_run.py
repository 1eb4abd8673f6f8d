"""Training runs from the command to the report: resume, refusal, bad input."""

import dataclasses
import errno
import json
import shutil
import signal

import commands
import cv2
import numpy as np
import pytest
import tensorflow as tf
from networks import TINY

from data_tools.scenes import make_demo
from srn_tf.common.errors import InputError, RunError, Stopped
from srn_tf.common.folders import locked
from srn_tf.network.variants import get_variant
from srn_tf.training import configured, train
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.log import read_metrics
from srn_tf.training.run import Run
from srn_tf.weights.run_folder import checkpoint_steps, load_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "demo"
    make_demo(folder, train_pairs=4, test_pairs=2, height=64, width=64)
    return folder


@pytest.fixture(scope="module")
def one_step(data, tmp_path_factory):
    """The folder of a run of one step."""
    run_dir = tmp_path_factory.mktemp("runs") / "one_step"
    train(config(data), RunOptions(max_steps=1), run_dir)
    return run_dir


@pytest.fixture
def own_data(data, tmp_path):
    """A copy of the data that a test may break."""
    return shutil.copytree(data, tmp_path / "own")


def config(data, **changes):
    fields = {"variant": TINY, "batch_size": 2, "crop_size": 16}
    return TrainingConfig(data_dir=str(data), **{**fields, "decay_steps": 20, **changes})


def flags(data, run_dir, **changes):
    fields = {"variant": "SR-EDRB1", "batch_size": 2, "crop_size": 32, "decay_steps": 20}
    fields.update(data_dir=data, run_dir=run_dir, **changes)
    return [f"--{name}={value}" for name, value in fields.items()]


def test_one_step_of_the_real_command_leaves_a_complete_run_folder(data, tmp_path):
    run_dir = tmp_path / "run"
    arguments = flags(data, run_dir, max_steps=1, validate_every=1)
    status, output = commands.run("srn_tf.train", *arguments)
    assert status == 0, output
    # And nothing else: not what TensorFlow says while it starts, nor a bar.
    begins = ["SR-EDRB1: steps 0 to 1", "step 1/1  lr ", "step 1: validation on 2 images  psnr"]
    begins += ["2 images   PSNR"]
    begins += ["blurred  ", "deblurred  ", f"{run_dir} is finished: 1 steps"]
    lines = output.splitlines()
    assert len(lines) == len(begins), output
    assert all(line.startswith(begin) for line, begin in zip(lines, begins)), output
    stored = json.loads((run_dir / "config.json").read_text())
    assert stored["variant"]["name"] == "SR-EDRB1"
    assert stored["training"]["batch_size"] == 2
    assert stored["command"][1:] == arguments
    assert stored["versions"]["tensorflow"] == tf.__version__
    assert checkpoint_steps(run_dir / "checkpoints") == [1]
    assert not (run_dir / "checkpoints" / "best").exists()  # nothing is chosen on test images
    assert list((run_dir / "logs").glob("events.*"))
    first, validation = read_metrics(run_dir / "metrics.csv")
    scales = sum(first[f"loss_scale{i}"] for i in (1, 2, 3))
    assert first["loss"] == pytest.approx(scales, rel=1e-5)
    assert {"psnr", "images_per_second", "data_wait", "learning_rate"} <= first.keys()
    assert {"validation_psnr", "validation_gain", "validation_ssim"} <= validation.keys()
    # Two test pairs of 64x64: blurred | deblurred | sharp in two rows, each with details below.
    assert cv2.imread(str(run_dir / "comparison.png")).shape == (256, 192, 3)
    assert cv2.imread(str(run_dir / "curves.png")).std() > 1
    assert not list(run_dir.rglob("*partial*"))


def test_a_resumed_run_equals_an_uninterrupted_one_and_says_when_it_is_finished(
    data, tmp_path, capsys
):
    averaged, run_dir = config(data, ema_decay=0.9), tmp_path / "parts"
    train(averaged, RunOptions(max_steps=3), tmp_path / "whole")
    for steps in (1, 3):
        train(averaged, RunOptions(max_steps=steps), run_dir)
    assert "steps 1 to 3" in capsys.readouterr().out
    assert [row["step"] for row in read_metrics(run_dir / "metrics.csv")] == [1, 2, 3]
    whole, parts = (load_model(tmp_path / name).get_weights() for name in ("whole", "parts"))
    for a, b in zip(whole, parts):
        np.testing.assert_allclose(a, b, atol=1e-7)
    pictures = (run_dir / "comparison.png").stat().st_mtime_ns
    train(averaged, RunOptions(max_steps=3), run_dir)
    assert "is finished: 3 of 3 steps" in capsys.readouterr().out
    assert (run_dir / "comparison.png").stat().st_mtime_ns == pictures


def test_signal_saves_and_says_how_to_go_on(data, tmp_path):
    arguments = flags(data, tmp_path / "run", max_steps=100_000, log_every=1)
    process = commands.start("srn_tf.train", *arguments)
    commands.wait_for(process, "step 2/")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 75  # "try again": a queue may restart it
    assert "the same command resumes" in output
    assert "Traceback" not in output
    (step,) = checkpoint_steps(tmp_path / "run" / "checkpoints")
    assert step >= 2
    assert f"stopped at step {step}" in output


def test_ctrl_c_ends_training_after_the_step(data, tmp_path, capsys):
    def interrupt(row):
        if row["step"] == 1:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match="stopped at step 2 of 9, which is saved"):
        train(config(data), RunOptions(max_steps=9, log_every=9), tmp_path, on_log=interrupt)
    assert "SIGINT: stopping as soon as possible" in capsys.readouterr().err
    assert checkpoint_steps(tmp_path / "checkpoints") == [2]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_before_the_first_step_says_that_the_run_can_resume(data, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "make_batches", interrupted)
    with pytest.raises(Stopped, match="the same command resumes"):
        train(config(data), RunOptions(max_steps=9), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_fork_continues_with_optimizer_and_step_and_may_change_the_recipe(data, tmp_path):
    whole, fork = tmp_path / "whole", tmp_path / "fork"
    options = {"checkpoint_every": 1, "validate_every": 0, "deterministic": True}
    train(config(data), RunOptions(max_steps=3, **options), whole)
    train(config(data, fork_from=f"{whole}@1"), RunOptions(max_steps=3, **options), fork)
    ends = [load_checkpoint(folder, 3) for folder in (whole, fork)]
    assert ends[0].keys() == ends[1].keys()
    assert all(np.array_equal(value, ends[1][name]) for name, value in ends[0].items())
    assert [row["step"] for row in read_metrics(fork / "metrics.csv")] == [2, 3]

    given = {"fork_from": f"{fork}@3", "learning_rate": 1e-6, "batch_size": 1, "ema_decay": 0.9}
    changed, _, _ = configured({**given, "mixed_precision": "bfloat16"}, run_dir=tmp_path / "new")
    assert (changed.variant, changed.crop_size, changed.decay_steps) == (TINY, 16, 20)
    train(changed, RunOptions(max_steps=4, **options), tmp_path / "new")
    assert checkpoint_steps(tmp_path / "new" / "checkpoints") == [4]
    before, after = (load_model(folder).get_weights() for folder in (fork, tmp_path / "new"))
    assert all(np.abs(a - b).max() < 1e-4 for a, b in zip(before, after))
    train(changed, RunOptions(max_steps=5, **options), tmp_path / "new")  # now from its own
    assert checkpoint_steps(tmp_path / "new" / "checkpoints") == [5, 4]


def load_checkpoint(run_dir, step):
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = sorted(reader.get_variable_to_shape_map())
    return {name: reader.get_tensor(name) for name in names if not name.startswith("_")}


def test_a_fork_of_what_is_not_there_is_refused(data, one_step, tmp_path):
    with pytest.raises(InputError, match="fork_from must be RUN@STEP"):
        config(data, fork_from=str(one_step))
    missing = config(data, fork_from=f"{one_step}@7")
    with pytest.raises(InputError, match=r"step-7 does not exist; .* holds the steps: 1"):
        train(missing, RunOptions(max_steps=9), tmp_path / "run")
    other = dataclasses.replace(TINY, name="other", kernel_size=5)
    foreign = config(data, variant=other, fork_from=f"{one_step}@1")
    with pytest.raises(InputError, match="holds a tiny, not a other"):
        train(foreign, RunOptions(max_steps=9), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("variant", {"variant": get_variant("SR-EDRB2")}),
        ("seed", {"seed": 1}),
        ("batch_size", {"batch_size": 1}),
        ("crop_size", {"crop_size": 32}),
        ("decay_steps", {"decay_steps": 21}),
        ("learning_rate", {"learning_rate": 1e-3}),
        ("hold_out", {"hold_out": "1"}),
    ],
)
def test_run_folder_of_another_configuration_is_refused_by_field(data, one_step, field, changes):
    with pytest.raises(InputError, match=f"was made with {field}"):
        train(config(data, **changes), RunOptions(max_steps=2), one_step)
    assert checkpoint_steps(one_step / "checkpoints") == [1]


def test_no_two_processes_train_into_one_run_folder(data, one_step):
    in_use = "in use by another process"
    with locked(one_step), pytest.raises(InputError, match=in_use):
        train(config(data), RunOptions(max_steps=2), one_step)
    assert checkpoint_steps(one_step / "checkpoints") == [1]


def test_init_from_starts_with_the_weights_of_another_run(data, one_step, tmp_path):
    source = shutil.copytree(one_step, tmp_path / "source")
    tuned = config(data, init_from=str(source), learning_rate=1e-9, seed=5)
    train(tuned, RunOptions(max_steps=1), tmp_path / "run")
    before, after = (load_model(folder).get_weights() for folder in (source, tmp_path / "run"))
    for a, b in zip(before, after):
        np.testing.assert_allclose(a, b, atol=1e-6)
    other = dataclasses.replace(TINY, name="other", kernel_size=5)
    other = config(data, variant=other, init_from=str(source))
    with pytest.raises(InputError, match="holds a tiny, not a other"):
        train(other, RunOptions(max_steps=1), tmp_path / "other")
    # Once it has begun, a run does not need its source any more.
    shutil.rmtree(source)
    train(tuned, RunOptions(max_steps=2), tmp_path / "run")
    assert checkpoint_steps(tmp_path / "run" / "checkpoints")[0] == 2


def test_data_may_move_and_must_not_change(own_data, tmp_path):
    run_dir = tmp_path / "run"
    train(config(own_data), RunOptions(max_steps=1), run_dir)
    moved = own_data.rename(tmp_path / "moved")
    train(config(moved), RunOptions(max_steps=2), run_dir)
    assert checkpoint_steps(run_dir / "checkpoints")[0] == 2
    sharp = first_image(moved, "sharp")
    cv2.imwrite(str(sharp), np.zeros([64, 64, 3], np.uint8))
    with pytest.raises(InputError, match=r"other data; sequence \w+: 1 pair, but not the same"):
        train(config(moved), RunOptions(max_steps=3), run_dir)
    first_image(moved).unlink()
    sharp.unlink()
    with pytest.raises(InputError, match=r"sequence \w+: 1 pair then, no pairs now"):
        train(config(moved), RunOptions(max_steps=3), run_dir)


def test_a_folder_from_before_a_field_was_invented_has_its_default(data, one_step, tmp_path):
    run_dir = shutil.copytree(one_step, tmp_path / "run")
    content = json.loads((run_dir / "config.json").read_text())
    del content["training"]["total_variation"], content["variant"]["upsampling"]
    (run_dir / "config.json").write_text(json.dumps(content))
    train(config(data), RunOptions(max_steps=2), run_dir)
    with pytest.raises(InputError, match=r"was made with total_variation 0.0, not 0.1"):
        train(config(data, total_variation=0.1), RunOptions(max_steps=2), run_dir)


def first_image(folder, kind="blur"):
    return sorted(folder.glob(f"train/*/{kind}/*.png"))[0]


def missing_folder(folder):
    shutil.rmtree(folder)
    return str(folder)


def empty_folder(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    return str(folder)


def no_partner(folder):
    first_image(folder, "sharp").unlink()
    return first_image(folder).stem


def unequal_sizes(folder):
    path = first_image(folder)
    cv2.imwrite(str(path), np.zeros([64, 80, 3], np.uint8))
    return str(path)


def truncated(folder):
    for path in folder.glob("train/*/blur/*.png"):  # all: the order of the batches is random
        path.write_bytes(path.read_bytes()[:-400])
    return "png is cut off"


@pytest.mark.parametrize(
    "damage", [missing_folder, empty_folder, no_partner, unequal_sizes, truncated]
)
def test_bad_data_is_refused_by_name(own_data, tmp_path, damage):
    named = damage(own_data)
    with pytest.raises(InputError) as caught:
        train(config(own_data), RunOptions(max_steps=2), tmp_path / "run")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_crop_larger_than_an_image_is_refused_by_name(data, tmp_path):
    with pytest.raises(InputError, match=r"64x64 pixels, smaller than the crop of 80x80"):
        train(config(data, crop_size=80), RunOptions(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_crop_that_is_no_multiple_of_16_is_refused(data):
    with pytest.raises(InputError, match="multiple of 16"):
        config(data, variant=get_variant("SR-EDRB1"), crop_size=40)


def test_run_without_any_checkpoint_left_starts_again_and_says_so(data, one_step, tmp_path, capsys):
    run_dir = shutil.copytree(one_step, tmp_path / "run")
    shutil.rmtree(run_dir / "checkpoints")
    train(config(data), RunOptions(max_steps=1), run_dir)
    assert "holds no checkpoint: it starts anew" in capsys.readouterr().out
    assert checkpoint_steps(run_dir / "checkpoints") == [1]


def test_run_folder_that_cannot_be_made_is_refused(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run cannot be made or locked \(Not a directory\)"):
        train(config(data), RunOptions(), tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "OOM\nmore"), "raise --accumulate"),
        (tf.errors.ResourceExhaustedError(None, None, "No space left on device"), "make room"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room"),
    ],
)
def test_what_ends_training_is_one_line_that_says_what_to_do(data, tmp_path, error, message):
    def fail(row):
        raise error

    with pytest.raises(RunError, match=message) as caught:
        train(config(data), RunOptions(max_steps=9), tmp_path, on_log=fail)
    assert "\n" not in str(caught.value)


def test_a_profile_is_written_for_short_runs_too(data, tmp_path):
    train(config(data), RunOptions(max_steps=2, profile=True), tmp_path)
    assert list((tmp_path / "logs").rglob("*.xplane.pb"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--variant=SR-EDRB9"], ["unknown variant 'SR-EDRB9'", "SR-EDRB3", "w/o R"]),
        (["--variant=SS"], ["--data_dir is missing"]),
        (["--data_dir=."], ["--variant is missing"]),
    ],
)
def test_bad_usage_exits_with_2_and_one_line(tmp_path, arguments, words):
    run_dir = tmp_path / "run"
    status, output = commands.run("srn_tf.train", f"--run_dir={run_dir}", *arguments)
    assert status == 2
    assert len(output.strip().splitlines()) == 1
    assert all(word in output for word in words)
    assert not run_dir.exists()


def test_broken_test_images_are_found_before_training(data, own_data, tmp_path):
    (blurred, *_) = sorted(own_data.glob("test/*/blur/*.png"))
    content = blurred.read_bytes()
    blurred.write_bytes(content[:-50])
    with pytest.raises(InputError, match=f"{blurred.name} is cut off"):
        train(config(own_data), RunOptions(max_steps=1), tmp_path / "run")
    blurred.unlink()
    with pytest.raises(InputError, match="has no blurred partner"):
        train(config(own_data), RunOptions(max_steps=1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_test_images_there_are_curves_and_no_scores(own_data, tmp_path, capsys):
    shutil.rmtree(own_data / "test")
    for _ in range(2):
        train(config(own_data), RunOptions(max_steps=1, validate_every=1), tmp_path / "run")
        assert "no validation, and no scores" in capsys.readouterr().out
    assert (tmp_path / "run" / "curves.png").exists()
    assert not (tmp_path / "run" / "comparison.png").exists()
    assert "validation_psnr" not in read_metrics(tmp_path / "run" / "metrics.csv")[-1]


@pytest.mark.parametrize("broken", [1, 4])
def test_an_unreadable_training_image_loses_no_step(own_data, tmp_path, broken):
    for blurred in sorted(own_data.glob("train/*/blur/*.png"))[:broken]:
        whole = blurred.read_bytes()  # of which the header and the end stay: decoding fails
        blurred.write_bytes(whole[:60] + bytes(len(whole) - 72) + whole[-12:])
    run_dir = tmp_path / "run"
    with pytest.raises(InputError, match="cannot be decoded"):
        train(config(own_data, batch_size=1), RunOptions(max_steps=20, log_every=1), run_dir)
    done = 1 if broken == 1 else 0  # with seed 0 the first is the second to be drawn
    assert run_dir.exists() == (done > 0)
    assert checkpoint_steps(run_dir / "checkpoints") == [done] * done


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (config, "batch_size", 0),
        (config, "learning_rate", float("nan")),
        (config, "ema_decay", 1.0),
        (config, "seed", -1),
        (config, "blur_subset", "sharp"),
        (config, "mixed_precision", "float8"),
        (config, "init_from", 1),
        (RunOptions, "max_steps", 0),
        (RunOptions, "max_steps", 2.0),
        (RunOptions, "validate_every", -5),
        (RunOptions, "validation_images", -1),
        (RunOptions, "strategy", "ps"),
    ],
)
def test_values_out_of_range_are_refused_by_field(data, kind, field, value):
    fixed = {"data": data} if kind is config else {}
    with pytest.raises(InputError, match=f"{field} must be"):
        kind(**fixed, **{field: value})
