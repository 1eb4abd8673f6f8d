"""Networks for tests: lively ones, as pictures of fresh weights are nearly constant, and a tiny."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import get_variant
from srn_tf.weights.run_folder import checkpoint_folder, write_config

# As few operations as a network can have, for tests of what surrounds it: starting a training costs
# mostly the tracing of its graph.
TINY = dataclasses.replace(
    get_variant("SR-EDRB1"), name="tiny", scales=1, recurrent="conv", width=8, published=None
)


def lively_model(variant: str, **fields) -> ScaleRecurrentNet:
    """A small network whose finest prediction has mean 0.5 and a deviation near 0.2."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    fields = {"blocks": 1, "width": 8, **fields}
    model = build_model(dataclasses.replace(get_variant(variant), **fields))
    for variable in model.trainable_variables:
        if "bias" in variable.name:
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif "gates" in variable.name:
            variable.assign(rng.normal(0, 0.02, variable.shape))
        elif "upsample" in variable.name:
            variable.assign_add(rng.normal(0, 0.02, variable.shape))
    last = model.nets[0].out_block.conv
    images = rng.uniform(0, 1, (1, 32, 32, model.variant.channels)).astype(np.float32)
    for _ in range(2):  # the prediction of a coarser scale is an input of the next
        prediction = model(images)[0].numpy()
        gain = 0.2 / prediction.std()
        last.kernel.assign(gain * last.kernel)
        last.bias.assign(gain * (last.bias - prediction.mean((0, 1, 2))) + 0.5)
    return model


def write_run(model: ScaleRecurrentNet, run_dir: str | Path) -> Path:
    """Writes a run folder that holds `model`, as training does."""
    folder = checkpoint_folder(run_dir)
    folder.mkdir(parents=True)
    tf.train.Checkpoint(net=model).save(str(folder / "step"))
    write_config(Path(run_dir), model.variant, training={"max_steps": 1})
    return Path(run_dir)
