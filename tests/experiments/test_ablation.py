"""Table 1 and Fig. 4: the commands that train, score and go on."""

import json

import commands
import numpy as np
import pytest
from markdown_tables import rows_of

from srn_tf.media.images import write_image
from srn_tf.network.variants import TABLE1, slug


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
