"""What an evaluation has done already, so that it can go on after an interruption."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import zlib
from pathlib import Path
from threading import Lock

from srn_tf.common.errors import InputError
from srn_tf.common.files import read_text, write_text
from srn_tf.evaluation import results
from srn_tf.evaluation.benchmarks import Benchmark, BenchmarkImage

PREDICTIONS = "predictions"
LOG = "scores.jsonl"
WEIGHTS = "weights"  # in the identity of an evaluation: a hash
_FIELDS = {"of", "image", "checksum", "scores", "baseline", "truth", "seconds", "device"}
_LARGEST = 1e300  # of any number here; JSON also knows integers that are no floats
_HEAD = "evaluation"  # key of the identity in the first line


class ScoreLog:
    """scores.jsonl: first what is evaluated, then one line for each image as it is done.

    A line holds for the prediction and the blurred image that it is about, by their checksums, and
    for what the first line says, of which it bears a fingerprint; others are passed over, and so
    is what is no such line. An infinite PSNR is null. Safe to use from several threads.

    Args:
      output: folder of the evaluation. What one of other weights left there is removed.
      benchmark: what is scored.
      identity: strings that tell what is evaluated from all else: the data and, under `WEIGHTS`,
        the weights, or the folder of predictions.

    Attributes:
      records: the lines, by the name of the image, with lists of scores as floats.

    Raises:
      InputError: `output` holds the evaluation of other data or of another folder of predictions,
        or files of an evaluation without a log of how they were made.
    """

    def __init__(self, output: Path, benchmark: Benchmark, identity: dict[str, str]):
        self.path = output / LOG
        self.lock = Lock()
        self._metrics = len(benchmark.metrics)
        text = json.dumps(identity, sort_keys=True)
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        found, lines = self._read()
        _check_origin(output, found, identity)
        self.records = {line["image"]: line for line in lines if self._is_ours(line)}
        for record in self.records.values():
            for kind in {"scores", "baseline"} & record.keys():
                record[kind] = [math.inf if value is None else value for value in record[kind]]
        if found not in (None, identity):
            print(f"{output} was made with other weights: it is made anew")
            shutil.rmtree(output / PREDICTIONS, ignore_errors=True)
            for name in results.FILES:
                (output / name).unlink(missing_ok=True)
        # Written anew, without what a kill left of the last line.
        lines = [{_HEAD: identity}, *self.records.values()]
        write_text(self.path, "".join(map(_as_line, lines)))

    def holds(self, image: BenchmarkImage, prediction: Path) -> bool:
        """Whether `records` has a line about this very prediction."""
        record = self.records.get(image.name)
        if record is None or not prediction.exists():
            return False
        return record["checksum"] == _checksum(prediction, image.blurred)

    def add(self, image: BenchmarkImage, prediction: Path, **values) -> None:
        """Adds values to the line of an image; they replace all others of another prediction."""
        known = self.records[image.name] if self.holds(image, prediction) else {}
        checksum = _checksum(prediction, image.blurred)
        about = {"of": self._fingerprint, "image": image.name, "checksum": checksum}
        record = {**known, **about, **values}
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            self.records[image.name] = record
            file.write(_as_line(record))

    def _read(self) -> tuple[dict | None, list]:
        """The identity in the first line, None where there is no log; and all other lines."""
        if not self.path.exists():
            return None, []
        try:
            head, *lines = read_text(self.path).splitlines() or [""]
            identity = json.loads(head)[_HEAD]
            if not isinstance(identity, dict):
                raise TypeError(identity)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InputError(
                f"{self.path} is not the log of an evaluation: choose another --output"
            ) from None
        return identity, list(map(_parsed, lines))

    def _is_ours(self, line: object) -> bool:
        """Whether a line is of this evaluation, with all values of the right types."""
        return (
            isinstance(line, dict)
            and line.keys() <= _FIELDS
            and line.get("of") == self._fingerprint
            and isinstance(line.get("image"), str)
            and type(line.get("checksum")) is int
            and all(
                kind not in line or self._are_scores(line[kind]) for kind in ("scores", "baseline")
            )
            and ("scores" in line) == ("baseline" in line) == ("truth" in line)
            and ("truth" not in line or _are_stamps(line["truth"]))
            and (line.get("seconds") is None or _is_number(line["seconds"]))
            and isinstance(line.get("device"), (str, type(None)))
        )

    def _are_scores(self, values: object) -> bool:
        if not isinstance(values, list) or len(values) != self._metrics:
            return False
        return all(value is None or _is_number(value) for value in values)


def _check_origin(output: Path, found: dict | None, identity: dict) -> None:
    if found is None:
        for name in (PREDICTIONS, *results.FILES):
            if (output / name).exists():
                raise InputError(
                    f"{output / name} was not made by an evaluation: choose another --output"
                )
    elif _without_weights(found) != _without_weights(identity):
        raise InputError(
            f"{output} holds the evaluation of something else: choose another --output"
        )


def _without_weights(identity: dict) -> dict:
    return {key: value for key, value in identity.items() if key != WEIGHTS}


def _as_line(record: dict) -> str:
    record = dict(record)
    for kind in {"scores", "baseline"} & record.keys():
        record[kind] = [None if value == math.inf else value for value in record[kind]]
    return json.dumps(record, allow_nan=False) + "\n"


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _are_stamps(value: object) -> bool:
    """Whether these are two whole numbers for each of some files."""
    files = value if isinstance(value, list) else [None]
    return all(isinstance(file, list) and {int} == set(map(type, file)) for file in files)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST


def _checksum(*paths: Path) -> int:
    checksum = 0
    for path in paths:
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
