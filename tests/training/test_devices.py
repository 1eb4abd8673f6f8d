"""Which strategy is chosen, and what TF_CONFIG must say."""

import dataclasses
import json

import pytest
import tensorflow as tf
from networks import TINY

from srn_tf.common.errors import InputError
from srn_tf.training import devices
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import is_multi_worker, make_strategy, prepare_devices

WORKERS = {"worker": ["localhost:1", "localhost:2"]}

CONFIG = TrainingConfig(TINY, "")


def set_config(monkeypatch, **config):
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))


def test_auto_is_one_device_unless_there_is_more(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert not is_multi_worker("auto")
    assert make_strategy("auto").num_replicas_in_sync == 1
    assert isinstance(make_strategy("mirrored"), tf.distribute.MirroredStrategy)
    assert make_strategy("mirrored") is make_strategy("mirrored")
    with pytest.raises(InputError, match="needs TF_CONFIG with a list of workers"):
        make_strategy("multi_worker")


def test_auto_joins_the_workers_of_tf_config(monkeypatch):
    set_config(monkeypatch, cluster=WORKERS, task={"type": "worker", "index": 1})
    assert is_multi_worker("auto")
    assert not is_multi_worker("none")


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "null", "3"),
        json.dumps({"cluster": {**WORKERS, "chief": ["localhost:3"]}}),
        json.dumps({"cluster": WORKERS}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": "0"}}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": -1}}),
        json.dumps({"cluster": WORKERS, "task": 3}),
        json.dumps({"cluster": []}),
        json.dumps({"cluster": {"worker": "localhost:1"}}),
        json.dumps({"cluster": {"worker": [1, 2]}}),
    ],
)
def test_unusable_tf_config_is_refused_with_an_example(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r'TF_CONFIG must be like {"cluster": {"worker": \["HOST'):
        make_strategy("auto")


def test_tf32_is_switched_as_told():
    for tf32 in (False, True):
        prepare_devices(CONFIG, RunOptions(tf32=tf32, memory_growth=True))
        assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32


@pytest.mark.parametrize("precision", ["none", "float16", "bfloat16"])
@pytest.mark.parametrize("is_fast", [True, False])
def test_16_bits_that_the_machine_does_not_have_are_warned_of(
    monkeypatch, capsys, precision, is_fast
):
    monkeypatch.setattr(devices, "computes_in", lambda dtype: is_fast)
    prepare_devices(dataclasses.replace(CONFIG, mixed_precision=precision), RunOptions())
    is_warned = f"warning: this machine does not compute in {precision}" in capsys.readouterr().err
    assert is_warned == (precision != "none" and not is_fast)
