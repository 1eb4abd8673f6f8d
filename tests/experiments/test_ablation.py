"""Table 1: what is trained for it, what it says of its runs, and which may stand in one."""

import csv
import json

import commands
import cv2
import numpy as np
import pytest

from experiments import ablation
from experiments.ablation import measure, read_rows, write_table
from srn_tf.common.errors import InputError
from srn_tf.media.images import write_image
from srn_tf.network.variants import TABLE1, get_variant, slug
from srn_tf.training import configured, train
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


def rows_of(path):
    """The cells of the rows of a file's table, the header first."""
    lines = path.read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return [cells[0], *cells[2:]]


def training_of(variant, **fields):
    return TrainingConfig(variant=variant, data_dir="/data/GOPRO_Large", **fields).to_dict()


def write_run(folder, variant, psnr=20.0, ssim=0.8, training=None, **summary):
    """A run folder with an evaluation, as training and `evaluate_run` leave them."""
    folder = folder / slug(variant.name)
    output = folder / "evaluation/test-blur-latest"
    output.mkdir(parents=True)
    config = {"variant": variant.to_dict(), "training": training or training_of(variant)}
    (folder / "config.json").write_text(json.dumps(config))
    summary = {
        "data_dir": "/data/GOPRO_Large",
        "blur_subset": "blur",
        "step": 262_000,
        "images": 1111,
        "device": "Abacus 3",
        "mean": {"psnr": psnr, "ssim_matlab": ssim},
        "baseline": {"psnr": 25.64, "ssim_matlab": 0.7928},
        **summary,
    }
    (output / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder for runs; networks are not built to count what they compute."""
    monkeypatch.setattr(ablation, "measure", lambda variant: (1_234_567, 89.0))
    return tmp_path / "runs"


def test_networks_are_measured_for_an_image_of_gopro():
    parameters, gflops = measure(get_variant("SS"))
    assert parameters == 2_731_619
    assert gflops == pytest.approx(680, abs=2)  # counted by hand


def test_the_table_has_the_papers_scores_beside_the_measured(runs, tmp_path):
    for i, variant in enumerate(TABLE1):
        write_run(runs, variant, 20 + i, 0.8 + i / 100)
    caption = write_table(read_rows(runs), tmp_path)
    header, *body = rows_of(tmp_path / "table1.md")
    assert header[:6] == [
        *("network", "parameters", "parameters (paper)", "GFLOPs"),
        *("PSNR (dB)", "PSNR (dB) (paper)"),
    ]
    assert [row[0] for row in body] == list(PAPER)
    for i, row in enumerate(body):
        parameters, psnr, ssim = PAPER[row[0]]
        assert row[1:4] == ["1.23M", parameters, "89"]
        assert row[4:6] == [f"{20 + i}.00", psnr]
        assert row[6:8] == [f"{i - 9:+}.00", f"{float(psnr) - 29.98:+.2f}"]
        assert row[8:10] == [f"{0.8 + i / 100:.4f}", ssim]
        assert row[10] == f"{(i - 9) / 100:+.4f}"
        assert row[12] == "262000"
    with (tmp_path / "table1.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [header, *body]
    assert min(cv2.imread(str(tmp_path / "table1.png")).shape[:2]) > 500
    for words in ("262000 steps", "GOPRO_Large", "Abacus 3", "1111 test images", "25.64 dB"):
        assert words in caption
    assert "demonstration" not in caption
    assert "not finished" not in caption


def test_the_caption_tells_other_recipes_and_unfinished_schedules(runs, tmp_path):
    write_run(runs, TABLE1[0], step=10_000, device="machine 1")
    write_run(runs, TABLE1[1], step=10_000, data_dir="/elsewhere/GOPRO_Large", device="machine 2")
    caption = write_table(read_rows(runs), tmp_path)
    assert "not finished: 10000 of 262000 steps" in caption
    assert "machine 1 and machine 2" in caption
    training = training_of(TABLE1[0], crop_size=64, start="identity")
    write_run(tmp_path / "demo", TABLE1[0], training=training)
    caption = write_table(read_rows(tmp_path / "demo"), tmp_path)
    assert "demonstration scores: they prove the protocol, not the ordering" in caption
    assert "crop_size 64 (paper 256)" in caption


def test_networks_that_were_not_run_are_listed(runs, tmp_path):
    for variant in TABLE1[2:-1]:
        write_run(runs, variant)
    assert "Not run: SS, SC, SR-EDRB3." in write_table(read_rows(runs), tmp_path)
    body = rows_of(tmp_path / "table1.md")[1:]
    assert [row[0] for row in body if row[4] == "not run"] == ["SS", "SC", "SR-EDRB3"]
    assert {row[6] for row in body} == {"-"}  # nothing to subtract
    assert "Not run: SS, SC, w/o R" in write_table(read_rows(tmp_path / "none"), tmp_path)
    assert len(rows_of(tmp_path / "table1.md")) == 11


def test_a_run_from_before_a_field_had_its_default(runs):
    older = training_of(TABLE1[0])
    del older["relative_loss"]
    write_run(runs, TABLE1[0], training=older)
    write_run(runs, TABLE1[1])
    read_rows(runs)
    write_run(runs, TABLE1[2], training=training_of(TABLE1[2], relative_loss=16.0))
    with pytest.raises(InputError, match=r"SS was trained with relative_loss 0\.0, w/o R with 16"):
        read_rows(runs)


def test_scores_on_different_test_sets_do_not_share_a_table(runs):
    for count, variant in enumerate(TABLE1[:2], start=1):
        write_run(runs, variant, images=count)
    with pytest.raises(InputError, match="SS and SC were scored on different test images"):
        read_rows(runs)


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


SIZES = {"max_steps": 1, "batch_size": 1, "crop_size": 16}


def run(workplace, experiment, *flags):
    flags += f"--data_dir={workplace}/data", *(f"--{name}={size}" for name, size in SIZES.items())
    return commands.run(f"experiments.{experiment}", "--preset=demo", *flags)


@pytest.fixture(scope="module")
def ablated(workplace):
    """What the command says of two networks, of which SS is trained before."""
    values = {**SIZES, "variant": "SS", "data_dir": str(workplace / "data"), "decay_steps": 1}
    config, options, _ = configured({**values, "validate_every": 0}, "demo")
    train(config, options, workplace / "out/runs/SS")
    flags = f"--output={workplace}/out", "--variants=SS,SR-EDRB1"
    status, output = run(workplace, "ablation", *flags)
    assert status == 0, output
    return output


def test_finished_networks_are_not_trained_again(ablated):
    assert "SS is finished: 1 of 1 steps are done" in ablated
    assert "SR-EDRB1: network 2 of 2" in ablated


def test_all_networks_are_trained_with_one_recipe_and_scored(workplace, ablated):
    body = {row[0]: row for row in rows_of(workplace / "out/table1.md")[1:]}
    assert list(body) == [variant.name for variant in TABLE1]
    for name in ("SS", "SR-EDRB1"):
        config = json.loads((workplace / f"out/runs/{slug(name)}/config.json").read_text())
        training = config["training"]
        assert (training["decay_steps"], training["seed"], training["batch_size"]) == (1, 0, 1)
        scored = workplace / f"out/runs/{slug(name)}/evaluation/test-blur-latest/summary.json"
        summary = json.loads(scored.read_text())
        assert body[name][4] == f"{summary['mean']['psnr']:.2f}"
        assert summary["images"] == 2
    assert body["SC"][4] == "not run"
    assert "demonstration scores" in ablated


@pytest.mark.robust
def test_fig_4_uses_the_runs_of_the_ablation(workplace, ablated):
    flags = f"--runs={workplace}/out/runs", f"--output={workplace}/scales"
    status, output = run(workplace, "scales", *flags)
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
    status, output = run(workplace, "ablation", "--variants=SRN", f"--output={workplace}/no")
    assert status == 2
    assert "SRN is no row of Table 1" in output
    assert not (workplace / "no").exists()
