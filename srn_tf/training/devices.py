"""Which devices a run computes on: one, several in this machine, or several machines."""

from __future__ import annotations

import json
import os
import signal

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError

# A worker that waits this long for the others gives up: longer than a slow step or a validation
# of the fastest worker, short enough that a dead machine does not hold the others all night.
TIMEOUT_SECONDS = 600


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
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy(
            [device.name for device in tf.config.list_logical_devices(kind)]
        )
    return tf.distribute.get_strategy()


def _joined_workers() -> tf.distribute.Strategy:
    print(f"waiting for all {len(_workers())} workers")
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=TIMEOUT_SECONDS)
    # TensorFlow waits outside of Python, where only the default handlers end the process.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except tf.errors.OpError as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"the workers of TF_CONFIG cannot be joined: {reason}") from None
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def is_multi_worker(name: str) -> bool:
    """Whether `make_strategy(name)` joins this process with others; raises InputError alike."""
    return name == "multi_worker" or (name == "auto" and len(_workers()) > 1)


def _workers() -> list[str]:
    """The addresses of all workers in TF_CONFIG, of which this process must be one."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        workers = cluster.get("worker", [])
        is_one_of_them = task.get("type") == "worker" and task.get("index") in range(len(workers))
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"TF_CONFIG is not the JSON that TensorFlow expects: {error}") from None
    others = sorted(set(cluster) - {"worker"})
    if others:
        raise InputError(
            f"TF_CONFIG names jobs of the type {others[0]!r}: make all of them 'worker', "
            "of which the first writes the run folder"
        )
    if workers and not is_one_of_them:
        raise InputError(
            f"TF_CONFIG must tell which of the {len(workers)} workers this is: "
            '"task": {"type": "worker", "index": 0}'
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
    per_replica = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(value / _local_replicas(strategy), tf.float64)
    )
    return float(strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None))


def _local_replicas(strategy: tf.distribute.Strategy) -> int:
    return strategy.num_replicas_in_sync // worker(strategy)[1]


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """A few words on what the run computes on, for its first line."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    number, count = worker(strategy)
    words = f"{strategy.num_replicas_in_sync} x {kind}"
    return f"{words}, worker {number} of {count}" if count > 1 else words
