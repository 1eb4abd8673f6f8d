"""How much a network computes."""

from __future__ import annotations

import tensorflow as tf

from srn_tf.network.model import ScaleRecurrentNet


def gflops(model: ScaleRecurrentNet, height: int = 720, width: int = 1280) -> float:
    """10^9 floating-point operations of one image of that size, a multiply-add counted as two.

    Counts the convolutions and deconvolutions of the traced graph, all else is below 1%. Height and
    width are multiples of `size_multiple`. SRN needs 179.7 for 256x256 pixels.
    """
    image = tf.TensorSpec([1, height, width, model.variant.channels])
    operations = 0
    for op in tf.function(model).get_concrete_function(image).graph.get_operations():
        if op.type == "Conv2D":
            positions = op.outputs[0].shape  # every output position takes the whole kernel once
        elif op.type == "Conv2DBackpropInput":  # a deconvolution: every input position does
            positions = op.inputs[2].shape
        else:
            continue
        kernel = op.inputs[1].shape  # [k, k, in, out]
        operations += 2 * positions[1] * positions[2] * kernel.num_elements()
    return operations / 1e9
