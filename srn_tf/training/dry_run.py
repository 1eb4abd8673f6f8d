"""A trial of a run: everything once, in a temporary folder, and what that predicts of the whole."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

from srn_tf.common.progress import duration
from srn_tf.data.caches import decoded, disk_cache_path, gigabytes
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import make_strategy, prepare_devices
from srn_tf.training.log import LogRow
from srn_tf.training.loop import run_steps
from srn_tf.training.record import check_same_configuration, check_same_data, record_of_data
from srn_tf.training.run import Run, open_run
from srn_tf.training.validation import Validation

_STEPS = 5  # of which the first also builds the graph


def dry_run(config: TrainingConfig, options: RunOptions, run_dir: str | Path) -> None:
    """Tries all pairs, steps, a validation, a checkpoint; predicts time and disk; writes nothing.

    The disk and device caches are not made: the trial reads image files.

    Raises:
      InputError: as `srn_tf.training.train`.
      RunError: as there.
    """
    recorded = check_same_configuration(Path(run_dir), config)
    prepare_devices(config, options)
    trial = dataclasses.replace(
        options,
        max_steps=_STEPS,
        log_every=1,
        checkpoint_every=_STEPS,
        validate_every=_STEPS,
        cache="none",
        profile=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = open_run(config, trial, Path(folder) / "run", make_strategy(options.strategy))
        if recorded:
            found = record_of_data(run.data.train, run.data.held_out)
            check_same_data(Path(run_dir), recorded, found, has_best=False)
        for _ in decoded(run.data.train, "reading all pairs once"):
            pass
        rows: list[LogRow] = []
        validation = Validation(run)
        run_steps(run, validation, rows.append)
        if run.is_chief:
            print(_prediction(run, validation, options, rows))
            print(f"dry run: everything works; nothing was written to {run_dir}")


def _prediction(run: Run, validation: Validation, options: RunOptions, rows: list[LogRow]) -> str:
    config = run.config
    steps = options.max_steps or config.decay_steps
    rows = [row for row in rows if "images_per_second" in row]
    per_step = statistics.median(config.batch_size / row["images_per_second"] for row in rows[1:])
    waiting = statistics.median(row["data_wait"] for row in rows[1:])
    validations = steps // options.validate_every if options.validate_every else 0
    seconds = steps * per_step
    if validation.pairs:
        began = time.perf_counter()
        validation.deblurrer.scores(validation.pairs[0])
        seconds += validations * len(validation.pairs) * (time.perf_counter() - began)
    checkpoints = run.folder / "checkpoints"
    checkpoint = sum(path.stat().st_size for path in checkpoints.glob("step-*"))
    disk = checkpoint * (options.keep_checkpoints + bool(run.data.held_out))
    if options.keep_every_hours:
        disk += checkpoint * int(seconds / 3600 / options.keep_every_hours)
    lines = [
        f"{1 / per_step:.3g} steps/s with --cache=none, of which {waiting:.0%} waits for data",
        f"{steps} steps and {validations} validations: {duration(seconds)}",
        f"checkpoints: {gigabytes(disk)}",
    ]
    if options.cache == "disk":
        pixels = sum(2 * height * width for height, width in (p.size for p in run.data.train))
        place = disk_cache_path(run.data.train, options.cache_dir)
        there = "is there" if place.exists() else "will be made"
        lines.append(f"disk cache: {gigabytes(3 * pixels)}, {place} {there}")
    return "\n".join(lines)
