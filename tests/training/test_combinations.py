"""Every option of a run goes with every other: pairs of values, from training to the export.

The rows cover every pair of values of the options (a covering array, which the first test checks),
so that no two options meet for the first time on a user's machine. `make test` runs the rows that
meet mixed precision, where combinations have failed; `make test-robust` runs all.
"""

import dataclasses
import itertools

import numpy as np
import pytest
from pair_folders import write_pairs

from srn_tf.evaluation.metrics import psnr
from srn_tf.exporting.folder import export
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb
from srn_tf.network.variants import get_variant
from srn_tf.training import adversarial, configuration
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.run import train
from srn_tf.weights.run_folder import checkpoint_steps

VALUES = {
    "mixed_precision": ("none", "float16", "bfloat16"),
    "cache": ("none", "disk", "device"),
    "ema_decay": (0.0, 0.9),
    "accumulate": (1, 2),
    "strategy": ("none", "mirrored"),
    "jit_compile": (False, True),
    "adversarial": (0.0, 0.1),
}
ROWS = [
    ("none", "none", 0.9, 1, "none", False, 0.1),
    ("none", "disk", 0.0, 1, "none", True, 0.0),
    ("none", "device", 0.0, 2, "mirrored", False, 0.1),
    ("float16", "none", 0.0, 1, "none", True, 0.1),
    ("float16", "disk", 0.9, 1, "mirrored", False, 0.1),
    ("float16", "device", 0.0, 2, "none", False, 0.0),
    ("bfloat16", "none", 0.0, 2, "mirrored", False, 0.0),
    ("bfloat16", "disk", 0.9, 2, "none", True, 0.0),
    ("bfloat16", "device", 0.9, 1, "mirrored", True, 0.1),
]
QUICK = [3, 6, 8]

TINY = dataclasses.replace(get_variant("SR-EDRB1"), name="tiny", scales=2, published=None)


def test_the_rows_hold_every_pair_of_values():
    names = list(VALUES)
    for one, other in itertools.combinations(range(len(names)), 2):
        wanted = set(itertools.product(VALUES[names[one]], VALUES[names[other]]))
        assert wanted <= {(row[one], row[other]) for row in ROWS}, (names[one], names[other])


def numbered(rows):
    return [
        pytest.param(
            row, marks=() if i in QUICK else pytest.mark.robust, id=" ".join(map(str, row))
        )
        for i, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, [(24, 32)] * 4)
    (folder / "test").symlink_to(folder / "train")
    return folder


@pytest.fixture
def small_discriminator(monkeypatch):
    """The real one would need crops of 256 pixels."""
    monkeypatch.setattr(adversarial, "_CHANNELS", (4, 8, 8))
    monkeypatch.setattr(adversarial, "_STRIDES", (1, 2, 4))
    for module in (adversarial, configuration):
        monkeypatch.setattr(module, "ADVERSARIAL_CROP", 8)


@pytest.mark.usefixtures("small_discriminator")
@pytest.mark.parametrize("row", numbered(ROWS))
def test_a_run_validates_saves_resumes_reports_and_serves(data, tmp_path, capsys, row):
    given = dict(zip(VALUES, row))
    shaping = {name: given.pop(name) for name in ("mixed_precision", "ema_decay", "adversarial")}
    config = TrainingConfig(TINY, str(data), batch_size=4, crop_size=8, decay_steps=9, **shaping)
    options = {
        "checkpoint_every": 1,
        "validate_every": 1,
        "validation_images": 2,
        "log_every": 1,
        "cache_dir": str(tmp_path / "cache"),
        **given,
    }
    run_dir = tmp_path / "run"
    for steps in (1, 2):
        train(config, RunOptions(max_steps=steps, **options), run_dir)
    said = capsys.readouterr().out
    assert checkpoint_steps(run_dir / "checkpoints") == [2, 1]
    assert "step 2: validation on 2 images" in said
    assert "steps 1 to 2" in said
    # What the run says of itself at its end is what every other command makes of it.
    deblurrer = Deblurrer.from_run_dir(run_dir)
    found = []
    for path in sorted((data / "test/blur").iterdir())[::3]:
        blurred, sharp = read_rgb(path), read_rgb(data / "test/sharp" / path.name)
        found.append(psnr(deblurrer(blurred), sharp))
    reported = [line.split()[1] for line in said.splitlines() if line.startswith("deblurred ")]
    assert float(reported[-1]) == pytest.approx(np.mean(found), abs=0.006)
    assert export(run_dir, tmp_path / "exported") <= 1  # gray level
