"""Table 1 and Fig. 4: what the tables say, and the commands that train, resume and merge."""

import csv
import dataclasses
import json
import shutil

import commands
import cv2
import numpy as np
import pytest

from experiments import table1
from experiments.complexity import gflops
from experiments.table1 import Row, read_rows, write_table
from srn_tf.common.errors import InputError
from srn_tf.media.images import write_image
from srn_tf.network.model import build_model
from srn_tf.network.variants import TABLE1, Variant, slug
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


def rows_of(path):
    """The rows of a Markdown table as lists of cells."""
    lines = path.read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return [cells[0], *cells[2:]]


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
    assert header[:7] == [
        *("network", "parameters", "paper", "GFLOPs"),
        *("PSNR (dB)", "paper", "minus SR-EDRB3"),
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


def test_the_csv_has_the_numbers_data_and_device(rows, tmp_path):
    write_table(rows, tmp_path)
    with (tmp_path / "table1.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    assert [record["network"] for record in records] == list(PAPER)
    last = records[-1]
    assert last["parameters"] == "3764195"
    assert (last["paper_psnr"], last["psnr"]) == ("29.98", "29.000000")
    assert (last["data_dir"], last["device"]) == ("/data/GOPRO_Large", "Abacus 3")
    assert float(records[0]["psnr_minus_SR-EDRB3"]) == -9


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
    monkeypatch.setattr(table1, "measure", lambda variant: (1, 1.0))
    for i, folder in enumerate(("/home/a", "/home/b")):
        training = training_of(TABLE1[i]) | {"data_dir": f"{folder}/GOPRO_Large"}
        summary = summary_of(20, 0.8) | {"device": f"machine {i}"}
        write_run(tmp_path, TABLE1[i], training, summary)
    caption = write_table(read_rows(tmp_path), tmp_path)
    assert "machine 0 and machine 1" in caption


def test_runs_of_different_recipes_do_not_share_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(table1, "measure", lambda variant: (1, 1.0))
    for seed, variant in enumerate(TABLE1[:2]):
        write_run(tmp_path, variant, training_of(variant, seed=seed), summary_of(20, 0.8))
    with pytest.raises(InputError, match="SS was trained with seed 0, SC with 1"):
        read_rows(tmp_path)


def test_a_run_without_evaluation_counts_as_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(table1, "measure", lambda variant: (1, 1.0))
    write_run(tmp_path, TABLE1[0], training_of(TABLE1[0]), summary_of(20, 0.8))
    shutil.rmtree(tmp_path / "SS/evaluation")
    assert read_rows(tmp_path)[0] == Row(TABLE1[0], 1, 1.0, None, None)


def test_gflops_equal_a_count_by_hand():
    # SS with one block: the pixels of a feature map times the weights that make it, times two.
    variant = Variant("tiny", scales=1, recurrent="conv", blocks=1)
    full, half, quarter = 32 * 48, 16 * 24, 8 * 12
    multiply_adds = (
        full * 9 * (6 * 32 + 2 * 32 * 32)  # InBlock
        + half * 9 * (32 * 64 + 2 * 64 * 64)  # EBlocks
        + quarter * 9 * (64 * 128 + 2 * 128 * 128)
        + quarter * 9 * 128 * 128  # bottleneck
        + quarter * (9 * 2 * 128 * 128 + 16 * 128 * 64)  # DBlocks, 4x4 deconvolutions
        + half * (9 * 2 * 64 * 64 + 16 * 64 * 32)
        + full * 9 * (2 * 32 * 32 + 32 * 3)  # OutBlock
    )
    assert gflops(build_model(variant), 32, 48) == pytest.approx(2e-9 * multiply_adds)


def test_gflops_of_the_final_model():
    assert gflops(build_model("SRN"), 256, 256) == pytest.approx(179.7, abs=0.05)


def test_three_scales_cost_21_16ths_of_one():
    one, three = (dataclasses.replace(TABLE1[2], scales=scales, blocks=1) for scales in (1, 3))
    ratio = gflops(build_model(three), 64, 64) / gflops(build_model(one), 64, 64)
    assert ratio == pytest.approx(21 / 16)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Folder with data: six training pairs, two test pairs of 16x32 pixels."""
    root = tmp_path_factory.mktemp("ablation")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 2)):
        for i in range(count):
            for kind in ("blur", "sharp"):
                path = root / f"data/{split}/GOPR0001_07_00/{kind}/{i:06}.png"
                write_image(path, rng.integers(0, 256, (16, 32, 3), dtype=np.uint8))
    return root


def command(workplace, *arguments):
    return (
        f"--data_dir={workplace}/data",
        "--preset=demo",
        "--max_steps=1",
        "--batch_size=1",
        "--crop_size=16",
        *arguments,
    )


@pytest.fixture(scope="module")
def ablated(workplace):
    """SS trained and scored, then the same command with one more network."""
    arguments = command(workplace, f"--output={workplace}/out")
    for variants in ("SS", "SS,SR-EDRB1"):
        status, output = commands.run("experiments.ablation", *arguments, f"--variants={variants}")
        assert status == 0, output
    return workplace, output


def test_finished_networks_are_not_trained_again(ablated):
    assert "SS is finished: 1 of 1 steps are done" in ablated[1]
    assert "SR-EDRB1: network 2 of 2" in ablated[1]


def test_all_networks_are_trained_with_one_recipe_and_scored(ablated):
    workplace, output = ablated
    body = {row[0]: row for row in rows_of(workplace / "out/table1.md")[1:]}
    assert list(body) == list(PAPER)
    for name in ("SS", "SR-EDRB1"):
        config = json.loads((workplace / f"out/runs/{slug(name)}/config.json").read_text())
        training = config["training"]
        assert (training["decay_steps"], training["seed"], training["batch_size"]) == (1, 0, 1)
        scored = workplace / f"out/runs/{slug(name)}/evaluation/test-blur-latest/summary.json"
        summary = json.loads(scored.read_text())
        assert body[name][4] == f"{summary['mean']['psnr']:.2f}"
        assert summary["images"] == 2
    assert body["SC"][4] == "not run"
    assert "demonstration scores" in output


@pytest.mark.robust
def test_fig_4_uses_the_runs_of_the_ablation(ablated):
    workplace = ablated[0]
    arguments = command(workplace, f"--runs={workplace}/out/runs", f"--output={workplace}/scales")
    status, output = commands.run("experiments.scales", *arguments)
    assert status == 0, output
    assert "SS is finished: 1 of 1 steps are done" in output
    body = rows_of(workplace / "scales/scales.md")[1:]
    assert [row[0] for row in body] == ["1 scale", "2 scales", "3 scales"]
    two = workplace / "out/runs/SR-EDRB3-2-scales"
    assert json.loads((two / "config.json").read_text())["variant"]["scales"] == 2
    summary = json.loads((two / "evaluation/test-blur-latest/summary.json").read_text())
    assert body[1][2] == f"{summary['mean']['psnr']:.2f}"
    assert (workplace / "scales/scales.png").exists()


def test_a_network_outside_of_table_1_is_refused(workplace):
    status, output = commands.run(
        "experiments.ablation", *command(workplace, "--variants=SRN", f"--output={workplace}/no")
    )
    assert status == 2
    assert "SRN is no row of Table 1" in output
    assert not (workplace / "no").exists()


def test_scores_on_different_test_sets_do_not_share_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(table1, "measure", lambda variant: (1, 1.0))
    for count, variant in enumerate(TABLE1[:2], start=1):
        summary = summary_of(20, 0.8) | {"images": count}
        write_run(tmp_path, variant, training_of(variant), summary)
    with pytest.raises(InputError, match="SS and SC were scored on different test images"):
        read_rows(tmp_path)
