"""Evaluation: what an interrupted or finished one has done already."""

import pytest
from scored_images import NAMES, Halver, pixels, png, psnr_of, table

from srn_tf.evaluation.scoring import evaluate_predictions, evaluate_run
from srn_tf.media.images import write_image
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder


def test_other_weights_in_the_run_folder_start_the_evaluation_anew(data, run_dir, model):
    evaluate_run(run_dir, data)
    output = run_dir / "evaluation/test-blur-latest"
    first = png(output / f"predictions/{NAMES[0]}.png")
    weights = model.get_weights()
    try:
        model.set_weights([0.9 * weight for weight in weights])
        Checkpoints(checkpoint_folder(run_dir), {"net": model}, keep=2).save(2)
    finally:
        model.set_weights(weights)
    assert evaluate_run(run_dir, data)["step"] == 2
    assert (png(output / f"predictions/{NAMES[0]}.png") != first).any()


def test_predictions_may_change_between_two_evaluations(data, predictions, output):
    evaluate_predictions(predictions, data, output)
    write_image(predictions / f"{NAMES[0]}.png", pixels(NAMES[0], "blur"))
    evaluate_predictions(predictions, data, output)
    first, *_ = table(output / "results.csv")
    psnr = psnr_of(pixels(NAMES[0], "blur"), pixels(NAMES[0], "sharp"))
    assert float(first["psnr"]) == pytest.approx(psnr, abs=1e-6)
    assert first["seconds"] == ""


class Interrupted(Halver):
    """Is stopped at one image."""

    def __call__(self, image):
        if image.tobytes() == pixels(NAMES[2], "blur").tobytes():
            raise KeyboardInterrupt
        return super().__call__(image)


def test_an_interrupted_evaluation_resumes_with_the_predictions_that_are_there(
    run, output, tmp_path, capsys
):
    whole = run(Halver(), into=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted())
    assert not (output / "results.csv").exists()
    done = {path.relative_to(output / "predictions") for path in output.rglob("*.png")}
    assert done
    network = Halver()
    summary = run(network)
    assert f"{len(done)} of 3 images are deblurred already" in capsys.readouterr().out
    again = {
        pixels(name, "blur").tobytes() for name in NAMES if f"{name}.png" not in map(str, done)
    }
    assert set(network.calls) == again
    assert {**summary["mean"], "seconds": 0} == {**whole["mean"], "seconds": 0}
    rows = {row["image"]: row for row in table(output / "results.csv")}
    assert [rows[str(path.with_suffix(""))]["seconds"] for path in done] == [""] * len(done)
    timed = [float(row["seconds"]) for name, row in rows.items() if row["seconds"]]
    assert timed[-1] == pytest.approx(sum(timed[:-1]) / len(timed[:-1]), abs=2e-6)


def test_a_finished_evaluation_computes_nothing(run, capsys):
    summary = run(Halver())
    first = capsys.readouterr().out
    assert run(None) == summary
    assert capsys.readouterr().out.strip() in first


def test_scores_of_other_weights_are_never_mixed_in(run, output, tmp_path):
    run(Halver(2), "two")
    summary = run(Halver(3), "three")
    alone = run(Halver(3), into=tmp_path / "alone")
    assert summary["mean"]["psnr"] == alone["mean"]["psnr"]
    assert (png(output / f"predictions/{NAMES[0]}.png") == pixels(NAMES[0], "blur") // 3).all()
