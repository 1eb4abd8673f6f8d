"""For the whole suite: no GPU, and two logical CPU devices, of which the second stands in for one.

Processes that tests start inherit it. `make test-gpu` alone shows the GPU to its few tests.
Files are not sent to the disk at once, as no test outlives a power cut.
"""

import os

import pytest

_ON_GPU = os.environ.get("SRN_TEST_GPU") == "1"
if not _ON_GPU:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from srn_tf.common.start import start_tensorflow  # noqa: E402

start_tensorflow()
import tensorflow as tf  # noqa: E402

if _ON_GPU:
    tf.config.experimental.enable_tensor_float_32_execution(False)
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True, scope="session")
def _no_fsync():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield
