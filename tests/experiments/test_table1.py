"""Table 1: what it says of its runs, and which may stand in one."""

import csv
import json
import shutil

import cv2
import pytest
from markdown_tables import rows_of

from experiments import ablation
from experiments.ablation import Row, read_rows, write_table
from srn_tf.common.errors import InputError
from srn_tf.network.variants import TABLE1, slug
from srn_tf.training.configuration import TrainingConfig

PAPER = {  # Table 1 as printed
    "SS": ("2.73M", "28.40", "0.9045"),
    "SC": ("8.19M", "29.05", "0.9166"),
    "w/o R": ("2.73M", "29.26", "0.9197"),
    "RNN": ("3.03M", "29.35", "0.9210"),
    "SR-Flat": ("2.66M", "27.53", "0.8886"),
    "SR-RB": ("2.66M", "28.11", "0.8991"),
    "SR-ED": ("3.76M", "29.06", "0.9170"),
    "SR-EDRB1": ("2.21M", "28.60", "0.9082"),
    "SR-EDRB2": ("2.99M", "29.32", "0.9204"),
    "SR-EDRB3": ("3.76M", "29.98", "0.9254"),
}


def training_of(variant, **fields):
    return TrainingConfig(variant=variant, data_dir="/data/GOPRO_Large", **fields).to_dict()


def summary_of(psnr, ssim, step=262_000):
    return {
        "data_dir": "/data/GOPRO_Large",
        "blur_subset": "blur",
        "step": step,
        "images": 1111,
        "device": "Abacus 3",
        "mean": {"psnr": psnr, "ssim_matlab": ssim},
        "baseline": {"psnr": 25.64, "ssim_matlab": 0.7928},
        "sequences": {},
    }


def write_run(folder, variant, training, summary):
    folder = folder / slug(variant.name)
    output = folder / "evaluation/test-blur-latest"
    output.mkdir(parents=True)
    config = {"variant": variant.to_dict(), "training": training}
    (folder / "config.json").write_text(json.dumps(config))
    (output / "summary.json").write_text(json.dumps(summary))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """All ten networks, measured; number i has a PSNR of 20 + i and an SSIM of 0.8 + i / 100."""
    folder = tmp_path_factory.mktemp("runs")
    for i, variant in enumerate(TABLE1):
        write_run(folder, variant, training_of(variant), summary_of(20 + i, 0.8 + i / 100))
    return read_rows(folder)


def test_the_table_has_the_papers_parameters_and_scores(rows, tmp_path):
    write_table(rows, tmp_path)
    header, *body = rows_of(tmp_path / "table1.md")
    assert header[:6] == [
        *("network", "parameters", "parameters (paper)", "GFLOPs"),
        *("PSNR (dB)", "PSNR (dB) (paper)"),
    ]
    assert [row[0] for row in body] == list(PAPER)
    for i, row in enumerate(body):
        parameters, psnr, ssim = PAPER[row[0]]
        assert (row[1], row[2]) == (parameters, parameters)
        assert (row[4], row[5]) == (f"{20 + i}.00", psnr)
        assert row[6:8] == [f"{i - 9:+}.00", f"{float(psnr) - 29.98:+.2f}"]
        assert (row[8], row[9]) == (f"{0.8 + i / 100:.4f}", ssim)
        assert row[10] == f"{(i - 9) / 100:+.4f}"
        assert row[12] == "262000"


def test_the_csv_is_the_table(rows, tmp_path):
    write_table(rows, tmp_path)
    with (tmp_path / "table1.csv").open(newline="") as file:
        assert list(csv.reader(file)) == rows_of(tmp_path / "table1.md")


def test_the_plot_is_a_picture(rows, tmp_path):
    write_table(rows, tmp_path)
    assert min(cv2.imread(str(tmp_path / "table1.png")).shape[:2]) > 500


def test_the_papers_recipe_needs_no_reservation(rows, tmp_path):
    caption = write_table(rows, tmp_path)
    for words in ("262000 steps", "GOPRO_Large", "Abacus 3", "1111 test images", "25.64 dB"):
        assert words in caption
    assert "demonstration" not in caption
    assert "not finished" not in caption


def test_an_unfinished_schedule_is_said(rows, tmp_path):
    rows = [row._replace(summary={**row.summary, "step": 10_000}) for row in rows]
    assert "not finished: 10000 of 262000 steps" in write_table(rows, tmp_path)


def test_demo_scores_are_called_so(rows, tmp_path):
    training = training_of(TABLE1[0], crop_size=64, start="identity")
    rows = [row._replace(training=training) for row in rows]
    caption = write_table(rows, tmp_path)
    assert "demonstration scores: they prove the protocol, not the ordering" in caption
    assert "crop_size 64 (paper 256)" in caption


def test_networks_that_were_not_run_are_listed(rows, tmp_path):
    missing = ("SC", "SR-EDRB3")
    rows = [
        row._replace(summary=None, training=None) if row.variant.name in missing else row
        for row in rows
    ]
    caption = write_table(rows, tmp_path)
    assert "Not run: SC, SR-EDRB3." in caption
    body = rows_of(tmp_path / "table1.md")[1:]
    assert [row[0] for row in body if row[4] == "not run"] == list(missing)
    assert all(row[1] == PAPER[row[0]][0] for row in body)
    assert {row[6] for row in body} == {"-"}  # nothing to subtract


def test_a_table_of_nothing_is_still_a_table(rows, tmp_path):
    rows = [row._replace(summary=None, training=None) for row in rows]
    assert "Not run: SS, SC, w/o R" in write_table(rows, tmp_path)
    assert len(rows_of(tmp_path / "table1.md")) == 11


def test_runs_from_several_machines_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "measure", lambda variant: (1, 1.0))
    for i, folder in enumerate(("/home/a", "/home/b")):
        training = training_of(TABLE1[i]) | {"data_dir": f"{folder}/GOPRO_Large"}
        summary = summary_of(20, 0.8) | {"device": f"machine {i}"}
        write_run(tmp_path, TABLE1[i], training, summary)
    caption = write_table(read_rows(tmp_path), tmp_path)
    assert "machine 0 and machine 1" in caption


def test_runs_of_different_recipes_do_not_share_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "measure", lambda variant: (1, 1.0))
    for seed, variant in enumerate(TABLE1[:2]):
        write_run(tmp_path, variant, training_of(variant, seed=seed), summary_of(20, 0.8))
    with pytest.raises(InputError, match="SS was trained with seed 0, SC with 1"):
        read_rows(tmp_path)


def test_scores_on_different_test_sets_do_not_share_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "measure", lambda variant: (1, 1.0))
    for count, variant in enumerate(TABLE1[:2], start=1):
        summary = summary_of(20, 0.8) | {"images": count}
        write_run(tmp_path, variant, training_of(variant), summary)
    with pytest.raises(InputError, match="SS and SC were scored on different test images"):
        read_rows(tmp_path)


def test_a_run_without_evaluation_counts_as_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "measure", lambda variant: (1, 1.0))
    write_run(tmp_path, TABLE1[0], training_of(TABLE1[0]), summary_of(20, 0.8))
    shutil.rmtree(tmp_path / "SS/evaluation")
    assert read_rows(tmp_path)[0] == Row(TABLE1[0], 1, 1.0, None, None)


def test_a_run_from_before_a_field_had_its_default(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "measure", lambda variant: (1, 1.0))
    older = training_of(TABLE1[0])
    del older["relative_loss"]
    write_run(tmp_path, TABLE1[0], older, summary_of(20, 0.8))
    write_run(tmp_path, TABLE1[1], training_of(TABLE1[1]), summary_of(20, 0.8))
    write_table(read_rows(tmp_path), tmp_path / "table")
    other = training_of(TABLE1[2], relative_loss=16.0)
    write_run(tmp_path, TABLE1[2], other, summary_of(20, 0.8))
    with pytest.raises(InputError, match=r"SS was trained with relative_loss 0\.0, w/o R with 16"):
        read_rows(tmp_path)
