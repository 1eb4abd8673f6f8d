"""Which strategy is chosen, and what TF_CONFIG must say."""

import json

import pytest
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.training.devices import is_multi_worker, make_strategy, prepare_gpus

WORKERS = {"worker": ["localhost:1", "localhost:2"]}


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
    ("config", "message"),
    [
        ({"cluster": {**WORKERS, "chief": ["localhost:3"]}}, "jobs of the type 'chief'"),
        ({"cluster": WORKERS}, "must tell which of the 2 workers this is"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}, "must tell which"),
        ({"cluster": []}, "'cluster' must be of type dict"),
        ({"cluster": {"worker": "localhost:1"}}, "'worker' must be of type list"),
        ({"cluster": {"worker": [1, 2]}}, "must list addresses"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": "0"}}, "'index' must be of type"),
        ({"cluster": WORKERS, "task": 3}, "'task' must be of type dict"),
    ],
)
def test_unusable_tf_config_is_refused(monkeypatch, config, message):
    set_config(monkeypatch, **config)
    with pytest.raises(InputError, match=message):
        make_strategy("auto")


@pytest.mark.parametrize("text", ["{", "[]", "null", "3"])
def test_tf_config_that_is_no_object_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG"):
        is_multi_worker("auto")


def test_tf32_is_switched_as_told():
    for tf32 in (False, True):
        prepare_gpus(tf32=tf32, memory_growth=True)
        assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32
