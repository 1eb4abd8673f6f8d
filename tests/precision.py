"""Keras' global precision policy, set for the length of a `with` block."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def global_policy(name):
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
