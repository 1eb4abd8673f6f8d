"""Scores a network, or a folder of anybody's predictions, on a benchmark.

What is scored is the uint8 PNG that is saved. A folder of an evaluation holds

predictions/NAME.png   what the network made (not where predictions were given)
scores.jsonl           what was evaluated, then one line for each image as it is done
results.csv, ...       see `srn_tf.evaluation.results`, written when all images are scored

An evaluation that was interrupted goes on with the images that are not in scores.jsonl. A line
there holds only for the prediction and the blurred image that it was made from (by their
checksums), its scores only for the same ground truth (by size and time of the files), and all lines
only for the same weights: with others the evaluation starts afresh. The evaluation of other data is
never replaced.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import tensorflow as tf
import tqdm

from srn_tf.common.errors import InputError
from srn_tf.common.images import read_rgb, write_image
from srn_tf.evaluation import results
from srn_tf.evaluation.benchmarks import Benchmark, BenchmarkImage, find_predictions
from srn_tf.evaluation.score_log import PREDICTIONS, WEIGHTS, ScoreLog
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.weights.run_folder import CONFIG, load_model, read_config

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
    }
    output = Path(output or run_output(run_dir, benchmark.tag, checkpoint))
    return _evaluate(benchmark, output, about, {WEIGHTS: weights.hexdigest()}, Deblurrer(model))


def run_output(run_dir: str | Path, tag: str, checkpoint: str = "latest") -> Path:
    """Where the evaluation of a run is by default: RUN_DIR/evaluation/test-blur-latest.

    `tag` is that of the benchmark.
    """
    return Path(run_dir) / "evaluation" / f"{tag}-{checkpoint}"


def prediction_path(output: str | Path, image: BenchmarkImage) -> Path:
    """Where an evaluation in the folder `output` keeps what the network made of `image`."""
    return Path(output) / PREDICTIONS / f"{image.name}.png"


def evaluate_saved_model(
    folder: str | Path, benchmark: Benchmark, output: str | Path | None = None
) -> dict:
    """As `evaluate_run`, with a SavedModel; `output` is by default that of `other_output`."""
    deblurrer = Deblurrer.from_saved_model(folder)
    weights = hashlib.sha256()
    for path in [Path(folder) / "saved_model.pb", *sorted(Path(folder).glob("variables/*"))]:
        weights.update(path.read_bytes())
    output = Path(output or other_output(folder, benchmark.tag))
    has_config = (Path(folder) / CONFIG).exists()
    trained_on = _warned_subset(folder, benchmark) if has_config else None
    about = {"saved_model": str(folder), "trained_on": trained_on}
    return _evaluate(benchmark, output, about, {WEIGHTS: weights.hexdigest()}, deblurrer)


def evaluate_predictions(
    folder: str | Path, benchmark: Benchmark, output: str | Path | None = None
) -> dict:
    """Scores the PNGs in `folder`; `output` is by default that of `other_output`.

    Raises:
      InputError: as `srn_tf.evaluation.benchmarks.find_predictions`, and as `evaluate_run`.
    """
    predictions = find_predictions(folder, benchmark)
    output = Path(output or other_output(folder, benchmark.tag))
    about = {"predictions_dir": str(Path(folder).resolve())}
    if (output / PREDICTIONS).resolve() in (
        Path(folder).resolve(),
        *Path(folder).resolve().parents,
    ):
        raise InputError(f"{output} is the evaluation that made {folder}: choose another --output")
    return _evaluate(benchmark, output, about, about.copy(), predictions)


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
    return config.get("training", config).get("blur_subset")


def _warned_subset(folder: str | Path, benchmark: Benchmark) -> str | None:
    trained_on, subset = trained_subset(folder), benchmark.about.get("blur_subset")
    if trained_on and subset and trained_on != subset:
        print(
            f"warning: {folder} was trained on {trained_on!r} and is evaluated on {subset!r}",
            file=sys.stderr,
        )
    return trained_on


def _evaluate(
    benchmark: Benchmark,
    output: Path,
    about: dict,
    made_by: dict,
    source: Deblurrer | dict[str, Path],
) -> dict:
    """`made_by` identifies what made the predictions: unlike `about` it does not tell where."""
    _check_output(output, benchmark)
    log = ScoreLog(output, {**benchmark.about, **made_by})
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        scoring = _Scoring(benchmark, log, pool)
        try:
            if isinstance(source, dict):
                for image in benchmark.images:
                    scoring.start(image, source[image.name])
            else:
                _deblur_all(source, benchmark, output, log, scoring)
            scoring.wait()
        finally:
            pool.shutdown(cancel_futures=True)
    rows, devices = [], []
    for image in benchmark.images:
        record = log.records[image.name]
        rows.append(
            results.Row(
                image.name,
                image.sequence,
                record["scores"],
                record["baseline"],
                record.get("seconds"),
            )
        )
        devices.append(record.get("device"))
    about["device"] = " and ".join(dict.fromkeys(filter(None, devices))) or None
    return results.write_results(output, benchmark, rows, about)


def _check_output(output: Path, benchmark: Benchmark) -> None:
    data_dir = Path(benchmark.about["data_dir"])
    if not data_dir.is_dir():  # a list of pairs
        data_dir = Path(os.path.commonpath([image.blurred.resolve() for image in benchmark.images]))
    if data_dir in (output.resolve(), *output.resolve().parents):
        raise InputError(f"{output} is inside of the data: choose another --output")


def _deblur_all(
    deblurrer: Deblurrer, benchmark: Benchmark, output: Path, log: ScoreLog, scoring: _Scoring
) -> None:
    """Deblurs what is not deblurred yet, timed one by one, and starts the scoring of everything.

    On a CPU scoring starts when the network is done, for otherwise the two would slow each other
    down: both use all cores. Beside a GPU they run at the same time.
    """
    device, on_gpu = device_name(), bool(tf.config.list_logical_devices("GPU"))
    jobs = [(image, prediction_path(output, image)) for image in benchmark.images]
    todo = [job for job in jobs if not log.holds(*job)]
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} images are deblurred already")
    warm_sizes = set()
    for image, path in tqdm.tqdm(todo, desc="deblurring", unit="image", disable=not todo):
        blurred = read_rgb(image.blurred)
        if image.size not in warm_sizes:  # the first run of a size prepares kernels and memory
            deblurrer(blurred)
            warm_sizes.add(image.size)
        started = time.perf_counter()
        deblurred = deblurrer(blurred)  # returns an array: the device has finished
        seconds = time.perf_counter() - started
        write_image(path, deblurred)
        log.add(image, path, seconds=seconds, device=device)
        if on_gpu:
            scoring.start(image, path)
    for job in jobs:
        scoring.start(*job)


class _Scoring:
    """Scores predictions and blurred images in the threads of `pool`."""

    def __init__(self, benchmark: Benchmark, log: ScoreLog, pool: ThreadPoolExecutor):
        self.benchmark = benchmark
        self.log = log
        self.pool = pool
        self.futures: dict[str, Future] = {}

    def start(self, image: BenchmarkImage, prediction: Path) -> None:
        """Puts an image into the queue, unless it has been there or its scores are known."""
        if image.name in self.futures:
            return
        known = self.log.records[image.name] if self.log.holds(image, prediction) else {}
        if known.get("truth") != self._truth(image):
            self.futures[image.name] = self.pool.submit(self._score, image, prediction)

    def wait(self) -> None:
        """Returns when all are scored; raises what the first failure raised."""
        bar = tqdm.tqdm(
            as_completed(self.futures.values()),
            desc="scoring",
            total=len(self.futures),
            unit="image",
            disable=not self.futures,
        )
        for future in bar:
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
        files = (path.stat() for path in self.benchmark.truth_files(image))
        return [[file.st_size, file.st_mtime_ns] for file in files]


def device_name() -> str:
    """The model of the GPU, or of the CPU and how many cores it has."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(names, model)
    return f"{model}, {os.cpu_count()} cores"
