"""Evaluation: what is scored and what is written."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scored_images import NAMES, Halver, pixels, png, psnr_of, table

from srn_tf.common.errors import RunError
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.metrics import ssim_matlab
from srn_tf.evaluation.scoring import (
    evaluate_predictions,
    evaluate_run,
    evaluate_saved_model,
    trained_subset,
)
from srn_tf.exporting.graph import write_saved_model
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import write_image
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder


def test_a_run_is_evaluated_by_the_pngs_that_it_saves(folder, data, run_dir, model, capsys):
    Checkpoints(checkpoint_folder(run_dir, "best"), {"net": model}, keep=1).save(7)
    assert evaluate_run(run_dir, data, checkpoint="best")["step"] == 7
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
    assert summary["data_dir"] == str(folder)
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


def test_an_export_scores_like_its_run(data, run_dir, model, tmp_path, output, capsys):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["blur_subset"] = "blur_gamma"
    (run_dir / "config.json").write_text(json.dumps(config))
    assert trained_subset(run_dir) == "blur_gamma"
    write_saved_model(model, tmp_path / "exported")
    shutil.copy(run_dir / "config.json", tmp_path / "exported")
    of_run = evaluate_run(run_dir, data)
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err
    of_export = evaluate_saved_model(tmp_path / "exported", data, output)
    assert "trained on 'blur_gamma' and is evaluated on 'blur'" in capsys.readouterr().err
    assert of_run["trained_on"] == of_export["trained_on"] == "blur_gamma"
    assert of_export["mean"]["psnr"] == pytest.approx(of_run["mean"]["psnr"], abs=1e-3)


@pytest.mark.parametrize("subset", ["blur", "blur_gamma"])
def test_scoring_the_blurred_images_gives_the_baseline(folder, run, output, tmp_path, subset):
    data = open_test_set("gopro", folder, blur_subset=subset)
    summary = run(Halver(), scored=data)
    of_blurred = evaluate_predictions(folder / "test", data, tmp_path / "blurred")
    assert (tmp_path / "blurred/results.csv").read_bytes() == (output / "baseline.csv").read_bytes()
    assert of_blurred["mean"] == {**summary["baseline"], "seconds": None}
    psnrs = [psnr_of(pixels(name, subset), pixels(name, "sharp")) for name in NAMES]
    assert of_blurred["mean"]["psnr"] == pytest.approx(np.mean(psnrs))


def test_images_that_equal_the_truth_are_named_and_left_out_of_the_mean(
    data, predictions, output, capsys
):
    for name in NAMES[:2]:
        write_image(predictions / f"{name}.png", pixels(name, "sharp"))
    summary = evaluate_predictions(predictions, data, output)
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

    assert json.loads((output / "summary.json").read_text(), parse_constant=refuse) == summary
    assert evaluate_predictions(predictions, data, output) == summary


def test_an_image_that_the_network_fails_on_is_named(run):
    def diverged(image):
        raise RunError("the network's output is not finite")

    with pytest.raises(RunError, match=r"blur/\w+\.png: the network's output is not finite"):
        run(diverged)


def test_the_time_is_that_of_a_warm_network(run, output):
    seen = []

    def slow_at_first(image):
        time.sleep(0.02 if seen else 0.5)
        seen.append(image)
        return image

    run(slow_at_first)
    rows = table(output / "results.csv")
    assert all(0.02 <= float(row["seconds"]) < 0.4 for row in rows)


def test_the_default_output_of_predictions_is_below_the_working_folder(
    data, predictions, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    evaluate_predictions(predictions, data)
    assert Path("results/evaluation/predictions/test-blur/summary.json").exists()
