"""Evaluation: what is scored and written, and what an interrupted one has done already."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from networks import lively_model, write_run
from scored_images import NAMES, pixels, place, png, psnr_of, table

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.folders import locked
from srn_tf.evaluation import sources
from srn_tf.evaluation.benchmarks import PairedBenchmark
from srn_tf.evaluation.metrics import ssim_matlab
from srn_tf.evaluation.scoring import (
    evaluate,
    evaluate_predictions,
    evaluate_run,
    evaluate_saved_model,
    trained_subset,
)
from srn_tf.exporting.graph import write_saved_model
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import write_image
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder


class Halver:
    """Stands in for a network; knows what it was called with."""

    def __init__(self, divisor=2):
        self.divisor = divisor
        self.calls = []

    def __call__(self, image):
        self.calls.append(image.tobytes())
        return image // self.divisor


@pytest.fixture
def benchmark(data):
    return PairedBenchmark(data)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(benchmark, output):
    """Evaluates a stand-in in `output`: the same each time but for the arguments."""

    def run(network, weights="the same", scored=benchmark, into=output):
        return evaluate(sources.Network(network, weights, scored, {}), scored, into)

    return run


@pytest.fixture(scope="module")
def model():
    return lively_model("SR-EDRB1")


@pytest.fixture
def run_dir(model, tmp_path):
    return write_run(model, tmp_path / "run")


def test_a_run_is_evaluated_by_the_pngs_that_it_saves(benchmark, data, run_dir, model, capsys):
    Checkpoints(checkpoint_folder(run_dir, "best"), {"net": model}, keep=1).save(7)
    assert evaluate_run(run_dir, benchmark, checkpoint="best")["step"] == 7
    printed = capsys.readouterr().out
    output = run_dir / "evaluation/test-blur-best"
    rows = table(output / "results.csv")
    assert list(rows[0]) == ["image", "sequence", "psnr", "ssim_matlab", "ssim", "seconds"]
    assert [row["image"] for row in rows] == [*NAMES, "mean"]
    for row, name in zip(rows, NAMES):
        prediction, sharp = png(output / f"predictions/{name}.png"), pixels(name, "sharp")
        np.testing.assert_array_equal(prediction, Deblurrer(model)(pixels(name, "blur")))
        assert row["sequence"] == name.split("/")[0]
        assert float(row["psnr"]) == pytest.approx(psnr_of(prediction, sharp), abs=1e-6)
        ssim = tf.image.ssim(tf.constant(prediction), tf.constant(sharp), 255).numpy()
        assert float(row["ssim"]) == pytest.approx(ssim, abs=1e-4)
        assert float(row["ssim_matlab"]) == pytest.approx(ssim_matlab(prediction, sharp), abs=1e-6)
        assert float(row["seconds"]) > 0
    for column in ("psnr", "ssim_matlab", "ssim", "seconds"):
        mean = np.mean([float(row[column]) for row in rows[:-1]])
        assert float(rows[-1][column]) == pytest.approx(mean, abs=2e-6)

    summary = json.loads((output / "summary.json").read_text())
    assert summary["data_dir"] == str(data)
    assert (summary["split"], summary["blur_subset"]) == ("test", "blur")
    assert (summary["variant"], summary["checkpoint"]) == ("SR-EDRB1", "best")
    assert summary["selected_on"] == "unknown"  # this run folder does not tell
    assert summary["images"] == 3
    assert "cores" in summary["device"]
    assert summary["versions"]["tensorflow"] == tf.__version__
    psnrs = [psnr_of(pixels(name, "blur"), pixels(name, "sharp")) for name in NAMES]
    assert summary["baseline"]["psnr"] == pytest.approx(np.mean(psnrs))
    first = summary["sequences"]["GOPR0001_07_00"]
    assert first["images"] == 2
    assert first["baseline"]["psnr"] == pytest.approx(np.mean(psnrs[:2]))
    assert (output / "sequences.md").read_text().strip() in printed
    assert f"{np.mean(psnrs[:2]):.2f}" in printed


def test_an_export_scores_like_its_run(benchmark, run_dir, model, tmp_path, output, capsys):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["blur_subset"] = "blur_gamma"
    (run_dir / "config.json").write_text(json.dumps(config))
    assert trained_subset(run_dir) == "blur_gamma"
    write_saved_model(model, tmp_path / "exported")
    shutil.copy(run_dir / "config.json", tmp_path / "exported")
    of_run = evaluate_run(run_dir, benchmark)
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err
    of_export = evaluate_saved_model(tmp_path / "exported", benchmark, output)
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err
    assert of_run["trained_on"] == of_export["trained_on"] == "blur_gamma"
    assert of_export["mean"]["psnr"] == pytest.approx(of_run["mean"]["psnr"], abs=1e-3)


def test_other_weights_in_the_run_folder_start_the_evaluation_afresh(benchmark, run_dir, model):
    evaluate_run(run_dir, benchmark)
    output = run_dir / "evaluation/test-blur-latest"
    first = png(output / f"predictions/{NAMES[0]}.png")
    weights = model.get_weights()
    try:
        model.set_weights([0.9 * weight for weight in weights])
        Checkpoints(checkpoint_folder(run_dir), {"net": model}, keep=2).save(2)
    finally:
        model.set_weights(weights)
    assert evaluate_run(run_dir, benchmark)["step"] == 2
    assert (png(output / f"predictions/{NAMES[0]}.png") != first).any()


@pytest.mark.parametrize("subset", ["blur", "blur_gamma"])
def test_scoring_the_blurred_images_gives_the_baseline(data, run, output, tmp_path, subset):
    benchmark = PairedBenchmark(data, blur_subset=subset)
    summary = run(Halver(), scored=benchmark)
    of_blurred = evaluate_predictions(data / "test", benchmark, tmp_path / "blurred")
    assert (tmp_path / "blurred/results.csv").read_bytes() == (output / "baseline.csv").read_bytes()
    assert of_blurred["mean"] == {**summary["baseline"], "seconds": None}
    psnrs = [psnr_of(pixels(name, subset), pixels(name, "sharp")) for name in NAMES]
    assert of_blurred["mean"]["psnr"] == pytest.approx(np.mean(psnrs))


def test_images_that_equal_the_truth_are_named_and_left_out_of_the_mean(
    benchmark, predictions, output, capsys
):
    for name in NAMES[:2]:
        write_image(predictions / f"{name}.png", pixels(name, "sharp"))
    summary = evaluate_predictions(predictions, benchmark, output)
    psnr = psnr_of(pixels(NAMES[2], "sharp") // 2, pixels(NAMES[2], "sharp"))
    assert summary["mean"]["psnr"] == pytest.approx(psnr)
    assert summary["identical"] == NAMES[:2]
    assert summary["sequences"]["GOPR0001_07_00"]["mean"]["psnr"] is None
    rows = table(output / "results.csv")
    assert [row["psnr"] for row in rows[:2]] == ["inf", "inf"]
    assert float(rows[3]["psnr"]) == pytest.approx(psnr, abs=1e-6)
    assert rows[3]["sequence"] == "test-blur, 3 images, PSNR of 1"
    ssims = [float(row["ssim"]) for row in rows]
    assert ssims[3] == pytest.approx(np.mean(ssims[:3]), abs=1e-6)
    said = f"2 predictions equal the truth ({NAMES[0]}, {NAMES[1]})"
    assert f"{said}: the mean PSNR is that of the other 1 of 3" in capsys.readouterr().out

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    for name in ("summary.json", "scores.jsonl"):
        for line in (output / name).read_text().splitlines()[: None if "jsonl" in name else 0]:
            json.loads(line, parse_constant=refuse)
    assert json.loads((output / "summary.json").read_text(), parse_constant=refuse) == summary
    assert evaluate_predictions(predictions, benchmark, output) == summary


def test_predictions_may_change_between_two_evaluations(benchmark, predictions, output):
    evaluate_predictions(predictions, benchmark, output)
    write_image(predictions / f"{NAMES[0]}.png", pixels(NAMES[0], "blur"))
    evaluate_predictions(predictions, benchmark, output)
    rows = table(output / "results.csv")
    for row, name, image in zip(rows, NAMES, [pixels(NAMES[0], "blur"), None, None]):
        image = pixels(name, "sharp") // 2 if image is None else image
        psnr = psnr_of(image, pixels(name, "sharp"))
        assert float(row["psnr"]) == pytest.approx(psnr, abs=1e-6)
        assert row["seconds"] == ""


def test_an_interrupted_evaluation_goes_on_where_it_stopped(run, output, tmp_path, monkeypatch):
    whole = run(Halver(), into=tmp_path / "whole")
    save = sources.write_image

    def killed_at_the_third(path, image):
        if path.match(f"{NAMES[2]}.png"):
            raise KeyboardInterrupt
        save(path, image)

    monkeypatch.setattr(sources, "write_image", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(Halver())
    assert not (output / "results.csv").exists()
    with (output / "scores.jsonl").open("a") as file:
        file.write('{"image": "GOPR0002_11')  # what a kill leaves
    monkeypatch.setattr(sources, "write_image", save)
    network = Halver()
    summary = run(network)
    assert set(network.calls) == {pixels(NAMES[2], "blur").tobytes()}
    assert {**summary["mean"], "seconds": 0} == {**whole["mean"], "seconds": 0}


def test_an_image_that_the_network_fails_on_is_named(run):
    def diverged(image):
        raise RunError("the network's output is not finite")

    with pytest.raises(RunError, match=r"blur/\w+\.png: the network's output is not finite"):
        run(diverged)


def test_a_finished_evaluation_computes_nothing(benchmark, run, monkeypatch):
    summary = run(Halver())
    monkeypatch.setattr(benchmark, "score", None)
    assert run(None) == summary


@pytest.mark.parametrize("damage", ["remove", "change"])
def test_only_a_prediction_that_is_not_as_made_is_made_again(run, output, damage):
    summary = run(Halver())
    path = output / f"predictions/{NAMES[1]}.png"
    path.unlink() if damage == "remove" else write_image(path, pixels(NAMES[1], "sharp"))
    network = Halver()
    assert run(network)["mean"]["psnr"] == summary["mean"]["psnr"]
    assert set(network.calls) == {pixels(NAMES[1], "blur").tobytes()}


def test_changed_ground_truth_is_scored_anew(data, run, tmp_path):
    before = run(Halver())
    write_image(data / place(NAMES[0], "sharp"), pixels("another", "sharp"))
    after = run(None)
    assert after["mean"]["psnr"] != before["mean"]["psnr"]
    assert after["mean"]["psnr"] == run(Halver(), into=tmp_path / "fresh")["mean"]["psnr"]


def test_scores_of_other_weights_are_never_mixed_in(run, output, tmp_path):
    run(Halver(2), "two")
    lines = (output / "scores.jsonl").read_text().splitlines()
    summary = run(Halver(3), "three")
    assert summary["mean"]["psnr"] == run(Halver(3), into=tmp_path / "alone")["mean"]["psnr"]
    with (output / "scores.jsonl").open("a") as file:  # as if another had written here meanwhile
        file.write("\n".join(lines[1:]) + "\n")
    assert run(None, "three") == summary


def test_a_folder_in_use_is_refused(run, output):
    with (
        locked(output),
        pytest.raises(InputError, match=f"out is in use by process {os.getpid()}"),
    ):
        run(None)


def test_the_time_is_that_of_a_warm_network(run, output):
    seen = []

    def slow_at_first(image):
        time.sleep(0.02 if seen else 0.5)
        seen.append(image)
        return image

    run(slow_at_first)
    rows = table(output / "results.csv")
    assert all(0.02 <= float(row["seconds"]) < 0.4 for row in rows)


def test_nothing_is_written_into_the_data(data, benchmark, predictions):
    before = sorted(data.rglob("*"))
    with pytest.raises(InputError, match="inside of the data"):
        evaluate_predictions(predictions, benchmark, data / "test/out")
    list_file = data / "list.txt"
    list_file.write_text("".join(f"{place(n, 'sharp')} {place(n, 'blur')}\n" for n in NAMES))
    images = PairedBenchmark(list_file)
    list_file.unlink()
    with pytest.raises(InputError, match="inside of the data"):
        evaluate_predictions(data, images, (data / place(NAMES[0], "blur")).parent / "out")
    assert sorted(data.rglob("*")) == before


def test_a_list_cannot_make_predictions_overwrite_the_images(data, run, tmp_path):
    # predictions/../../../SEQ/000001.png would be the blurred image itself.
    folder = tmp_path / "lists/of/pairs"
    folder.mkdir(parents=True)
    sequence = NAMES[0].split("/")[0]
    for name in ("blur", "sharp"):
        write_image(tmp_path / f"{sequence}/{name}.png", pixels(NAMES[0], name))
    line = f"../../../{sequence}/sharp.png ../../../{sequence}/blur.png\n"
    (folder / "list.txt").write_text(line)
    before = (tmp_path / f"{sequence}/blur.png").read_bytes()
    output = tmp_path / "a/b"
    run(Halver(), scored=PairedBenchmark(folder / "list.txt"), into=output)
    assert (tmp_path / f"{sequence}/blur.png").read_bytes() == before
    assert [path.relative_to(output).as_posix() for path in output.rglob("*.png")] == [
        f"predictions/{sequence}/blur.png"
    ]


def test_a_prediction_is_never_written_over_an_input(benchmark, data, run, output):
    (output / "predictions").mkdir(parents=True)
    (output / "predictions/GOPR0001_07_00").symlink_to(data / "test/GOPR0001_07_00/blur")
    with pytest.raises(InputError, match=r"leads out of|belongs to the data"):
        run(None)
    assert (png(data / place(NAMES[0], "blur")) == pixels(NAMES[0], "blur")).all()


def test_an_evaluation_is_not_overwritten_by_the_scoring_of_its_own_predictions(
    benchmark, run, output
):
    run(Halver())
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(output / "predictions", benchmark, output)
    assert len(list((output / "predictions").rglob("*.png"))) == 3


@pytest.mark.parametrize("name", ["predictions/a.png", "results.csv", "summary.json"])
def test_foreign_files_are_kept(run, output, name):
    (output / name).parent.mkdir(parents=True)
    (output / name).write_text("of somebody else")
    with pytest.raises(InputError, match=r"not made by an evaluation: choose another --output"):
        run(None)
    assert (output / name).read_text() == "of somebody else"


def test_an_evaluation_of_something_else_is_never_replaced(data, predictions, run, tmp_path):
    run(Halver(), into=tmp_path / "run")
    moved = shutil.copytree(data, tmp_path / "moved")
    with pytest.raises(InputError, match="holds the evaluation of something else"):
        run(None, scored=PairedBenchmark(moved), into=tmp_path / "run")
    assert len(list((tmp_path / "run/predictions").rglob("*.png"))) == 3
    output = tmp_path / "scored"
    before = evaluate_predictions(predictions, PairedBenchmark(data), output)
    other = shutil.copytree(predictions, tmp_path / "other")
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(other, PairedBenchmark(data), output)
    assert json.loads((output / "summary.json").read_text()) == before


def test_the_default_output_of_predictions_is_below_the_working_folder(
    benchmark, predictions, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    evaluate_predictions(predictions, benchmark)
    assert Path("results/evaluation/predictions/test-blur/summary.json").exists()


def tampered(line, **values):
    return json.dumps({**json.loads(line), **values})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: "",
        lambda line: line[:-9],
        lambda line: "[1, 2]",
        lambda line: "[" * 100_000,
        lambda line: tampered(line, image=3),
        lambda line: tampered(line, image=["a"]),
        lambda line: tampered(line, checksum="a"),
        lambda line: tampered(line, scores=[1.0]),
        lambda line: tampered(line, scores=None),
        lambda line: tampered(line, baseline=[1.0, "a", 1.0]),
        lambda line: tampered(line, scores=[1.0, float("nan"), 1.0]),
        lambda line: tampered(line, seconds="fast"),
        lambda line: tampered(line, device=3),
    ],
)
def test_lines_that_are_none_of_ours_are_made_again(run, output, spoil):
    summary = run(Halver())
    log = output / "scores.jsonl"
    head, *lines = log.read_text().splitlines()
    log.write_text("\n".join([head, *map(spoil, lines)]) + "\n")
    network = Halver()
    assert run(network)["mean"]["psnr"] == summary["mean"]["psnr"]
    assert len(set(network.calls)) == 3


@pytest.mark.parametrize("head", ["", "a", "[]", "{}", '{"evaluation": 1}', "[" * 100_000])
def test_a_log_of_something_else_is_kept(run, output, head):
    output.mkdir()
    (output / "scores.jsonl").write_text(f"{head}\n")
    with pytest.raises(InputError, match=r"scores.jsonl is not the log of an evaluation"):
        run(None)
    assert (output / "scores.jsonl").read_text() == f"{head}\n"
