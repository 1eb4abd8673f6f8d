"""What an evaluation has done already, so that it can go on after an interruption."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from threading import Lock

from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.evaluation import results
from srn_tf.evaluation.benchmarks import BenchmarkImage

PREDICTIONS = "predictions"
LOG = "scores.jsonl"
WEIGHTS = "weights"  # in the identity of an evaluation: a hash


class ScoreLog:
    """scores.jsonl: first what is evaluated, then one line for each image as it is done.

    A line holds only for the prediction and the blurred image that it is about, by their checksums;
    all lines only for what the first line says. Safe to use from several threads.

    Args:
      output: folder of the evaluation. What one of other weights left there is removed.
      identity: JSON types that tell what is evaluated from all else: the data and, under
        `WEIGHTS`, the weights, or the folder of predictions.

    Attributes:
      records: the lines, by the name of the image.

    Raises:
      InputError: `output` holds the evaluation of other data or of another folder of predictions,
        or predictions without a log of how they were made.
    """

    def __init__(self, output: Path, identity: dict):
        self.path = output / LOG
        self.lock = Lock()
        found, self.records = self._read()
        if found != identity:
            if found is not None and _without_weights(found) != _without_weights(identity):
                raise InputError(
                    f"{output} holds the evaluation of something else: choose another --output"
                )
            self.records = {}
            self._start_afresh(output, found)
        # Written anew, without what a kill left of the last line.
        with written_beside(self.path) as temporary:
            lines = [identity, *self.records.values()]
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))

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
        record = {**known, "image": image.name, "checksum": checksum, **values}
        with self.lock, self.path.open("a") as file:
            self.records[image.name] = record
            file.write(json.dumps(record) + "\n")

    def _read(self) -> tuple[dict | None, dict[str, dict]]:
        lines = []
        try:
            for line in self.path.read_text().splitlines():
                lines.append(json.loads(line))
        except FileNotFoundError:
            pass
        except ValueError:
            pass  # the line in which the evaluation was killed
        if not lines:
            return None, {}
        return lines[0], {record["image"]: record for record in lines[1:]}

    def _start_afresh(self, output: Path, found: dict | None) -> None:
        predictions = output / PREDICTIONS
        if found is None and predictions.exists():
            raise InputError(
                f"{predictions} was not made by an evaluation of this kind: choose another --output"
            )
        if found is not None:
            print(f"{output} was made with other weights: it is made anew")
        shutil.rmtree(predictions, ignore_errors=True)
        for name in (results.RESULTS, results.BASELINE, results.SEQUENCES, results.SUMMARY):
            (output / name).unlink(missing_ok=True)


def _without_weights(identity: dict) -> dict:
    return {key: value for key, value in identity.items() if key != WEIGHTS}


def _checksum(*paths: Path) -> int:
    checksum = 0
    for path in paths:
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
