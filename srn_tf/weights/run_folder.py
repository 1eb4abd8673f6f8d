"""The run folder: what a training or an import leaves, and what every other command reads.

config.json            variant, training configuration, command line, versions, git commit
checkpoints/step-N.*   TensorFlow checkpoints: weights, optimizer, step, average of weights
checkpoints/best/      the one with the best validation score
logs/                  TensorBoard
metrics.csv            one row per log line
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf import __version__
from srn_tf.common.errors import InputError, RunError, named
from srn_tf.common.files import read_json, reason, remove, write_json
from srn_tf.common.folders import tensorflow_path
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import Variant
from srn_tf.weights.starter import is_starter, load_starter, starter_config

_VARIABLE = re.compile(r"<tf\.Variable '([^']+)'")
CONFIG = "config.json"
CHECKPOINT_NAME = "step"
_INDEX = re.compile(rf"{CHECKPOINT_NAME}-(0|[1-9]\d{{0,17}})\.index")  # and no copy of one
_PART = re.compile(rf"{CHECKPOINT_NAME}-(\d{{1,18}})(_temp.*|\.(data-\d+-of-\d+|index.*))")
_CALL = ("options", "command", "versions", "git_commit")  # what may differ from call to call


def write_config(run_dir: Path, variant: Variant, **sections) -> None:
    """Writes config.json with the variant, the given sections and where the run comes from.

    What it said about earlier calls, when there were any, is kept in its list "earlier_calls".
    """
    earlier = []
    if (Path(run_dir) / CONFIG).exists():
        before = read_config(run_dir)
        earlier = before.pop("earlier_calls", [])
        earlier.append({key: before[key] for key in _CALL if key in before})
    config = {
        "variant": variant.to_dict(),
        **sections,
        "command": sys.argv,
        "versions": {
            "srn_tf": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("tensorflow", "numpy")},
        },
        "git_commit": _git_commit(),
        "earlier_calls": earlier,
    }
    write_json(Path(run_dir) / CONFIG, config)


def read_config(run_dir: str | Path) -> dict:
    """The content of config.json: keys "variant", "training", "command", "versions", ...

    Raises:
      InputError: `run_dir` is not a run folder, nor the name of the starter weights.
    """
    if is_starter(run_dir):
        return starter_config()
    try:
        config = read_json(Path(run_dir) / CONFIG)
        Variant.from_dict(config["variant"])
    except Exception as error:
        what = str(error) if isinstance(error, InputError) else f"{CONFIG}: {error!r}"
        raise InputError(f"{run_dir} is not a run folder of srn_tf: {what}") from None
    return {name: value for name, value in config.items() if value is not None}


def checkpoint_steps(folder: Path) -> list[int]:
    """The steps of which `folder` holds checkpoints, newest first."""
    matches = (_INDEX.fullmatch(path.name) for path in Path(folder).glob(f"{CHECKPOINT_NAME}-*"))
    return sorted((int(match[1]) for match in matches if match), reverse=True)


def restore_newest(folder: Path, checkpoint: tf.train.Checkpoint) -> int | None:
    """Fills `checkpoint` from the newest file in `folder` that can be read, as `read_all`.

    TensorFlow checks the sums of all it reads; a checkpoint that fails is passed over with a
    warning that names it. Returns the step of the checkpoint's name, None where there is none.

    Raises:
      RunError: there are checkpoints and none can be read.
      InputError: one is whole, but of another network.
    """
    steps = checkpoint_steps(folder)
    for step in steps:
        path = Path(folder) / f"{CHECKPOINT_NAME}-{step}"
        try:
            read_all(checkpoint, str(path))
        except InputError:
            raise
        except Exception as error:  # over a broken file TensorFlow raises many kinds
            print(f"warning: checkpoint {path} cannot be read ({reason(error)})", file=sys.stderr)
        else:
            return step
    if steps:
        raise RunError(f"no checkpoint in {folder} can be read")
    return None


class Checkpoints:
    """The checkpoints of a training run in one folder: the newest, and older ones at intervals.

    TensorFlow writes a checkpoint beside and renames it, so that a kill leaves the older ones.

    Args:
      folder: where they are.
      objects: what is saved, by name; "net" and "average" are what `load_model` reads.
      keep: how many of the newest stay.
      keep_every_hours: of the older ones, the last of each such interval stays; 0: none.
    """

    def __init__(self, folder: Path, objects: dict, keep: int, keep_every_hours: float = 0.0):
        self.folder = Path(folder)
        self._checkpoint = tf.train.Checkpoint(**objects)
        # Made when first asked for; if that were at the first save, which only one of several
        # workers does, the others would not take part in making it.
        _ = self._checkpoint.save_counter
        self._keep, self._interval = keep, 3600 * keep_every_hours
        self._saved_step = None

    def save(self, step: int) -> None:
        """Saves under the name of `step`, unless that is what was saved or restored last.

        Raises:
          RunError: the disk is full or not writable; the checkpoints before are intact.
        """
        if step == self._saved_step:
            return
        self._remove_rests()
        older = [kept for kept in checkpoint_steps(self.folder) if kept != step]
        try:
            self._checkpoint.write(tensorflow_path(self.folder / f"{CHECKPOINT_NAME}-{step}"))
        except tf.errors.OpError as error:
            self._remove_rests()
            raise RunError(
                f"the checkpoint of step {step} could not be written to {self.folder} "
                f"({reason(error)}); "
                + (f"that of step {older[0]} is intact" if older else "there is none before it")
            ) from None
        self._saved_step = step
        self._remove_older()

    def _remove_older(self) -> None:
        """Removes what is no longer among the newest, unless it is the last of its interval."""
        steps = checkpoint_steps(self.folder)
        for newer, step in zip(steps[self._keep - 1 :], steps[self._keep :]):
            paths = [self.folder / f"{CHECKPOINT_NAME}-{number}.index" for number in (newer, step)]
            if self._interval:
                first, second = (path.stat().st_mtime // self._interval for path in paths)
                if first == second:
                    paths[1].unlink()
                break  # those before it were looked at when they left the newest
            paths[1].unlink()  # without its index a checkpoint does not exist
        self._remove_rests()

    def _remove_rests(self) -> None:
        """Removes the parts of checkpoints that were not finished: the index comes last."""
        whole = checkpoint_steps(self.folder)
        for path in self.folder.glob(f"{CHECKPOINT_NAME}-*"):
            match = _PART.fullmatch(path.name)
            if match and int(match[1]) not in whole:
                remove(path)

    def restore(self) -> int | None:
        """Restores the newest that can be read: its step, or None where there is none."""
        self._saved_step = restore_newest(self.folder, self._checkpoint)
        return self._saved_step


def read_all(checkpoint: tf.train.Checkpoint, path: str) -> None:
    """Reads a file into `checkpoint`, of which every variable must get its value.

    Raises:
      InputError: the file lacks values for some variables, which are named.
    """
    status = checkpoint.read(tensorflow_path(path)).expect_partial()
    try:
        status.assert_existing_objects_matched()
    except AssertionError as error:  # names some, in any order
        missing = sorted(_VARIABLE.findall(str(error))) or [reason(error)]
        raise InputError(
            f"checkpoint {path} holds no values for {named(missing)}: it is of another network"
        ) from None


def load_model(run_dir: str | Path, checkpoint: str = "latest") -> ScaleRecurrentNet:
    """The network of a run folder, with the weights meant for inference.

    These are the averaged weights where the run keeps them, otherwise the raw ones. The step of
    the checkpoint they come from is the model's attribute `restored_step`.

    Args:
      run_dir: a run folder, or "starter".
      checkpoint: "latest" or "best" (by validation PSNR, of runs with --hold_out).

    Raises:
      InputError: no run folder, it holds no such checkpoint, one of another network, or weights
        that are not finite.
    """
    if is_starter(run_dir):
        if checkpoint != "latest":
            raise InputError("the starter weights have one checkpoint: leave --checkpoint out")
        return load_starter()
    config = read_config(run_dir)
    model = build_model(Variant.from_dict(config["variant"]))
    decay = config.get("training", {}).get("ema_decay", 0)
    part = {"average" if decay > 0 else "net": model}
    folder = checkpoint_folder(run_dir, checkpoint)
    model.restored_step = restore_newest(folder, tf.train.Checkpoint(**part))
    if model.restored_step is None:
        remedy = "train or import weights first"
        if checkpoint == "best":
            remedy = "only runs with --hold_out choose one; take the latest"
        raise InputError(f"{folder} holds no checkpoint: {remedy}")
    if not all(np.isfinite(array).all() for array in model.get_weights()):
        raise InputError(
            f"{folder}, step {model.restored_step}: the weights are not finite and of no use"
        )
    return model


def best_psnr_of(folder: Path) -> float:
    """The validation PSNR in dB of the best checkpoint kept in `folder`; -inf without any."""
    best = tf.Variable(-np.inf, dtype=tf.float64, trainable=False)
    restore_newest(folder, tf.train.Checkpoint(best_psnr=best))
    return float(best.numpy())


def checkpoint_folder(run_dir: str | Path, checkpoint: str = "latest") -> Path:
    """Where a run folder keeps its "latest" or "best" checkpoints."""
    folder = Path(run_dir) / "checkpoints"
    return folder / "best" if checkpoint == "best" else folder


def _git_commit() -> str | None:
    here = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # git is not installed
        return None
    return result.stdout.strip() or None
