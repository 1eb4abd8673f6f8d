"""What is evaluated: a network that makes predictions, or predictions that somebody made."""

from __future__ import annotations

import abc
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.folders import joined_inside
from srn_tf.common.progress import progress
from srn_tf.evaluation.benchmarks import Benchmark, BenchmarkImage
from srn_tf.evaluation.predictions import find_predictions
from srn_tf.evaluation.score_log import PREDICTIONS, WEIGHTS, ScoreLog
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_rgb, write_image

Prediction = tuple[BenchmarkImage, Path]


class Source(abc.ABC):
    """What the predictions of an evaluation come from.

    Attributes:
      about: JSON types that say in result files what it is.
      identity: strings that tell it from all others; unlike `about`, not where it lies.
    """

    about: dict
    identity: dict[str, str]

    @abc.abstractmethod
    def files(self, output: Path) -> list[Prediction]:
        """Each image with its prediction, which may not be there yet.

        Args:
          output: the folder of the evaluation.

        Raises:
          InputError: `output` cannot be written without loss.
        """

    @abc.abstractmethod
    def make(self, files: list[Prediction], log: ScoreLog) -> Iterator[Prediction]:
        """Makes what is missing of `files` and yields each when it may be scored."""


class Network(Source):
    """A network, timed image by image.

    Args:
      deblurrer: does the work.
      weights: a hash of its weights.
      benchmark: the images.
      about: see `Source`.
    """

    def __init__(self, deblurrer: Deblurrer, weights: str, benchmark: Benchmark, about: dict):
        self._deblurrer = deblurrer
        self._benchmark = benchmark
        self.about = about
        self.identity = {WEIGHTS: weights}

    def files(self, output: Path) -> list[Prediction]:
        files = [(image, prediction_path(output, image)) for image in self._benchmark.images]
        inputs = {path.resolve() for image, _ in files for path in (image.blurred, *image.truth)}
        for _, path in files:
            if path.resolve() in inputs:
                raise InputError(f"{path} belongs to the data: choose another --output")
        return files

    def make(self, files: list[Prediction], log: ScoreLog) -> Iterator[Prediction]:
        # On a CPU scoring starts when the network is done, for otherwise the two would slow each
        # other down: both use all cores. Beside a GPU they run at the same time.
        device, on_gpu = device_name(), bool(tf.config.list_logical_devices("GPU"))
        todo = [job for job in files if not log.holds(*job)]
        if len(todo) < len(files):
            print(f"{len(files) - len(todo)} of {len(files)} images are deblurred already")
        warm_sizes = set()
        for image, path in progress(todo, "deblurring"):
            blurred = read_rgb(image.blurred)
            try:
                if image.size not in warm_sizes:  # the first run of a size prepares kernels, memory
                    self._deblurrer(blurred)
                    warm_sizes.add(image.size)
                started = time.perf_counter()
                deblurred = self._deblurrer(blurred)  # returns an array: the device has finished
                seconds = time.perf_counter() - started
            except RunError as error:
                raise RunError(f"{image.blurred}: {error}") from None
            write_image(path, deblurred)
            log.add(image, path, seconds=seconds, device=device)
            if on_gpu:
                yield image, path
        made = {path for _, path in todo} if on_gpu else ()
        yield from (job for job in files if job[1] not in made)


class Folder(Source):
    """A folder of predictions; arguments and errors are those of `find_predictions`."""

    def __init__(self, folder: str | os.PathLike, benchmark: Benchmark):
        self._folder = Path(folder).resolve()
        self._benchmark = benchmark
        self._found = find_predictions(folder, benchmark)
        self.about = {"predictions_dir": str(self._folder)}
        self.identity = dict(self.about)

    def files(self, output: Path) -> list[Prediction]:
        if (output / PREDICTIONS).resolve() in (self._folder, *self._folder.parents):
            raise InputError(
                f"{output} is the evaluation that made {self._folder}: choose another --output"
            )
        return [(image, self._found[image.name]) for image in self._benchmark.images]

    def make(self, files: list[Prediction], log: ScoreLog) -> Iterator[Prediction]:
        yield from files


def prediction_path(output: str | os.PathLike, image: BenchmarkImage) -> Path:
    """Where an evaluation in the folder `output` keeps what the network made of `image`.

    Raises:
      InputError: that would be outside of `output`.
    """
    return joined_inside(Path(output) / PREDICTIONS, f"{image.name}.png")


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
