"""Every option of a run goes with every other: pairs of values, from training to the export.

The rows cover every pair of values of the options (a covering array, which the first test checks),
so that no two options meet for the first time on a user's machine. `make test` runs one of 16
bits, where combinations have failed; `make test-robust` runs all.
"""

import itertools

import pytest
from pair_folders import write_pairs

from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import evaluate_run
from srn_tf.exporting.folder import export
from srn_tf.network.variants import get_variant
from srn_tf.training import adversarial, configuration
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import make_strategy
from srn_tf.training.loop import run_steps, train
from srn_tf.training.run import open_run
from srn_tf.training.validation import Validation
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
    ("none", "none", 0.9, 1, "none", True, 0.0),
    ("none", "disk", 0.0, 1, "mirrored", True, 0.1),
    ("none", "device", 0.9, 2, "mirrored", False, 0.0),
    ("float16", "none", 0.0, 1, "mirrored", False, 0.1),
    ("float16", "disk", 0.0, 2, "none", False, 0.0),
    ("float16", "device", 0.9, 1, "none", True, 0.0),
    ("bfloat16", "none", 0.0, 2, "mirrored", False, 0.0),
    ("bfloat16", "disk", 0.9, 1, "none", False, 0.1),
    ("bfloat16", "device", 0.0, 2, "none", True, 0.1),
]
QUICK = 7

TINY = get_variant("SR-EDRB1,scales=2,width=8")


def test_the_rows_hold_every_pair_of_values():
    names = list(VALUES)
    for one, other in itertools.combinations(range(len(names)), 2):
        wanted = set(itertools.product(VALUES[names[one]], VALUES[names[other]]))
        assert wanted <= {(row[one], row[other]) for row in ROWS}, (names[one], names[other])


def numbered(rows):
    return [
        pytest.param(
            row, marks=() if i == QUICK else pytest.mark.robust, id=" ".join(map(str, row))
        )
        for i, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, [(24, 32)] * 4)
    for path in folder.glob("train/*/00000[12].png"):
        target = folder / "test" / path.relative_to(folder / "train")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
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
    strategy = make_strategy(options["strategy"])
    run = open_run(config, RunOptions(max_steps=1, **options), run_dir, strategy)
    run_steps(run, Validation(run))
    train(config, RunOptions(max_steps=2, **options), run_dir)
    said = capsys.readouterr().out
    assert checkpoint_steps(run_dir / "checkpoints") == [2, 1]
    assert "step 2: validation on 2 images" in said
    assert "steps 1 to 2" in said
    # What the run says of itself at its end is what the other commands make of it.
    reported = [line.split()[1:] for line in said.splitlines() if line.startswith("deblurred ")]
    mean = evaluate_run(run_dir, open_test_set("gopro", data))["mean"]
    assert reported == [[f"{mean['psnr']:.2f}", f"{mean['ssim_matlab']:.4f}"]]
    if config.ema_decay:  # an export reads weights as an evaluation does: that takes time enough
        assert export(run_dir, tmp_path / "exported") <= 1  # gray level
