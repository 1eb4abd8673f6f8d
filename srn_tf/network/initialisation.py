"""A start for short schedules: a new network that returns its input. Not in the paper.

Under Xavier initialisation (the paper's, and the default) the deep network first has to learn to
hand the image through, which takes longer than a demonstration lasts. Here it begins with that:
images are not negative, so a kernel that copies a channel passes them through ReLU unchanged.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleNet, ScaleRecurrentNet

_QUIET = 0.01  # scale of what would disturb the copied channels; at zero, ReLU would never wake up


def start_as_identity(model: ScaleRecurrentNet) -> None:
    """Changes freshly initialised weights so that every scale predicts nearly its blurred image.

    The first `channels` feature maps of the path through the network's full resolution carry the
    image: its convolutions copy them, second convolutions of ResBlocks start at zero and the
    deconvolutions that are added to that path start small. All other weights stay as they are.

    Raises:
      InputError: a recurrent module without an encoder-decoder around it, through which no image
        passes unchanged.
    """
    variant = model.variant
    if not variant.encoder_decoder and variant.recurrent not in ("conv", "none"):
        raise InputError(
            f"{variant.name}: a {variant.recurrent} without encoder and decoder cannot start as the"
            " identity: pass --start=xavier"
        )
    for net in {id(net): net for net in model.nets}.values():
        _start_net(net)


def _start_net(net: ScaleNet) -> None:
    channels = net.variant.channels
    stages = [net.in_block, net.eblock1, net.eblock2, net.dblock1, net.dblock2, net.out_block]
    on_path = [net.in_block, net.out_block] if net.variant.encoder_decoder else stages
    for stage in stages:
        for block in stage.blocks:
            if block.skip:
                block.conv2.kernel.assign(tf.zeros_like(block.conv2.kernel))
            elif stage in on_path:
                _copy_channels(block.conv1, channels)
                _copy_channels(block.conv2, channels)
    _copy_channels(net.in_block.conv, channels)
    _copy_channels(net.out_block.conv, channels)
    if net.variant.encoder_decoder:
        kernel = net.dblock2.up.kernel.numpy()  # [4, 4, out, in]
        kernel[:, :, :channels] *= _QUIET
        net.dblock2.up.kernel.assign(kernel)
    else:
        for layer in (net.eblock1.conv, net.eblock2.conv, net.dblock1.up, net.dblock2.up):
            _copy_channels(layer, channels)
        if net.variant.recurrent == "conv":
            _copy_channels(net.recurrent.conv, channels)


def _copy_channels(layer: keras.layers.Conv2D, channels: int) -> None:
    kernel = layer.kernel.numpy()  # [k, k, in, out]
    kernel[..., :channels] *= _QUIET
    centre = kernel.shape[0] // 2
    kernel[centre, centre, :channels, :channels] += np.eye(channels)
    layer.kernel.assign(kernel)
