"""Keras' global precision policy, set for the length of a `with` block."""

import contextlib

from srn_tf.common.keras import keras


@contextlib.contextmanager
def global_policy(name):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
