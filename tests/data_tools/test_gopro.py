import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pair_folders import unreadable

from data_tools import gopro
from srn_tf.common.errors import InputError

SUBSETS = ("blur", "blur_gamma", "sharp")


def encoded(height=6, width=8):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    return cv2.imencode(".png", image)[1].tobytes()


def make_lookalike(root):
    content = encoded()
    for split, sequences in gopro.SEQUENCES.items():
        for name, pairs in sequences.items():
            for subset in SUBSETS:
                folder = root / split / name / subset
                folder.mkdir(parents=True)
                for number in range(pairs):
                    (folder / f"{number + 1:06d}.png").write_bytes(content)
    return root


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A look-alike of a data set with three short sequences."""
    sequences = {"train": {"GOPR0001_07_00": 3, "GOPR0001_07_01": 2}, "test": {"GOPR0002_11_00": 4}}
    monkeypatch.setattr(gopro, "SEQUENCES", sequences)
    return make_lookalike(tmp_path / "small")


def verify_command(root):
    return subprocess.run(
        [sys.executable, "-m", "data_tools.gopro", f"--data_dir={root}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_table_holds_the_published_numbers():
    assert {split: len(names) for split, names in gopro.SEQUENCES.items()} == {
        "train": 22,
        "test": 11,
    }
    assert sum(gopro.SEQUENCES["train"].values()) == 2103
    assert sum(gopro.SEQUENCES["test"].values()) == 1111
    assert not set(gopro.SEQUENCES["train"]) & set(gopro.SEQUENCES["test"])


def test_lookalike_passes_until_a_file_is_removed(tmp_path):
    root = make_lookalike(tmp_path / "GOPRO_Large")
    result = verify_command(root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "warning: images are 8x6, those of GOPRO_Large 1280x720" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["train,", "all", "2103", "2103", "2103", "2103"] in rows
    assert ["test/GOPR0410_11_00", "134", "134", "134", "134"] in rows

    (root / "test/GOPR0862_11_00/blur_gamma/000077.png").unlink()
    result = verify_command(root)
    assert result.returncode == 1
    assert "test/GOPR0862_11_00/blur_gamma/000077.png is missing" in result.stdout
    assert "https://seungjunnah.github.io/Datasets/gopro" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("kept", [0, 40, -13, -12, -1])
def test_truncated_file_is_named(small, kept):
    path = small / "train/GOPR0001_07_00/sharp/000002.png"
    path.write_bytes(encoded()[:kept])
    [problem] = gopro.verify(small).problems
    assert problem.startswith(f"{path} is ")


def test_image_of_16_bits_is_named(small):
    path = small / "train/GOPR0001_07_00/sharp/000002.png"
    cv2.imwrite(str(path), np.zeros((6, 8, 3), np.uint16))
    [problem] = gopro.verify(small).problems
    assert problem.startswith(f"{path} has 16 bits")


def test_renamed_sequence_is_named(small):
    (small / "train/GOPR0001_07_01").rename(small / "train/GOPR0001_07_02")
    found = gopro.verify(small)
    assert found.problems == [
        "train/GOPR0001_07_02 is no part of GOPRO_Large",
        "train/GOPR0001_07_01 is missing",
    ]
    rows = [line.split() for line in gopro.table(found).splitlines()]
    assert ["train/GOPR0001_07_01", "2", "0", "0", "0", "differs"] in rows
    assert ["train/GOPR0001_07_00", "3", "3", "3", "3"] in rows


def test_missing_and_surplus_pairs_are_counted(small):
    for subset in SUBSETS:
        (small / "train/GOPR0001_07_00" / subset / "000003.png").rename(
            small / "train/GOPR0001_07_01" / subset / "000003.png"
        )
    assert gopro.verify(small).problems == [
        "train/GOPR0001_07_00 holds 2 pairs instead of 3",
        "train/GOPR0001_07_01 holds 3 pairs instead of 2",
    ]


def test_names_that_differ_are_named(small):
    folder = small / "test/GOPR0002_11_00/blur"
    (folder / "000001.png").rename(folder / "000009.png")
    assert set(gopro.verify(small).problems) == {
        "test/GOPR0002_11_00/blur/000001.png is missing",
        "test/GOPR0002_11_00/blur_gamma/000009.png is missing",
        "test/GOPR0002_11_00/sharp/000009.png is missing",
        "test/GOPR0002_11_00 holds 5 pairs instead of 4",
    }


def test_image_of_another_size_is_named(small):
    (small / "test/GOPR0002_11_00/blur/000003.png").write_bytes(encoded(height=5))
    found = gopro.verify(small)
    assert found.size == (6, 8)
    assert found.problems == ["test/GOPR0002_11_00/blur/000003.png is 8x5, the other images 8x6"]


def test_missing_subset_is_one_line(small):
    shutil.rmtree(small / "test/GOPR0002_11_00/blur_gamma")
    assert gopro.verify(small).problems == ["test/GOPR0002_11_00/blur_gamma is missing"]


def test_folders_that_cannot_be_read_are_no_missing_ones(small):
    with unreadable("blur"), pytest.raises(InputError, match="blur cannot be read: Permission"):
        gopro.verify(small)
    os.mkfifo(small / "train/GOPR0001_07_00/blur/000009.png")
    assert any("is a pipe" in problem for problem in gopro.verify(small).problems)


def test_other_folders_are_bad_input(tmp_path):
    with pytest.raises(InputError, match="no folder train or test"):
        gopro.verify(tmp_path)
    assert verify_command(tmp_path / "nowhere").returncode == 2
