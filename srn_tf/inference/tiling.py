"""The network in tiles, for images that are too large for memory.

A prediction depends on its surroundings only as far as the receptive field of `ScaleNet`. So a
scale can be cut into tiles: each is computed with a margin (the halo) and cropped, and what the
tiles give is assembled whole (image and recurrent state) before the next finer scale starts. With
a halo of the receptive field the result is that of the network run at once, up to float rounding.
Cutting across all scales at once would need a halo seven times as wide.

Where a tile touches the border of the image its halo ends there, so that convolutions see the
zero padding they see in the whole image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import RunError
from srn_tf.inference.graph import freeze, trace
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.network.resize import image_pyramid


class Span(NamedTuple):
    """A tile along one axis.

    Attributes:
      inner: its place in the image.
      outer: the same with its halo.
      kept: the place of `inner` in `outer`.
    """

    inner: slice
    outer: slice
    kept: slice


Tile = tuple[Span, Span]  # along rows and columns


def part_of(array: np.ndarray, places: Iterable[slice], reduction: int = 1) -> np.ndarray:
    """What lies at these rows and columns in a `[B, H, W, C]` that is so many times smaller."""
    rows, columns = (slice(s.start // reduction, s.stop // reduction) for s in places)
    return array[:, rows, columns]


def spans(size: int, tile: int, halo: int, multiple: int) -> list[Span]:
    """Cuts an axis of `size` pixels into the fewest tiles, of nearly equal length.

    `tile` and `halo` are multiples of `multiple`, and so is every edge but the last.
    """
    count = -(-size // tile)
    edges = [size // multiple * i // count * multiple for i in range(count)] + [size]
    found = []
    for start, stop in zip(edges, edges[1:]):
        first = max(start - halo, 0)
        outer = slice(first, min(stop + halo, size))
        found.append(Span(slice(start, stop), outer, slice(start - first, stop - first)))
    return found


def receptive_field(model: ScaleRecurrentNet) -> int:
    """How many pixels to a side one pixel of a prediction sees at most, at its own scale.

    99 for SR-EDRB3, 188 for SRN: those to the bottom and right, where TensorFlow pads strided
    convolutions more. In a recurrent cell each convolution counts as if it followed the others.
    """
    variant, reach = model.variant, model.variant.kernel_size // 2
    stride = variant.stride
    blocks = 4 * variant.blocks * reach  # two convolutions to a block, in encoder and decoder
    down, up = (reach + 1, 1) if variant.encoder_decoder else (reach, reach)
    kernels = [v.shape for v in model.nets[0].recurrent.trainable_variables if v.shape.rank == 4]
    field = blocks + sum(shape[0] // 2 for shape in kernels)  # at the bottleneck, in its pixels
    for _ in range(2):
        field = blocks + down + stride * field + up
    return field + 2 * reach  # the first and the last convolution


class TiledNetwork:
    """A network that predicts the finest scale of integer images in bounded memory.

    Args:
      model: as `build_model` or `load_model` return it.
      halo: width of the margin in pixels; None for the receptive field. Less is faster and inexact.
    """

    def __init__(
        self,
        model: ScaleRecurrentNet,
        halo: int | None = None,
    ):
        self._model, self._variant = model, model.variant
        # Edges of tiles are whole pixels also of the state of the next coarser scale, of which
        # upsampling sees one pixel more.
        self._multiple = 2 * self._variant.downsampling
        if halo is None:
            halo = receptive_field(model) + self._multiple
        self.halo = _round_up(halo, self._multiple)
        self._functions = {}

    def __call__(
        self, blurred: np.ndarray, tile: int, on_progress: Callable[[float], None]
    ) -> np.ndarray:
        """Deblurs images in tiles.

        Args:
          blurred: uint8 or uint16 `[B, H, W, channels]`; H and W multiples of
            `variant.size_multiple`.
          tile: height and width of the tiles in pixels, without halo.
          on_progress: called after each tile with the share that is done, above 0 and up to 1.

        Returns:
          The same shape and dtype, clipped and rounded.
        """
        floats = tf.constant(as_dtype(blurred, np.float32))
        _, *coarser = image_pyramid(floats, self._variant.scales, self._variant.resize)
        del floats  # the finest scale stays in integers, a quarter of its memory
        pyramid = [blurred, *(images.numpy() for images in coarser)]
        tile = _round_up(tile, self._multiple)
        tiles = [self._tiles(images, tile) for images in pyramid]
        total, done = sum(map(len, tiles)), itertools.count(1)

        def advance():
            on_progress(next(done) / total)

        return self._model.from_coarse_to_fine(
            pyramid, lambda scale, *inputs: self._run_scale(scale, tiles[scale], advance, *inputs)
        )[0]

    def _tiles(self, images: np.ndarray, tile: int) -> list[Tile]:
        axes = (spans(size, tile, self.halo, self._multiple) for size in images.shape[1:3])
        return list(itertools.product(*axes))

    def _run_scale(
        self,
        scale: int,
        tiles: list[Tile],
        advance: Callable[[], None],
        blurred: np.ndarray,
        coarser: np.ndarray | None,
        state: list[np.ndarray] | None,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """What `at_scale` does, tile by tile; the prediction is of the dtype of `blurred`."""
        prediction, new_state = np.empty_like(blurred), []
        reduction, function = self._variant.downsampling, self._function(scale)
        for tile in tiles:
            inner, outer, kept = zip(*tile)
            inputs = [as_dtype(part_of(blurred, outer), np.float32)]
            if coarser is not None:
                inputs.append(as_dtype(part_of(coarser, outer, 2), np.float32))
                inputs += [part_of(whole, outer, 2 * reduction) for whole in state]
            part, *state_parts = (t.numpy() for t in function(*map(tf.constant, inputs)))
            part_of(prediction, inner)[:] = as_dtype(part_of(part, kept), blurred.dtype)
            if scale > 0:  # nobody reads the state of the finest scale, and it is the largest
                if not new_state:
                    batch, height, width, _ = blurred.shape
                    size = (batch, height // reduction, width // reduction)
                    new_state = [np.empty((*size, p.shape[3]), p.dtype) for p in state_parts]
                for part, whole in zip(state_parts, new_state):
                    part_of(whole, inner, reduction)[:] = part_of(part, kept, reduction)
            advance()
        return prediction, new_state

    def _function(self, scale: int) -> Callable[..., list[tf.Tensor]]:
        """`at_scale` as a graph with constant weights, made once for all sizes."""
        net, is_coarsest = self._model.nets[scale], scale == self._variant.scales - 1
        key = id(net), is_coarsest
        if key not in self._functions:
            image = tf.TensorSpec([None, None, None, self._variant.channels])
            features = [None, None, None, 4 * self._variant.width]
            state = [tf.TensorSpec(features, net.compute_dtype)] * net.recurrent.state_count

            def at_scale(blurred, *coarser):
                prediction, *state = coarser or (None,)
                return self._model.at_scale(scale, blurred, prediction, state)

            traced = trace(at_scale, *([image] if is_coarsest else [image, image, *state]))
            self._functions[key] = freeze(traced)
        return self._functions[key]


def as_dtype(image: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """Between float32 in [0, 1] and integers over their full range, clipped and rounded.

    Raises:
      RunError: floats that are not finite, which no integer can show.
    """
    if image.dtype == dtype:
        return image
    if np.issubdtype(dtype, np.integer):
        if not np.isfinite(image).all():
            raise RunError("the network's output is not finite")
        return np.rint(np.clip(image, 0, 1) * np.iinfo(dtype).max).astype(dtype)
    return image.astype(dtype) / dtype(np.iinfo(image.dtype).max)


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
