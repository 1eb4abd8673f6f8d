"""Evaluation: what it never writes over."""

import json
import shutil

import pytest
from scored_images import NAMES, Halver, pixels, place, png

from srn_tf.common.errors import InputError
from srn_tf.common.folders import locked
from srn_tf.evaluation.benchmarks import PairedBenchmark
from srn_tf.evaluation.scoring import (
    evaluate_predictions,
)
from srn_tf.media.images import write_image


def test_a_folder_in_use_is_refused(run, output):
    with (
        locked(output),
        pytest.raises(InputError, match="out is in use by another process"),
    ):
        run(None)


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
    run(None, scored=PairedBenchmark(moved), into=tmp_path / "run")  # the same images
    changed = pixels(NAMES[0], "blur") // 2
    write_image(moved / place(NAMES[0], "blur"), changed)
    with pytest.raises(InputError, match="holds the evaluation of something else"):
        run(None, scored=PairedBenchmark(moved), into=tmp_path / "run")
    assert len(list((tmp_path / "run/predictions").rglob("*.png"))) == 3
    output = tmp_path / "scored"
    before = evaluate_predictions(predictions, PairedBenchmark(data), output)
    other = shutil.copytree(predictions, tmp_path / "other")
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(other, PairedBenchmark(data), output)
    assert json.loads((output / "summary.json").read_text()) == before


@pytest.mark.parametrize("head", ["", "a", "[]", "{}", '{"evaluation": 1}', "[" * 100_000])
def test_a_log_of_something_else_is_kept(run, output, head):
    output.mkdir()
    (output / "scores.jsonl").write_text(f"{head}\n")
    with pytest.raises(InputError, match=r"scores.jsonl is not the log of an evaluation"):
        run(None)
    assert (output / "scores.jsonl").read_text() == f"{head}\n"
