"""Several devices and several workers compute what one computes."""

import os
import socket
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
import tensorflow as tf

from data_tools.scenes import make_demo
from srn_tf.network.variants import get_variant
from srn_tf.training import train
from srn_tf.training.configuration import RunOptions, TrainingConfig

STEPS = 3
# With a state between scales, whose gradients are clipped.
TINY = get_variant("SR-EDRB1,scales=2,width=8")
OPTIONS = {"max_steps": STEPS, "checkpoint_every": 1, "keep_checkpoints": 10, "validate_every": 2}
FLAGS = {
    "variant": "SR-EDRB1,width=8",
    "batch_size": "4",
    "crop_size": "32",
    "decay_steps": "1000",
    "checkpoint_every": "1",
    "log_every": "1",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "demo"
    make_demo(folder, train_pairs=8, test_pairs=3, height=64, width=64)
    return folder


def run(data, run_dir, strategy="auto"):
    """Three steps with a validation."""
    config = TrainingConfig(
        TINY, str(data), batch_size=4, crop_size=16, decay_steps=1000, learning_rate=1e-3
    )
    train(config, RunOptions(strategy=strategy, **OPTIONS), run_dir)


def start_workers(start):
    """Two processes that `start(environment)` starts."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("localhost", 0))
        ports = [one.getsockname()[1] for one in sockets]
    return [start(commands.worker_environment(ports, index)) for index in range(2)]


def finish(process):
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, output


def tensors(run_dir, step, part):
    """All tensors of one part of a checkpoint ("net", "optimizer/_variables") as one vector."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = sorted(n for n in reader.get_variable_to_shape_map() if n.startswith(f"{part}/"))
    assert names
    return np.concatenate([reader.get_tensor(name).ravel() for name in names])


def relative_difference(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def assert_same_run(run_dir, expected):
    # After one step, Adam keeps the aggregated and clipped gradient times 1 - beta1, and its
    # square times 1 - beta2.
    gradients = [tensors(folder, 1, "optimizer/_variables") for folder in (run_dir, expected)]
    assert relative_difference(*gradients) < 1e-5
    weights = [tensors(folder, STEPS, "net") for folder in (run_dir, expected)]
    moved = relative_difference(weights[0], tensors(expected, 1, "net"))
    assert moved > 1e-3
    # Adam makes a whole step of a gradient that is all rounding, in whichever direction that has:
    # by how much this counts depends on the processor (6.6e-7 with AVX2, 1.5e-4 with AVX-512).
    assert relative_difference(*weights) < moved / 50


@pytest.fixture(scope="module")
def one_process(data, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "one"
    run(data, run_dir, "none")
    return run_dir


@pytest.mark.robust
def test_two_workers_equal_one_process(data, one_process, tmp_path):
    folders = os.pathsep.join(str(folder) for folder in list(Path(__file__).parents)[:2])

    def start(environment):
        folder = str(tmp_path / "two")
        return commands.start(
            Path(__file__).stem, str(data), folder, PYTHONPATH=folders, **environment
        )

    for process in start_workers(start):
        status, output = finish(process)
        assert status == 0, output
    assert_same_run(tmp_path / "two", one_process)


def test_two_mirrored_devices_equal_one_process(data, one_process, tmp_path):
    assert len(tf.config.list_logical_devices("CPU")) == 2
    run(data, tmp_path / "two", "mirrored")
    assert_same_run(tmp_path / "two", one_process)


@pytest.mark.robust
@pytest.mark.parametrize("victim", [0, 1])
def test_killing_a_worker_ends_the_other_and_both_resume(data, tmp_path, victim):
    run_dir = tmp_path / "run"

    def start(environment, **changes):
        flags = {**FLAGS, "data_dir": data, "run_dir": run_dir, **changes}
        arguments = (f"--{name}={value}" for name, value in flags.items())
        return commands.start("srn_tf.train", *arguments, **environment)

    processes = start_workers(partial(start, max_steps=100_000, validate_every=0))
    commands.wait_for(processes[0], "step 4/")
    processes[victim].kill()
    status, output = finish(processes[1 - victim])
    assert status == 1, output
    assert "another worker is gone" in output
    processes[victim].communicate()
    again = start_workers(partial(start, max_steps=12))
    results = [finish(process) for process in again]
    assert [status for status, _ in results] == [0, 0], results
    assert "steps 0 to" not in results[0][1]
    assert "is finished: 12 steps" in results[0][1]


if __name__ == "__main__":  # one of the workers
    run(*sys.argv[1:])
