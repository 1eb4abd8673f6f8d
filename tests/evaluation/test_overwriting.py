"""Evaluation: what it never writes over."""

import json
import shutil

import pytest
from scored_images import NAMES, Halver, pixels, place, png

from srn_tf.common.errors import InputError
from srn_tf.common.folders import locked
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.scoring import evaluate_predictions
from srn_tf.media.images import write_image


def test_a_folder_in_use_is_refused(run, output):
    with locked(output), pytest.raises(InputError, match="out is in use by another process"):
        run(None)


def test_nothing_is_written_into_the_data(folder, data, predictions):
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match="inside of the data"):
        evaluate_predictions(predictions, data, folder / "test/out")
    list_file = folder / "list.txt"
    list_file.write_text("".join(f"{place(n, 'sharp')} {place(n, 'blur')}\n" for n in NAMES))
    images = open_test_set("gopro", list_file)
    list_file.unlink()
    with pytest.raises(InputError, match="inside of the data"):
        evaluate_predictions(folder, images, (folder / place(NAMES[0], "blur")).parent / "out")
    assert sorted(folder.rglob("*")) == before


def test_a_list_cannot_make_predictions_overwrite_the_images(run, tmp_path):
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
    run(Halver(), scored=open_test_set("gopro", folder / "list.txt"), into=output)
    assert (tmp_path / f"{sequence}/blur.png").read_bytes() == before
    assert [path.relative_to(output).as_posix() for path in output.rglob("*.png")] == [
        f"predictions/{sequence}/blur.png"
    ]


def test_a_prediction_is_never_written_over_an_input(folder, run, output):
    (output / "predictions").mkdir(parents=True)
    (output / "predictions/GOPR0001_07_00").symlink_to(folder / "test/GOPR0001_07_00/blur")
    with pytest.raises(InputError, match=r"leads out of|belongs to the data"):
        run(None)
    assert (png(folder / place(NAMES[0], "blur")) == pixels(NAMES[0], "blur")).all()


def test_an_evaluation_is_not_overwritten_by_the_scoring_of_its_own_predictions(data, run, output):
    run(Halver())
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(output / "predictions", data, output)
    assert len(list((output / "predictions").rglob("*.png"))) == 3


@pytest.mark.parametrize("name", ["predictions/a.png", "results.csv", "summary.json"])
def test_foreign_files_are_kept(run, output, name):
    (output / name).parent.mkdir(parents=True)
    (output / name).write_text("of somebody else")
    with pytest.raises(InputError, match="not made by an evaluation: choose another --output"):
        run(None)
    assert (output / name).read_text() == "of somebody else"


def test_an_evaluation_of_something_else_is_never_replaced(
    folder, data, predictions, run, tmp_path
):
    run(Halver(), into=tmp_path / "run")
    moved = shutil.copytree(folder, tmp_path / "moved")
    run(None, scored=open_test_set("gopro", moved), into=tmp_path / "run")  # the same images
    changed = pixels(NAMES[0], "blur") // 2
    write_image(moved / place(NAMES[0], "blur"), changed)
    with pytest.raises(InputError, match="holds the evaluation of something else"):
        run(None, scored=open_test_set("gopro", moved), into=tmp_path / "run")
    assert len(list((tmp_path / "run/predictions").rglob("*.png"))) == 3
    output = tmp_path / "scored"
    before = evaluate_predictions(predictions, data, output)
    other = shutil.copytree(predictions, tmp_path / "other")
    with pytest.raises(InputError, match="choose another --output"):
        evaluate_predictions(other, data, output)
    assert json.loads((output / "summary.json").read_text()) == before


@pytest.mark.parametrize("content", ["", '{"subject": 1}'])
def test_a_file_of_something_else_is_kept(run, output, content):
    output.mkdir()
    (output / "evaluation.json").write_text(content)
    with pytest.raises(InputError, match=r"out.* (is no JSON|holds the evaluation of)"):
        run(None)
    assert (output / "evaluation.json").read_text() == content
