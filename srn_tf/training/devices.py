"""Which devices a run computes on: one, several in this machine, or several machines."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import reason
from srn_tf.common.hardware import computes_in
from srn_tf.training.configuration import RunOptions, TrainingConfig

# A worker that waits this long for the others gives up: longer than a slow step or a validation
# of the fastest worker, short enough that a dead machine does not hold the others all night.
TIMEOUT_SECONDS = 600


def prepare_devices(config: TrainingConfig, options: RunOptions) -> None:
    """Sets what TensorFlow wants to know before it uses a GPU; warns of 16 bits that are slow."""
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus if options.memory_growth else ():
        tf.config.experimental.set_memory_growth(gpu, True)
    if config.mixed_precision != "none" and not computes_in(config.mixed_precision):
        print(
            f"warning: this machine does not compute in {config.mixed_precision}: it computes in "
            "float32 and rounds, which is slower than float32. Leave --mixed_precision out",
            file=sys.stderr,
        )


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy for "none", "mirrored", "multi_worker" or "auto".

    "auto" is multi_worker where the environment variable TF_CONFIG names several workers, mirrored
    where this machine has several GPUs, none otherwise. Call it before anything is computed.

    Raises:
      InputError: TF_CONFIG cannot be used, or is missing for multi_worker.
      RunError: the workers cannot be joined, for example because a port is in use.
    """
    tf.get_logger().setLevel("WARNING")  # it repeats itself while setting up several workers
    if is_multi_worker(name):
        if not _workers():
            raise InputError("strategy multi_worker needs TF_CONFIG with a list of workers")
        return _joined_workers()
    several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
    if name == "mirrored" or (name == "auto" and several_gpus):
        return _all_devices()
    return tf.distribute.get_strategy()


@functools.cache
def _all_devices() -> tf.distribute.Strategy:
    # One for the whole process: each would number its collective operations from the start again,
    # and TensorFlow takes those of a second run for the first run's.
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return tf.distribute.MirroredStrategy(
        [device.name for device in tf.config.list_logical_devices(kind)]
    )


def _joined_workers() -> tf.distribute.Strategy:
    print(f"waiting for all {len(_workers())} workers")
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=TIMEOUT_SECONDS)
    # TensorFlow waits outside of Python, where only the default handlers end the process.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except tf.errors.OpError as error:
        raise RunError(f"the workers of TF_CONFIG cannot be joined: {reason(error)}") from None
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def is_multi_worker(name: str) -> bool:
    """Whether `make_strategy(name)` joins this process with others; raises InputError alike."""
    return name == "multi_worker" or (name == "auto" and len(_workers()) > 1)


def _workers() -> list[str]:
    """The addresses of all workers in TF_CONFIG, of which this process must be one."""
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        workers = list(cluster.get("worker", []))
        is_usable = not workers or (
            set(cluster) == {"worker"}
            and task["type"] == "worker"
            and all(isinstance(address, str) and ":" in address for address in workers)
            and task["index"] in range(len(workers))
        )
    except (ValueError, TypeError, AttributeError, LookupError):
        is_usable = False
    if not is_usable:
        raise InputError(
            'TF_CONFIG must be like {"cluster": {"worker": ["HOST:PORT", ...]}, "task": '
            '{"type": "worker", "index": 0}}, where the index tells which of the workers this is '
            f"and the first one writes the run folder. Received: {text}"
        )
    return workers


def worker(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """This process's number among the workers and how many there are: (0, 1) for one process."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict().get("worker"):
        return 0, 1
    return resolver.task_id, len(resolver.cluster_spec().as_dict()["worker"])


def sum_over_workers(strategy: tf.distribute.Strategy, value: float) -> float:
    """Adds up one number of each worker; every worker must call it, and gets the sum."""
    replicas_here = strategy.num_replicas_in_sync // worker(strategy)[1]
    per_replica = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(value / replicas_here, tf.float64)
    )
    return float(strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None))


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """A few words on what the run computes on, for its first line."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    number, count = worker(strategy)
    words = f"{strategy.num_replicas_in_sync} x {kind}"
    return f"{words}, worker {number} of {count}" if count > 1 else words
