"""Later TensorFlows say on stderr that they are imported, at any log level; commands do not."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import ROOT
from pair_folders import write_pairs

from srn_tf.media.images import write_image

pytestmark = pytest.mark.skipif(
    tuple(map(int, tf.__version__.split(".")[:2])) < (2, 16), reason="an earlier TensorFlow"
)
PROGRESS = ("deblurring:", "scoring:")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Training pairs, a test pair, a photograph and, in runs/SS, a run of one step."""
    folder = tmp_path_factory.mktemp("quiet")
    write_pairs(folder / "data", [(16, 16)] * 2)
    write_pairs(folder / "tested", [(16, 16)])
    (folder / "tested" / "train").rename(folder / "tested" / "test")
    write_image(folder / "photo.png", np.full((20, 30, 3), 99, np.uint8))
    sizes = ("--batch_size=1", "--crop_size=16", "--max_steps=1")
    said = stderr(folder, "-m", "srn_tf.train", "--variant=SS", "--data_dir=data", *sizes)
    (folder / "train.stderr").write_text(said)
    return folder


def stderr(folder, *arguments):
    """What Python with these arguments says on stderr, run in `folder`."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stderr


def test_training_is_quiet(folder):
    assert (folder / "train.stderr").read_text() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("deblur", "--run_dir=runs/SS", "--input=photo.png", "--output=deblurred/"),
        ("evaluate", "--run_dir=runs/SS", "--data_dir=tested"),
        ("export", "--run_dir=runs/SS", "--output=exported"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_that_reads_the_run_is_quiet(folder, arguments):
    command, *flags = arguments
    said = stderr(folder, "-m", f"srn_tf.{command}", *flags)
    assert [line for line in said.splitlines() if line and not line.startswith(PROGRESS)] == []
