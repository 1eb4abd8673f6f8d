"""Scores a network, or a folder of anybody's predictions, on a benchmark.

What is scored is the uint8 PNG that is saved. A folder of an evaluation holds

predictions/NAME.png   what the network made (not where predictions were given)
scores.jsonl           what was evaluated, then one line for each image as it is done
results.csv, ...       see `srn_tf.evaluation.results`, written when all images are scored

An evaluation that was interrupted goes on with the images that are not in scores.jsonl. A line
there holds only for the prediction and the blurred image that it was made from (by their
checksums), its scores only for the same ground truth (by size and time of the files), and all lines
only for the same weights: with others the evaluation starts afresh. The evaluation of other data is
never replaced, and no two processes evaluate into one folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.common.folders import locked
from srn_tf.common.progress import progress
from srn_tf.data import fingerprint
from srn_tf.evaluation import results
from srn_tf.evaluation.benchmarks import Benchmark, BenchmarkImage
from srn_tf.evaluation.score_log import ScoreLog
from srn_tf.evaluation.sources import Folder, Network, Source
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb
from srn_tf.weights.run_folder import CONFIG, load_model, read_config
from srn_tf.weights.starter import is_starter

_MOST_THREADS = 8  # each may hold the 400 MB of ground truth of one of Köhler's images


def evaluate_run(
    run_dir: str | Path,
    benchmark: Benchmark,
    output: str | Path | None = None,
    checkpoint: str = "latest",
) -> dict:
    """Deblurs and scores a benchmark with the weights of a run folder.

    Warns when the blur subset is another than the run was trained on.

    Args:
      run_dir: a run folder.
      benchmark: what to score.
      output: folder of the evaluation; None for `run_output`.
      checkpoint: "latest" or "best".

    Returns:
      The content of summary.json.

    Raises:
      InputError: no run folder or checkpoint, an unreadable image, or an unusable `output`.
    """
    trained_on = _warned_subset(run_dir, benchmark)
    model = load_model(run_dir, checkpoint)
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights()))
    about = {
        "run_dir": str(run_dir),
        "variant": model.variant.name,
        "checkpoint": checkpoint,
        "step": model.restored_step,
        "trained_on": trained_on,
        **_selection(run_dir, benchmark, checkpoint),
    }
    output = output or run_output(run_dir, benchmark.tag, checkpoint)
    source = Network(Deblurrer(model), weights.hexdigest(), benchmark, about)
    return evaluate(source, benchmark, output)


def run_output(run_dir: str | Path, tag: str, checkpoint: str = "latest") -> Path:
    """Where the evaluation of a run is by default: RUN_DIR/evaluation/test-blur-latest.

    `tag` is that of the benchmark. The starter weights have no folder, see `other_output`.
    """
    if is_starter(run_dir):
        return other_output(run_dir, tag)
    return Path(run_dir) / "evaluation" / f"{tag}-{checkpoint}"


def evaluate_saved_model(
    folder: str | Path, benchmark: Benchmark, output: str | Path | None = None
) -> dict:
    """As `evaluate_run`, with a SavedModel; `output` is by default that of `other_output`."""
    deblurrer = Deblurrer.from_saved_model(folder)
    weights = hashlib.sha256()
    for path in [Path(folder) / "saved_model.pb", *sorted(Path(folder).glob("variables/*"))]:
        weights.update(path.read_bytes())
    output = output or other_output(folder, benchmark.tag)
    has_config = (Path(folder) / CONFIG).exists()
    trained_on = _warned_subset(folder, benchmark) if has_config else None
    about = {"saved_model": str(folder), "trained_on": trained_on}
    source = Network(deblurrer, weights.hexdigest(), benchmark, about)
    return evaluate(source, benchmark, output)


def evaluate_predictions(
    folder: str | Path, benchmark: Benchmark, output: str | Path | None = None
) -> dict:
    """Scores the PNGs in `folder`; `output` is by default that of `other_output`.

    Raises:
      InputError: as `srn_tf.evaluation.predictions.find_predictions`, and as `evaluate_run`.
    """
    source = Folder(folder, benchmark)
    return evaluate(source, benchmark, output or other_output(folder, benchmark.tag))


def other_output(folder: str | Path, tag: str) -> Path:
    """Where evaluations of other folders are by default: results/evaluation/FOLDER/test-blur.

    `tag` is that of the benchmark.
    """
    return Path("results/evaluation") / Path(folder).resolve().name / tag


def trained_subset(run_dir: str | Path) -> str | None:
    """The blur subset that the weights of a run folder or an export were trained on, if known.

    Raises:
      InputError: `run_dir` is not a run folder.
    """
    config = read_config(run_dir)
    subset = config.get("training", config).get("blur_subset")
    if not isinstance(subset, (str, type(None))):
        raise InputError(f"{Path(run_dir) / CONFIG}: blur_subset must be a text, not {subset!r}")
    return subset


def _warned_subset(folder: str | Path, benchmark: Benchmark) -> str | None:
    trained_on, subset = trained_subset(folder), benchmark.about.get("blur_subset")
    if trained_on and subset and trained_on != subset:
        print(
            f"warning: {folder} was trained on {trained_on!r} and is evaluated on {subset!r}",
            file=sys.stderr,
        )
    return trained_on


def _selection(run_dir: str | Path, benchmark: Benchmark, checkpoint: str) -> dict:
    """On what the checkpoint was selected; warns when that is scored here as well."""
    if checkpoint != "best":
        return {"selected_on": "nothing"}
    selected_on = (read_config(run_dir).get("data") or {}).get("selected_on")
    if not isinstance(selected_on, list):
        return {"selected_on": "unknown"}
    scored = [fingerprint(i.name, i.size, (i.blurred, *i.truth)) for i in benchmark.images]
    known = list(map(_without_layout, scored))
    shared = sum(_without_layout(image) in known for image in selected_on)
    if shared:
        print(
            f"warning: {shared} of the images on which {run_dir} selected its best checkpoint are "
            "scored here: that flatters it",
            file=sys.stderr,
        )
    return {
        "selected_on": f"{len(selected_on)} held-out training images",
        "selected_on_and_scored": shared,
    }


def _without_layout(image: object) -> list:
    """A fingerprint, of the name the last number alone: the rest depends on the folders."""
    name, *sizes = image if isinstance(image, list) and image else [image]
    return [re.findall(r"\d+", str(name))[-1:], *sizes]


def evaluate(source: Source, benchmark: Benchmark, output: str | Path) -> dict:
    """Makes what predictions are missing, scores them and writes the results into `output`.

    Returns:
      The content of summary.json.

    Raises:
      InputError: an unreadable image, or an `output` that is in use, or inside of the data, or
        holds something else.
    """
    output = Path(output)
    _check_output(output, benchmark)
    files = source.files(output)
    with locked(output):
        log = ScoreLog(output, benchmark, {**benchmark.identity, **source.identity})
        with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
            scoring = _Scoring(benchmark, log, pool)
            try:
                for image, prediction in source.make(files, log):
                    scoring.start(image, prediction)
                scoring.wait()
            finally:
                pool.shutdown(cancel_futures=True)
        records = [log.records[image.name] for image in benchmark.images]
        rows = [
            results.Row(
                image.name,
                image.sequence,
                record["scores"],
                record["baseline"],
                record.get("seconds"),
            )
            for image, record in zip(benchmark.images, records)
        ]
        devices = dict.fromkeys(record.get("device") for record in records)
        about = {**source.about, "device": " and ".join(filter(None, devices)) or None}
        return results.write_results(output, benchmark, rows, about)


def _check_output(output: Path, benchmark: Benchmark) -> None:
    data_dir, output = Path(benchmark.about["data_dir"]), output.resolve()
    # A list file may name images anywhere: their own folders are closed to results then.
    folders = {data_dir} if data_dir.is_dir() else set()
    folders |= {image.blurred.resolve().parent for image in benchmark.images}
    if folders & {output, *output.parents}:
        raise InputError(f"{output} is inside of the data: choose another --output")


class _Scoring:
    """Scores predictions and blurred images in the threads of `pool`."""

    def __init__(self, benchmark: Benchmark, log: ScoreLog, pool: ThreadPoolExecutor):
        self.benchmark = benchmark
        self.log = log
        self.pool = pool
        self.futures: dict[str, Future] = {}

    def start(self, image: BenchmarkImage, prediction: Path) -> None:
        """Puts an image into the queue, unless its scores are known."""
        known = self.log.records[image.name] if self.log.holds(image, prediction) else {}
        if known.get("truth") != self._truth(image):
            self.futures[image.name] = self.pool.submit(self._score, image, prediction)

    def wait(self) -> None:
        """Returns when all are scored; raises what the first failure raised."""
        done = as_completed(self.futures.values())
        for future in progress(done, "scoring", len(self.futures)):
            future.result()

    def _score(self, image: BenchmarkImage, prediction: Path) -> None:
        candidates = [read_rgb(prediction), read_rgb(image.blurred)]
        try:
            scores, baseline = self.benchmark.score(image, candidates)
        except InputError as error:
            raise InputError(f"{prediction}: {error}") from None
        truth = self._truth(image)
        self.log.add(image, prediction, scores=scores, baseline=baseline, truth=truth)

    def _truth(self, image: BenchmarkImage) -> list[list[int]]:
        """Tells the files that `image` is scored with from changed ones."""
        files = (path.stat() for path in image.truth)
        return [[file.st_size, file.st_mtime_ns] for file in files]
