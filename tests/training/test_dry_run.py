"""A trial finds what would end a run, predicts what the run needs, and leaves nothing behind."""

import tempfile

import pytest
from networks import TINY
from pair_folders import write_pairs

from srn_tf.common.errors import InputError
from srn_tf.training import train
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.dry_run import dry_run


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    write_pairs(folder, [(16, 20)] * 40)
    (folder / "test").symlink_to("train")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return folder


def files_below(folder):
    # TensorFlow removes its own only when the process ends.
    return sorted(path for path in folder.rglob("*") if not path.name.startswith("__autograph"))


def try_run(data, run_dir):
    before = files_below(data.parent)
    config = TrainingConfig(TINY, str(data), batch_size=2, crop_size=8, decay_steps=2000)
    options = RunOptions(validate_every=100, validation_images=2, cache="disk", keep_checkpoints=3)
    try:
        dry_run(config, options, run_dir)
    finally:
        assert files_below(data.parent) == before


def test_time_and_disk_of_the_whole_run_are_predicted(data, tmp_path, capsys):
    try_run(data, tmp_path / "run")
    said = capsys.readouterr().out
    assert "step 5: validation on 2 images" in said
    speed, length, checkpoints, cache, last = said.splitlines()[-5:]
    assert float(speed.split(" steps/s with --cache=none")[0]) > 0
    assert length.startswith("2000 steps and 20 validations: ")
    # Three times 74 587 weights and Adam's two averages of each, in float32.
    assert float(checkpoints.split()[1]) == pytest.approx(3 * 3 * 4 * 74_587 / 1e9, rel=0.05)
    assert f"{data}/train/.srn_cache" in cache
    assert "will be made" in cache
    assert last == f"dry run: everything works; nothing was written to {tmp_path / 'run'}"


def test_a_broken_pair_is_named_though_no_step_of_the_trial_uses_it(data, tmp_path):
    broken = data / "train/sharp/000039.png"
    broken.write_bytes(broken.read_bytes()[:60] + bytes(len(broken.read_bytes()) - 60))
    with pytest.raises(InputError, match=r"sharp/000039\.png"):
        try_run(data, tmp_path / "run")


def test_a_run_of_other_data_is_refused_as_the_run_itself_would(data, tmp_path):
    options = RunOptions(max_steps=1, validate_every=0, validation_images=0)
    config = TrainingConfig(TINY, str(data), batch_size=2, crop_size=8, decay_steps=2000)
    train(config, options, tmp_path / "run")
    (data / "train/blur/000039.png").unlink()
    (data / "train/sharp/000039.png").unlink()
    with pytest.raises(InputError, match=r"was trained on other data; .* 40 pairs then, 39 pairs"):
        try_run(data, tmp_path / "run")
