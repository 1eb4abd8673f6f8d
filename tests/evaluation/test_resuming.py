"""Evaluation: what an interrupted or finished one has done already."""

import json

import pytest
from scored_images import NAMES, Halver, pixels, place, png, psnr_of, table

from srn_tf.evaluation import sources
from srn_tf.evaluation.scoring import (
    evaluate_predictions,
    evaluate_run,
)
from srn_tf.media.images import write_image
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder


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
