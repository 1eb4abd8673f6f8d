"""Scores a network, or a folder of anybody's predictions, on a test set.

What is scored is the uint8 image that is saved as PNG. A folder of an evaluation holds

evaluation.json        what is evaluated on what
predictions/NAME.png   what the network made (not where predictions were given)
results.csv, ...       see `srn_tf.evaluation.results`, written when all images are scored

An evaluation that was interrupted resumes with the predictions that are there. With other weights
it starts anew, the evaluation of other data is never replaced, and no two processes evaluate into
one folder. While the network computes, other threads read the next images, write and score.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import read_json, remove, write_json
from srn_tf.common.folders import joined_inside, locked
from srn_tf.common.hardware import device_name
from srn_tf.common.progress import progress
from srn_tf.common.threads import ahead
from srn_tf.evaluation import results
from srn_tf.evaluation.predictions import find_predictions
from srn_tf.evaluation.protocol import TestData, TestImage
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb, write_image
from srn_tf.weights.run_folder import CONFIG, load_model, read_config
from srn_tf.weights.starter import is_starter

STATE, PREDICTIONS = "evaluation.json", "predictions"
_MOST_THREADS = 8  # each may hold the 400 MB of ground truth of one of Köhler's images


def evaluate_run(
    run_dir: str | Path,
    data: TestData,
    output: str | Path | None = None,
    checkpoint: str = "latest",
) -> dict:
    """Deblurs and scores a test set with the weights of a run folder.

    Warns when the blur subset is another than the run was trained on.

    Args:
      run_dir: a run folder.
      data: what to score.
      output: folder of the evaluation; None for `run_output`.
      checkpoint: "latest" or "best".

    Returns:
      The content of summary.json.

    Raises:
      InputError: no run folder or checkpoint, an unreadable image, or an unusable `output`.
    """
    trained_on = _warned_subset(run_dir, data)
    model = load_model(run_dir, checkpoint)
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights()))
    about = {
        "run_dir": str(run_dir),
        "variant": model.variant.name,
        "checkpoint": checkpoint,
        "step": model.restored_step,
        "trained_on": trained_on,
        **_selection(run_dir, data, checkpoint),
    }
    output = output or run_output(run_dir, data.tag, checkpoint)
    deblurrer = Deblurrer(model, precision="float32")
    return evaluate(data, output, about, weights.hexdigest(), deblurrer)


def run_output(run_dir: str | Path, tag: str, checkpoint: str = "latest") -> Path:
    """Where the evaluation of a run is by default: RUN_DIR/evaluation/test-blur-latest.

    `tag` is that of the data. The starter weights have no folder, see `other_output`.
    """
    if is_starter(run_dir):
        return other_output(run_dir, tag)
    return Path(run_dir) / "evaluation" / f"{tag}-{checkpoint}"


def evaluate_saved_model(
    folder: str | Path, data: TestData, output: str | Path | None = None
) -> dict:
    """As `evaluate_run`, with a SavedModel; `output` is by default that of `other_output`."""
    deblurrer = Deblurrer.from_saved_model(folder)
    weights = hashlib.sha256()
    for path in [Path(folder) / "saved_model.pb", *sorted(Path(folder).glob("variables/*"))]:
        weights.update(path.read_bytes())
    has_config = (Path(folder) / CONFIG).exists()
    trained_on = _warned_subset(folder, data) if has_config else None
    about = {"saved_model": str(folder), "trained_on": trained_on}
    output = output or other_output(folder, data.tag)
    return evaluate(data, output, about, weights.hexdigest(), deblurrer)


def evaluate_predictions(
    folder: str | Path, data: TestData, output: str | Path | None = None
) -> dict:
    """Scores the PNGs in `folder`; `output` is by default that of `other_output`.

    Raises:
      InputError: as `srn_tf.evaluation.predictions.find_predictions`, and as `evaluate_run`.
    """
    folder = Path(folder).resolve()
    found = find_predictions(folder, data)
    stamps = [(path.stat().st_size, path.stat().st_mtime_ns) for path in found.values()]
    made_by = hashlib.sha256(json.dumps(stamps).encode()).hexdigest()
    output = output or other_output(folder, data.tag)
    return evaluate(data, output, {"predictions_dir": str(folder)}, made_by, predictions=found)


def other_output(folder: str | Path, tag: str) -> Path:
    """Where evaluations of other folders are by default: results/evaluation/FOLDER/test-blur."""
    return Path("results/evaluation") / Path(folder).resolve().name / tag


def prediction_path(output: str | os.PathLike, image: TestImage) -> Path:
    """Where an evaluation in the folder `output` keeps what the network made of `image`.

    Raises:
      InputError: that would be outside of `output`.
    """
    return joined_inside(Path(output) / PREDICTIONS, f"{image.name}.png")


def trained_subset(run_dir: str | Path) -> str | None:
    """The blur subset that the weights of a run folder or an export were trained on, if known.

    Raises:
      InputError: `run_dir` is not a run folder.
    """
    config = read_config(run_dir)
    return config.get("training", config).get("blur_subset")


def _warned_subset(folder: str | Path, data: TestData) -> str | None:
    trained_on, subset = trained_subset(folder), data.about.get("blur_subset")
    if trained_on and subset and trained_on != subset:
        print(
            f"warning: {folder} was trained on {trained_on!r} and is evaluated on {subset!r}",
            file=sys.stderr,
        )
    return trained_on


def _selection(run_dir: str | Path, data: TestData, checkpoint: str) -> dict:
    """On what the checkpoint was selected; warns when that is scored here as well."""
    if checkpoint != "best":
        return {"selected_on": "nothing"}
    selected_on = (read_config(run_dir).get("data") or {}).get("selected_on")
    if selected_on is None:
        return {"selected_on": "unknown"}
    # Names depend on the layout; size and lengths of both files tell images apart well enough.
    scored = [sizes for _, *sizes in data.fingerprints]
    shared = sum(sizes in scored for _, *sizes in selected_on)
    if shared:
        print(
            f"warning: {shared} of the images on which {run_dir} selected its best checkpoint are "
            "scored here: that flatters it",
            file=sys.stderr,
        )
    selected = f"{len(selected_on)} held-out training images"
    return {"selected_on": selected, "selected_on_and_scored": shared}


def evaluate(
    data: TestData,
    output: str | Path,
    about: dict,
    made_by: str,
    deblur: Callable[[np.ndarray], np.ndarray] | None = None,
    predictions: dict[str, Path] | None = None,
) -> dict:
    """Makes what predictions are missing, scores them and writes the results into `output`.

    Args:
      data: what to score.
      output: folder of the evaluation.
      about: JSON types that say in result files what made the predictions.
      made_by: a hash of it: with another one everything is made anew.
      deblur: the network.
      predictions: in its place, paths of predictions by the names of the images.

    Returns:
      The content of summary.json.

    Raises:
      InputError: an unreadable image, or an `output` that is in use, or inside of the data, or
        holds something else.
      RunError: what the network gives cannot be used.
    """
    output, data_dir = Path(output), Path(data.about["data_dir"])
    # A list file may name images anywhere: their own folders are closed to results then.
    folders = {data_dir} if data_dir.is_dir() else set()
    folders |= {image.blurred.resolve().parent for image in data.images}
    if folders & {output.resolve(), *output.resolve().parents}:
        raise InputError(f"{output} is inside of the data: choose another --output")
    paths = predictions or {i.name: prediction_path(output, i) for i in data.images}
    subject = {**data.about, "predictions_dir": about.get("predictions_dir"), "data": data.digest}
    del subject["data_dir"]
    with locked(output):
        _begin(output, {"subject": subject, "made_by": made_by})
        summary = results.read_summary(output)
        if summary is not None:
            print((output / results.SEQUENCES).read_text(), end="")
            return summary
        done = sum(path.exists() for path in paths.values())
        if deblur and done:
            print(f"{done} of {len(paths)} images are deblurred already")
        rows = list(_rows(data, paths, deblur))
        device = device_name() if deblur else None
        return results.write_results(output, data, rows, {**about, "device": device})


def _begin(output: Path, state: dict) -> None:
    """Makes `output` ready for an evaluation; what other weights have made there is removed."""
    made = [output / name for name in (PREDICTIONS, *results.FILES)]
    if (output / STATE).exists():
        before = read_json(output / STATE)
        if before.get("subject") != state["subject"]:
            raise InputError(
                f"{output} holds the evaluation of something else: choose another --output"
            )
        if before != state:
            print(f"{output} was made with other weights or predictions: it is made anew")
            for path in made:
                remove(path)
    else:
        for path in made:
            if path.exists():
                raise InputError(f"{path} was not made by an evaluation: choose another --output")
    write_json(output / STATE, state)


def _rows(
    data: TestData, paths: dict[str, Path], deblur: Callable | None
) -> Iterator[results.ImageScores]:
    """The scores of all images in order; reading, computing and scoring take place at once."""

    def read(image: TestImage) -> tuple:
        path = paths[image.name]
        deblurred = read_rgb(path) if path.exists() or not deblur else None
        return image, read_rgb(image.blurred), deblurred

    def computed(loaded: Iterable[tuple]) -> Iterator[tuple]:
        is_warm = False
        for image, blurred, deblurred in loaded:
            if deblurred is not None:
                yield image, blurred, deblurred, None
                continue
            try:
                if not is_warm:  # the first call traces the graph: no time to report
                    deblur(blurred)
                    is_warm = True
                started = time.perf_counter()
                deblurred = deblur(blurred)  # returns an array: the device has finished
            except RunError as error:
                raise RunError(f"{image.blurred}: {error}") from None
            yield image, blurred, deblurred, time.perf_counter() - started

    def scored(computed_image: tuple) -> results.ImageScores:
        image, blurred, deblurred, seconds = computed_image
        path = paths[image.name]
        if seconds is not None:
            write_image(path, deblurred)
        try:
            scores, baseline = data.test_set.score(image, [deblurred, blurred])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return results.ImageScores(image.name, image.sequence, scores, baseline, seconds)

    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as scorer:
        loaded = ahead(reader, read, data.images, 2)
        rows = ahead(scorer, scored, computed(loaded), threads)
        yield from progress(rows, "evaluating", len(data.images))
