"""Two logical CPU devices for the whole suite: the second stands in for an accelerator."""

import srn_tf  # noqa: F401  (sets TensorFlow's environment before TensorFlow is imported)

# isort: split
import tensorflow as tf

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)
