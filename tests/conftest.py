"""For the whole suite: two logical CPU devices, the second standing in for an accelerator.

Files are not sent to the disk at once, as no test outlives a power cut.
"""

import os

import pytest

import srn_tf  # noqa: F401  (sets TensorFlow's environment before TensorFlow is imported)

# isort: split
import tensorflow as tf

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True, scope="session")
def _no_fsync():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield
