"""The choices of Sec. 3.1 and 3.3: what is trained for each, and what the table says."""

import dataclasses
import json

import commands
import numpy as np
import pytest

from experiments.choices import QUESTIONS, Trained, configuration, run_name, write_table
from srn_tf.media.images import write_image
from srn_tf.network.variants import ALTERNATIVES, VARIANTS
from srn_tf.training.configuration import TrainingConfig

PAPER = TrainingConfig(VARIANTS["SR-EDRB3"], "/data/GOPRO_Large")
SMALL = dataclasses.replace(PAPER, crop_size=64, batch_size=2)


def recipes(base, question):
    """What each answer trains, without the fields that are those of the base."""
    before = base.to_dict()
    return [
        {k: v for k, v in configuration(base, question, answer).to_dict().items() if v != before[k]}
        for answer in QUESTIONS[question]
    ]


def test_every_choice_is_asked_for_beside_the_papers():
    networks = {answer.variant.name for answers in QUESTIONS.values() for answer in answers}
    assert networks == {"SR-EDRB3", "RNN", *(variant.name for variant in ALTERNATIVES)}
    assert all("(the paper's)" in answers[0].text for answers in QUESTIONS.values())


def test_answers_to_one_question_differ_in_it_alone():
    for question in ("cell", "upsampling"):
        first, *others = recipes(SMALL, question)
        assert first == {}
        assert [set(recipe) for recipe in others] == [{"variant"}] * 2
    assert recipes(PAPER, "loss") == [{}, {"total_variation": 1e-3}, {"adversarial": 1e-4}]
    crops = {"crop_size": 256, "batch_size": 1}  # as the discriminator needs them
    expected = [crops, {**crops, "total_variation": 1e-3}, {**crops, "adversarial": 1e-4}]
    assert recipes(SMALL, "loss") == expected


def test_run_folders_tell_recipes_apart_and_the_base_is_that_of_the_ablation():
    names = [
        run_name(configuration(SMALL, question, answer), SMALL)
        for question, answers in QUESTIONS.items()
        for answer in answers
    ]
    assert names[0] == names[3] == "SR-EDRB3"
    assert len(set(names)) == 8
    assert names[-1] == "SR-EDRB3-batch_size-1-crop_size-256-adversarial-0.0001"


def test_the_table_has_a_row_for_each_answer_and_says_what_it_is(tmp_path):
    summary = {
        "data_dir": "/data/demo",
        "blur_subset": "blur",
        "step": 150,
        "images": 2,
        "mean": {"psnr": 25.678, "ssim_matlab": 0.81234},
        "baseline": {"psnr": 24.8, "ssim_matlab": 0.8},
    }
    rows = [
        Trained("loss", answer, configuration(SMALL, "loss", answer), summary)
        for answer in QUESTIONS["loss"]
    ]
    text = write_table(rows, tmp_path)
    assert (tmp_path / "choices.md").read_text() == text
    line = "| loss | L2 + adversarial | SR-EDRB3 | 25.68 | 0.8123 | 150 | 256 | 1 |"
    assert [cell.strip() for cell in line.split("|")] in [
        [cell.strip() for cell in found.split("|")] for found in text.splitlines()
    ]
    assert "2 test images of demo (blur), blurred 24.80 dB" in text
    assert "demonstration scores" in text
    assert len((tmp_path / "choices.csv").read_text().splitlines()) == 4


def test_an_unknown_question_is_refused():
    status, output = commands.run("experiments.choices", "--questions=colour", "--data_dir=x")
    assert (status, "'colour' is none of cell, upsampling, loss" in output) == (2, True), output


@pytest.mark.robust
def test_all_choices_are_trained_and_scored(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for kind in ("blur", "sharp"):
            image = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
            write_image(tmp_path / f"data/{split}/GOPR0001_07_00/{kind}/000001.png", image)
    folders = (f"--data_dir={tmp_path}/data", f"--runs={tmp_path}/runs", f"--output={tmp_path}/out")
    recipe = ("--preset=demo", "--max_steps=1", "--batch_size=1", "--crop_size=16")
    for questions in (*QUESTIONS, ",".join(QUESTIONS)):  # at last all is there
        command = (*folders, *recipe, f"--questions={questions}")
        status, output = commands.run("experiments.choices", *command)
        assert status == 0, output
    assert output.count("is finished: 1 of 1 steps are done") == 9
    assert len(list((tmp_path / "runs").iterdir())) == 8
    metrics = tmp_path / "runs/SR-EDRB3-crop_size-256-adversarial-0.0001/metrics.csv"
    assert "loss_discriminator" in metrics.read_text()
    config = json.loads((metrics.parent / "config.json").read_text())
    assert config["training"]["adversarial"] == 1e-4
