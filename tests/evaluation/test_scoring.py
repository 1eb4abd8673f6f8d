"""Evaluation: what is scored and written, resuming, foreign predictions, Köhler's benchmark."""

import csv
import json
import shutil
import time
from pathlib import Path

import commands
import cv2
import numpy as np
import pytest
import tensorflow as tf
from networks import lively_model, write_run

from srn_tf.common.errors import InputError
from srn_tf.common.images import write_image
from srn_tf.evaluation import benchmarks, scoring
from srn_tf.evaluation.benchmarks import KohlerBenchmark, PairedBenchmark, find_predictions
from srn_tf.evaluation.metrics import kohler_scores, ssim_matlab
from srn_tf.evaluation.scoring import (
    evaluate_predictions,
    evaluate_run,
    evaluate_saved_model,
    trained_subset,
)
from srn_tf.exporting.formats import export
from srn_tf.exporting.graph import write_saved_model
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder

HEIGHT, WIDTH = 32, 48
NAMES = ["GOPR0001_07_00/000001", "GOPR0001_07_00/000002", "GOPR0002_11_00/000001"]


def pixels(name, folder):
    rng = np.random.default_rng([len(folder), *name.encode()])
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def data(tmp_path):
    for name in NAMES:
        sequence, frame = name.split("/")
        for folder in ("blur", "blur_gamma", "sharp"):
            path = tmp_path / "data/test" / sequence / folder / f"{frame}.png"
            write_image(path, pixels(name, folder))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def model():
    return lively_model("SR-EDRB1")


@pytest.fixture
def run_dir(model, tmp_path):
    return write_run(model, tmp_path / "run")


@pytest.fixture
def calls(monkeypatch):
    """The images that went through the network, as bytes."""
    images = []
    deblur = Deblurrer.__call__

    def spy(deblurrer, image):
        images.append(image.tobytes())
        return deblur(deblurrer, image)

    monkeypatch.setattr(Deblurrer, "__call__", spy)
    return images


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def png(path):
    return cv2.imread(str(path))[..., ::-1]


def expected_psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def test_the_saved_pngs_are_scored(data, run_dir, model):
    evaluate_run(run_dir, PairedBenchmark(data))
    output = run_dir / "evaluation/test-blur-latest"
    rows = table(output / "results.csv")
    assert list(rows[0]) == ["image", "sequence", "psnr", "ssim_matlab", "ssim", "seconds"]
    assert [row["image"] for row in rows] == [*NAMES, "mean"]
    for row, name in zip(rows, NAMES):
        prediction, sharp = png(output / f"predictions/{name}.png"), pixels(name, "sharp")
        np.testing.assert_array_equal(prediction, Deblurrer(model)(pixels(name, "blur")))
        assert row["sequence"] == name.split("/")[0]
        assert float(row["psnr"]) == pytest.approx(expected_psnr(prediction, sharp), abs=1e-6)
        ssim = tf.image.ssim(tf.constant(prediction), tf.constant(sharp), 255).numpy()
        assert float(row["ssim"]) == pytest.approx(ssim, abs=1e-4)
        assert float(row["ssim_matlab"]) == pytest.approx(ssim_matlab(prediction, sharp), abs=1e-6)
        assert float(row["seconds"]) > 0
    for column in ("psnr", "ssim_matlab", "ssim", "seconds"):
        mean = np.mean([float(row[column]) for row in rows[:-1]])
        assert float(rows[-1][column]) == pytest.approx(mean, abs=2e-6)


def test_the_summary_tells_what_was_evaluated_on_what(data, run_dir, capsys):
    evaluate_run(run_dir, PairedBenchmark(data))
    output = run_dir / "evaluation/test-blur-latest"
    summary = json.loads((output / "summary.json").read_text())
    assert summary["data_dir"] == str(data)
    assert (summary["split"], summary["blur_subset"]) == ("test", "blur")
    assert (summary["variant"], summary["checkpoint"], summary["step"]) == (
        "SR-EDRB1",
        "latest",
        1,
    )
    assert summary["images"] == 3
    assert "cores" in summary["device"]
    assert summary["versions"]["tensorflow"] == tf.__version__
    psnrs = [expected_psnr(pixels(name, "blur"), pixels(name, "sharp")) for name in NAMES]
    assert summary["baseline"]["psnr"] == pytest.approx(np.mean(psnrs))
    first = summary["sequences"]["GOPR0001_07_00"]
    assert first["images"] == 2
    assert first["baseline"]["psnr"] == pytest.approx(np.mean(psnrs[:2]))
    printed = capsys.readouterr().out
    assert (output / "sequences.md").read_text().strip() in printed
    assert f"{np.mean(psnrs[:2]):.2f}" in printed


def test_scoring_the_blurred_images_gives_the_baseline(data, run_dir, tmp_path):
    benchmark = PairedBenchmark(data)
    summary = evaluate_run(run_dir, benchmark)
    of_blurred = evaluate_predictions(data / "test", benchmark, tmp_path / "blurred")
    output = run_dir / "evaluation/test-blur-latest"
    assert (tmp_path / "blurred/results.csv").read_bytes() == (output / "baseline.csv").read_bytes()
    assert {**of_blurred["mean"]} == {**summary["baseline"], "seconds": None}


def test_the_blurred_images_of_the_other_subset_are_their_own_baseline(data, tmp_path):
    benchmark = PairedBenchmark(data, blur_subset="blur_gamma")
    summary = evaluate_predictions(data / "test", benchmark, tmp_path / "out")
    psnrs = [expected_psnr(pixels(n, "blur_gamma"), pixels(n, "sharp")) for n in NAMES]
    assert summary["mean"]["psnr"] == pytest.approx(np.mean(psnrs))


@pytest.mark.parametrize("layout", ["{0}/{1}.png", "{0}/blur/{1}.png", "{0}_{1}.png"])
def test_predictions_are_found_in_three_layouts(data, tmp_path, layout):
    for name in NAMES:
        path = tmp_path / "predictions" / layout.format(*name.split("/"))
        write_image(path, pixels(name, "sharp") // 2)
    evaluate_predictions(tmp_path / "predictions", PairedBenchmark(data), tmp_path / "out")
    rows = table(tmp_path / "out/results.csv")
    for row, name in zip(rows, NAMES):
        sharp = pixels(name, "sharp")
        assert float(row["psnr"]) == pytest.approx(expected_psnr(sharp // 2, sharp), abs=1e-6)
        assert row["seconds"] == ""


def test_flat_pairs_are_scored_too(tmp_path):
    for folder in ("input", "target"):
        write_image(tmp_path / f"data/test/{folder}/photo.png", pixels("photo", folder))
    write_image(tmp_path / "predictions/photo.png", pixels("photo", "input"))
    summary = evaluate_predictions(
        tmp_path / "predictions", PairedBenchmark(tmp_path / "data"), tmp_path / "out"
    )
    assert summary["mean"]["psnr"] == summary["baseline"]["psnr"]


def test_flattened_sequences_may_be_predicted_in_folders(tmp_path):
    for folder in ("blur", "sharp"):
        path = tmp_path / f"data/test/{folder}/GOPR0001_07_00_000001.png"
        write_image(path, pixels("a", folder))
    write_image(tmp_path / "predictions/GOPR0001_07_00/000001.png", pixels("a", "blur"))
    found = find_predictions(tmp_path / "predictions", PairedBenchmark(tmp_path / "data"))
    assert list(found) == ["GOPR0001_07_00_000001"]


@pytest.fixture
def predictions(tmp_path):
    for name in NAMES:
        write_image(tmp_path / f"predictions/{name}.png", pixels(name, "sharp"))
    return tmp_path / "predictions"


def assert_refused(predictions, data, message):
    output = predictions.parent / "out"
    with pytest.raises(InputError, match=message):
        evaluate_predictions(predictions, PairedBenchmark(data), output)
    assert not output.exists()


def test_a_missing_prediction_fails_by_name(data, predictions):
    (predictions / f"{NAMES[1]}.png").unlink()
    assert_refused(predictions, data, f"no prediction of {NAMES[1]};")


@pytest.mark.parametrize("name", ["GOPR0001_07_00/1.png", "a.jpg", "GOPR0001_07_00-000001.png"])
def test_an_image_of_another_name_fails_by_name(data, predictions, name):
    write_image(predictions / name, pixels(NAMES[0], "sharp"))
    assert_refused(predictions, data, f"{name} is the prediction of no image")


def test_two_predictions_of_one_image_fail_by_name(data, predictions):
    write_image(predictions / "GOPR0002_11_00_000001.png", pixels(NAMES[2], "sharp"))
    assert_refused(predictions, data, f"two predictions of {NAMES[2]}: .*GOPR0002_11_00_000001")


def test_a_prediction_of_another_size_fails_by_name(data, predictions):
    write_image(predictions / f"{NAMES[2]}.png", pixels(NAMES[2], "sharp")[:-1])
    assert_refused(predictions, data, f"{NAMES[2]}.png is 48x31 pixels, .* is 48x32")


def test_an_unreadable_prediction_fails_by_name(data, predictions):
    path = predictions / f"{NAMES[2]}.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=f"{NAMES[2]}.png is unreadable"):
        evaluate_predictions(predictions, PairedBenchmark(data), predictions.parent / "out")
    assert not (predictions.parent / "out/results.csv").exists()


def test_predictions_may_change_between_two_evaluations(data, predictions):
    benchmark, output = PairedBenchmark(data), predictions.parent / "out"
    evaluate_predictions(predictions, benchmark, output)
    write_image(predictions / f"{NAMES[0]}.png", pixels(NAMES[0], "blur"))
    evaluate_predictions(predictions, benchmark, output)
    rows = table(output / "results.csv")
    psnr = expected_psnr(pixels(NAMES[0], "blur"), pixels(NAMES[0], "sharp"))
    assert float(rows[0]["psnr"]) == pytest.approx(psnr, abs=1e-6)
    assert [row["psnr"] for row in rows[1:3]] == ["inf", "inf"]


def test_an_interrupted_evaluation_goes_on_where_it_stopped(data, run_dir, calls, monkeypatch):
    benchmark = PairedBenchmark(data)
    evaluate_run(run_dir, benchmark, run_dir / "whole")
    calls.clear()
    save = scoring.write_image

    def killed_at_the_third(path, image):
        if path.stem == "000001" and "GOPR0002" in str(path):
            raise KeyboardInterrupt
        save(path, image)

    monkeypatch.setattr(scoring, "write_image", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run_dir, benchmark)
    output = run_dir / "evaluation/test-blur-latest"
    assert not (output / "results.csv").exists()
    with (output / "scores.jsonl").open("a") as file:
        file.write('{"image": "GOPR0002_11')  # what a kill leaves
    monkeypatch.setattr(scoring, "write_image", save)
    calls.clear()
    evaluate_run(run_dir, benchmark)
    assert set(calls) == {pixels(NAMES[2], "blur").tobytes()}
    without_time = [
        [{**row, "seconds": ""} for row in table(folder / "results.csv")]
        for folder in (output, run_dir / "whole")
    ]
    assert without_time[0] == without_time[1]


def test_a_finished_evaluation_computes_nothing(data, run_dir, calls, monkeypatch):
    benchmark = PairedBenchmark(data)
    summary = evaluate_run(run_dir, benchmark)
    calls.clear()
    monkeypatch.setattr(benchmark, "score", None)
    assert evaluate_run(run_dir, benchmark) == summary
    assert calls == []


@pytest.mark.parametrize("damage", ["remove", "change"])
def test_only_a_prediction_that_is_not_as_made_is_made_again(data, run_dir, calls, damage):
    benchmark = PairedBenchmark(data)
    summary = evaluate_run(run_dir, benchmark)
    path = run_dir / f"evaluation/test-blur-latest/predictions/{NAMES[1]}.png"
    if damage == "remove":
        path.unlink()
    else:
        write_image(path, pixels(NAMES[1], "sharp"))
    calls.clear()
    assert evaluate_run(run_dir, benchmark)["mean"]["psnr"] == summary["mean"]["psnr"]
    assert set(calls) == {pixels(NAMES[1], "blur").tobytes()}


def test_predictions_of_another_checkpoint_are_not_mixed_in(data, run_dir, model, calls):
    benchmark = PairedBenchmark(data)
    evaluate_run(run_dir, benchmark)
    weights = model.get_weights()
    try:
        model.set_weights([0.9 * weight for weight in weights])
        Checkpoints(checkpoint_folder(run_dir), {"net": model}, keep=2).save(2)
        expected = [Deblurrer(model)(pixels(name, "blur")) for name in NAMES]
    finally:
        model.set_weights(weights)
    calls.clear()
    summary = evaluate_run(run_dir, benchmark)
    assert summary["step"] == 2
    assert set(calls) == {pixels(name, "blur").tobytes() for name in NAMES}
    for name, image in zip(NAMES, expected):
        path = run_dir / f"evaluation/test-blur-latest/predictions/{name}.png"
        np.testing.assert_array_equal(png(path), image)


def test_best_and_latest_checkpoint_are_evaluated_apart(data, run_dir, model):
    Checkpoints(checkpoint_folder(run_dir, "best"), {"net": model}, keep=1).save(7)
    benchmark = PairedBenchmark(data)
    assert evaluate_run(run_dir, benchmark, checkpoint="best")["step"] == 7
    assert evaluate_run(run_dir, benchmark)["step"] == 1
    folders = sorted(path.name for path in (run_dir / "evaluation").iterdir())
    assert folders == ["test-blur-best", "test-blur-latest"]


def test_a_saved_model_scores_like_its_run(data, run_dir, model, tmp_path):
    write_saved_model(model, tmp_path / "exported")
    benchmark = PairedBenchmark(data)
    of_run = evaluate_run(run_dir, benchmark)
    of_export = evaluate_saved_model(tmp_path / "exported", benchmark, tmp_path / "out")
    assert of_export["mean"]["psnr"] == pytest.approx(of_run["mean"]["psnr"], abs=1e-3)
    assert (tmp_path / f"out/predictions/{NAMES[0]}.png").exists()


def test_the_time_is_that_of_a_warm_network(data, run_dir, monkeypatch):
    seen = []

    def slow_at_first(deblurrer, image):
        time.sleep(0.02 if seen else 1)
        seen.append(image)
        return image

    monkeypatch.setattr(Deblurrer, "__call__", slow_at_first)
    evaluate_run(run_dir, PairedBenchmark(data))
    rows = table(run_dir / "evaluation/test-blur-latest/results.csv")
    assert all(0.02 <= float(row["seconds"]) < 0.5 for row in rows)


def test_another_subset_than_trained_on_warns_and_is_recorded(data, run_dir, capsys):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["blur_subset"] = "blur_gamma"
    (run_dir / "config.json").write_text(json.dumps(config))
    assert trained_subset(run_dir) == "blur_gamma"
    evaluate_run(run_dir, PairedBenchmark(data, blur_subset="blur_gamma"))
    assert "warning" not in capsys.readouterr().err
    evaluate_run(run_dir, PairedBenchmark(data))
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err
    for subset in ("blur", "blur_gamma"):
        output = run_dir / f"evaluation/test-{subset}-latest"
        assert json.loads((output / "summary.json").read_text())["blur_subset"] == subset
        assert f"test-{subset}," in table(output / "results.csv")[-1]["sequence"]
        assert f"blur_subset: {subset};" in (output / "sequences.md").read_text()


def test_nothing_is_written_into_the_data(data, predictions):
    before = sorted(data.rglob("*"))
    with pytest.raises(InputError, match="inside of the data"):
        evaluate_predictions(predictions, PairedBenchmark(data), data / "test/out")
    assert sorted(data.rglob("*")) == before


def test_an_evaluation_is_not_overwritten_by_the_scoring_of_its_own_predictions(data, run_dir):
    benchmark = PairedBenchmark(data)
    evaluate_run(run_dir, benchmark)
    output = run_dir / "evaluation/test-blur-latest"
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(output / "predictions", benchmark, output)
    assert len(list((output / "predictions").rglob("*.png"))) == 3


def test_predictions_of_unknown_origin_are_not_taken_for_ours(data, run_dir):
    output = run_dir / "out"
    write_image(output / f"predictions/{NAMES[0]}.png", pixels(NAMES[0], "blur"))
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_run(run_dir, PairedBenchmark(data), output)
    assert (output / f"predictions/{NAMES[0]}.png").exists()


SIDE = 161  # the smallest that multi-scale SSIM takes


def kohler_frames(i, j):
    rng = np.random.default_rng(100 * i + j)
    smooth = cv2.resize(rng.uniform(60, 190, (12, 12, 3)), (SIDE, SIDE))
    noise = rng.normal(0, 8, (2, SIDE, SIDE, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def kohler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kohler")
    for i in range(1, 5):
        for j in range(1, 13):
            frames = kohler_frames(i, j)
            for k, frame in enumerate(frames, start=1):
                write_image(folder / f"Image{i}/Kernel{j}/GroundTruth{i}_{j}_{k}.png", frame)
            blurred = cv2.GaussianBlur(frames[j % 2], (0, 0), 1 + i)
            write_image(folder / f"Blurry{i}_{j}.png", blurred)
    return folder


def test_kohler_reports_each_image_and_the_mean_of_48(kohler, tmp_path, monkeypatch):
    benchmark = KohlerBenchmark(kohler)
    predictions = tmp_path / "predictions"
    for i in range(1, 5):
        for j in range(1, 13):
            write_image(predictions / f"Blurry{i}_{j}.png", kohler_frames(i, j)[0] // 2)
    summary = evaluate_predictions(predictions, benchmark, tmp_path / "out")
    rows = table(tmp_path / "out/results.csv")
    assert list(rows[0]) == ["image", "sequence", "psnr", "mssim", "seconds"]
    assert [row["image"] for row in rows[:2]] == ["Blurry1_1", "Blurry1_2"]
    assert len(rows) == 49
    for i, j, row in ((1, 1, rows[0]), (4, 12, rows[47])):
        frames = kohler_frames(i, j)
        expected = kohler_scores(frames[0] // 2, frames)
        assert float(row["psnr"]) == pytest.approx(expected.psnr, abs=1e-6)
        assert float(row["mssim"]) == pytest.approx(expected.mssim, abs=1e-6)
    means = [np.mean([float(row[name]) for row in rows[:-1]]) for name in ("psnr", "mssim")]
    assert [float(rows[-1]["psnr"]), float(rows[-1]["mssim"])] == pytest.approx(means, abs=1e-6)
    assert summary["mean"]["psnr"] == pytest.approx(means[0], abs=1e-6)
    blurred = kohler_scores(png(kohler / "Blurry2_3.png"), kohler_frames(2, 3))
    baseline = table(tmp_path / "out/baseline.csv")
    assert float(baseline[14]["psnr"]) == pytest.approx(blurred.psnr, abs=1e-6)

    monkeypatch.setattr(benchmarks, "kohler_scores", None)  # all scores are known
    assert evaluate_predictions(predictions, benchmark, tmp_path / "out") == summary


def test_kohler_predictions_are_missed_by_name(kohler, tmp_path):
    for path in kohler.glob("Blurry*.png"):
        shutil.copy(path, tmp_path)
    (tmp_path / "Blurry3_7.png").unlink()
    with pytest.raises(InputError, match="no prediction of Blurry3_7;"):
        find_predictions(tmp_path, KohlerBenchmark(kohler))


def test_the_kohler_images_themselves_can_be_scored(kohler):
    found = find_predictions(kohler, KohlerBenchmark(kohler))
    assert found["Blurry4_12"] == kohler / "Blurry4_12.png"


def test_the_command_evaluates_a_run(data, run_dir):
    status, output = commands.run(
        "srn_tf.evaluate", f"--run_dir={run_dir}", f"--data_dir={data}", "--blur_subset=blur_gamma"
    )
    assert status == 0, output
    assert "GOPR0002_11_00" in output
    rows = table(run_dir / "evaluation/test-blur_gamma-latest/results.csv")
    assert rows[-1]["image"] == "mean"


def test_two_sources_are_refused():
    status, output = commands.run(
        "srn_tf.evaluate", "--data_dir=data", "--run_dir=a", "--predictions_dir=b"
    )
    assert status == 2
    assert "pass one of --run_dir, --saved_model and --predictions_dir" in output


def test_the_default_output_of_predictions_is_below_the_working_folder(
    data, predictions, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    evaluate_predictions(predictions, PairedBenchmark(data))
    assert Path("results/evaluation/predictions/test-blur/summary.json").exists()


def test_changed_ground_truth_is_scored_anew(data, predictions):
    benchmark = PairedBenchmark(data)
    before = evaluate_predictions(predictions, benchmark, data.parent / "out")
    write_image(data / f"test/{NAMES[0].replace('/', '/sharp/')}.png", pixels("another", "sharp"))
    after = evaluate_predictions(predictions, benchmark, data.parent / "out")
    assert after == evaluate_predictions(predictions, benchmark, data.parent / "fresh")
    assert after["mean"] != before["mean"]


def test_a_saved_model_tells_what_it_was_trained_on(data, run_dir, tmp_path, capsys):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["blur_subset"] = "blur_gamma"
    (run_dir / "config.json").write_text(json.dumps(config))
    export(run_dir, tmp_path / "exported")
    benchmark = PairedBenchmark(data)
    summary = evaluate_saved_model(tmp_path / "exported", benchmark, tmp_path / "out")
    assert summary["trained_on"] == "blur_gamma"
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err


def test_an_evaluation_of_something_else_is_never_replaced(data, predictions, run_dir, tmp_path):
    evaluate_run(run_dir, PairedBenchmark(data))
    moved = shutil.copytree(data, tmp_path / "moved")
    with pytest.raises(InputError, match="holds the evaluation of something else"):
        evaluate_run(run_dir, PairedBenchmark(moved))
    assert len(list((run_dir / "evaluation/test-blur-latest/predictions").rglob("*.png"))) == 3
    output = tmp_path / "scored"
    before = evaluate_predictions(predictions, PairedBenchmark(data), output)
    other = shutil.copytree(predictions, tmp_path / "other")
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(other, PairedBenchmark(data), output)
    assert json.loads((output / "summary.json").read_text()) == before
