"""Fixtures of the tests of training."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def _graphs_as_they_are_traced():
    """Leaves out TensorFlow's optimization of graphs, which takes longer than to run these."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture
def eager():
    """Runs the step without tracing it, which takes longer than running it once."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
