"""The one Keras that the whole package uses: Keras 2, whichever TensorFlow it comes with.

Up to TensorFlow 2.15 `tf.keras` is Keras 2. Later ones bring Keras 3, which without an error saves
no weights of layers that stand in lists; there the package `tf-keras` carries Keras 2 on. Its
environment variable TF_USE_LEGACY_KERAS is not relied on: it has no effect once a program has
touched `tf.keras`.
"""

import tensorflow as tf

if tuple(int(part) for part in tf.__version__.split(".")[:2]) < (2, 16):
    from tensorflow import keras
else:
    import tf_keras as keras

__all__ = ["keras"]
