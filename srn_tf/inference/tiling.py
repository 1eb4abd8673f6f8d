"""The network scale by scale, each in tiles where it is too large for memory.

A prediction depends on its surroundings only as far as the receptive field of `ScaleNet`. So a
scale can be cut into tiles: each is computed with a margin (the halo) and cropped, and what the
tiles give is assembled whole (image and recurrent state) before the next finer scale starts. With
a halo of the receptive field the result is that of the network run at once, up to float rounding.
Cutting across all scales at once would need a halo seven times as wide.

Where a tile touches the border of the image its halo ends there, so that convolutions see the
zero padding they see in the whole image. Tiles start at multiples of the network's downsampling,
because a strided convolution of a shifted crop would sample other pixels.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.progress import Progress
from srn_tf.network.model import WIDTHS, ScaleNet, ScaleRecurrentNet
from srn_tf.network.resize import halve
from srn_tf.network.upsampling import REACH

# What a tile and its halo may measure, in pixels times images of a batch: the feature maps of the
# paper's network then need about 1 GB. Without strides they are wider at full size, by this factor.
_LARGEST_AREA = 1200**2
_FLAT_FACTOR = WIDTHS[-1] // WIDTHS[0]
_SMALLEST_TILE = 64  # for networks whose halo alone is larger than that

_STRIP = 512  # rows of an image that are halved at a time; even


class Span(NamedTuple):
    """One tile along one axis: `start:stop` is kept of what `outer_start:outer_stop` gives."""

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def core(self) -> slice:
        """What the tile is responsible for, in the image."""
        return slice(self.start, self.stop)

    @property
    def outer(self) -> slice:
        """The core and its halo, in the image."""
        return slice(self.outer_start, self.outer_stop)

    @property
    def inner(self) -> slice:
        """The core, in the tile."""
        return slice(self.start - self.outer_start, self.stop - self.outer_start)

    def reduced(self, factor: int) -> Span:
        """The same in a feature map `factor` times as small."""
        return Span(*(edge // factor for edge in self))


def exact_halo(net: ScaleNet) -> int:
    """The smallest halo that changes nothing: 100 pixels for SR-EDRB3, 188 for SRN."""
    return _round_up(int(max(net.reach)), net.variant.downsampling)


def spans(size: int, tile: int, halo: int, multiple: int) -> list[Span]:
    """Cuts an axis of `size` pixels into the fewest tiles, of nearly equal length.

    `size`, `tile` and `halo` are multiples of `multiple`, and so is every edge.
    """
    count = -(-size // tile)
    edges = [size // multiple * i // count * multiple for i in range(count + 1)]
    return [
        Span(start, stop, max(start - halo, 0), min(stop + halo, size))
        for start, stop in zip(edges, edges[1:])
    ]


class TiledNetwork:
    """A network that predicts the finest scale of an image of any size in bounded memory.

    Args:
      model: as `build_model` or `load_model` return it.
      tile: height and width of the tiles in pixels, without halo; None for as large as fits into
        about 1 GB, and the whole image when that does.
      halo: width of the margin in pixels; None for the receptive field. Less is faster and inexact.
      show_progress: show a bar while there is more than one tile to a scale.
      on_progress: called after each tile with the share that is done, above 0 and up to 1; what it
        raises ends the work.

    Raises:
      InputError: tile below 1 or halo below 0.
    """

    def __init__(
        self,
        model: ScaleRecurrentNet,
        tile: int | None = None,
        halo: int | None = None,
        show_progress: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ):
        if (tile is not None and tile < 1) or (halo is not None and halo < 0):
            raise InputError(f"tile must be positive and halo not negative: {tile}, {halo}")
        self.variant = model.variant
        multiple = self.variant.downsampling
        self._tile = None if tile is None else _round_up(tile, multiple)
        self._halo = exact_halo(model.nets[0]) if halo is None else _round_up(halo, multiple)
        self._show_progress = show_progress
        self._on_progress = on_progress
        functions = {net: _as_function(net) for net in model.nets}
        self._functions = [functions[net] for net in model.nets]
        self._upsample_image, self._upsample_state = model.upsample_image, model.upsample_state

    def fits(self, batch: int, height: int, width: int) -> bool:
        """Whether the finest scale of such a batch is computed in one piece."""
        return len(self._tiles(batch, height, width)) == 1

    def __call__(self, blurred: np.ndarray) -> np.ndarray:
        """Deblurs integer images.

        Args:
          blurred: uint8 or uint16 `[B, H, W, channels]`; H and W multiples of
            `variant.size_multiple`.

        Returns:
          The same shape and dtype, clipped and rounded.
        """
        pyramid = [blurred]
        while len(pyramid) < self.variant.scales:
            pyramid.append(_halved(pyramid[-1], self.variant.resize))
        tiles = [self._tiles(*images.shape[:3]) for images in pyramid]
        result, done = None, 0
        total = sum(_area(rows, cols) for level in tiles for rows, cols in level)

        def advance(area: int) -> None:
            nonlocal done
            done += area
            bar.update(area)
            if self._on_progress is not None:
                self._on_progress(done / total)

        shown = self._show_progress and len(tiles[0]) > 1
        bar = Progress("tiles", total, "pixel", scale=True, lines=shown, bar=shown)
        with contextlib.closing(bar):
            for level in reversed(range(self.variant.scales)):
                # Popped, so that no image is held longer than needed.
                result = self._run_scale(level, pyramid.pop(), tiles[level], result, advance)
        return result.prediction

    def _run_scale(
        self,
        level: int,
        blurred: np.ndarray,
        tiles: list[tuple[Span, Span]],
        coarse: _Result | None,
        advance: Callable[[int], None],
    ) -> _Result:
        """The prediction, of the dtype of `blurred`, and the state; level 0, the finest, has none.

        Nobody would read the state of the finest scale, and it is the largest.
        """
        batch, height, width, _ = blurred.shape
        reduction = self.variant.downsampling
        count = len(self._upsample_state) if level else 0
        state_shape = (batch, height // reduction, width // reduction, WIDTHS[-1])
        result = _Result(
            np.empty_like(blurred), [np.empty(state_shape, np.float32) for _ in range(count)]
        )
        for rows, cols in tiles:
            prediction, state = self._run_tile(level, blurred, rows, cols, coarse)
            result.prediction[:, rows.core, cols.core] = as_dtype(
                prediction[:, rows.inner, cols.inner].numpy(), blurred.dtype
            )
            rows_, cols_ = rows.reduced(reduction), cols.reduced(reduction)
            for whole, tensor in zip(result.state, state):
                whole[:, rows_.core, cols_.core] = tensor[:, rows_.inner, cols_.inner]
            advance(_area(rows, cols))
        return result

    def _run_tile(
        self, level: int, blurred: np.ndarray, rows: Span, cols: Span, coarse: _Result | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`ScaleNet` on one tile with its halo."""
        images = as_dtype(blurred[:, rows.outer, cols.outer], np.float32)
        rows_, cols_ = (span.reduced(self.variant.downsampling) for span in (rows, cols))
        if coarse is None:
            prediction = images
            shape = (len(images), _length(rows_.outer), _length(cols_.outer), WIDTHS[-1])
            state = [tf.zeros(shape)] * len(self._upsample_state)
        else:
            prediction = _enlarged(self._upsample_image, coarse.prediction, rows.outer, cols.outer)
            state = [
                _enlarged(upsample, tensor, rows_.outer, cols_.outer)
                for upsample, tensor in zip(self._upsample_state, coarse.state)
            ]
        return self._functions[level](tf.concat([images, prediction], axis=-1), state)

    def _tiles(self, batch: int, height: int, width: int) -> list[tuple[Span, Span]]:
        multiple, tile = self.variant.downsampling, self._tile
        if tile is None:
            area = _LARGEST_AREA // batch
            if not self.variant.encoder_decoder:
                area //= _FLAT_FACTOR
            if height * width <= area:
                tile = max(height, width)
            else:
                tile = max(math.isqrt(area) - 2 * self._halo, _SMALLEST_TILE) // multiple * multiple
        rows, cols = (spans(size, tile, self._halo, multiple) for size in (height, width))
        return list(itertools.product(rows, cols))


class _Result(NamedTuple):
    """What one scale hands to the next: `[B, H, W, C]`, and tensors of the size of the state."""

    prediction: np.ndarray
    state: list[np.ndarray]


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


def _as_function(net: ScaleNet) -> tf.types.experimental.GenericFunction:
    """`net` as a graph that is traced once for all sizes."""
    features = tf.TensorSpec([None, None, None, WIDTHS[-1]])
    signature = (
        tf.TensorSpec([None, None, None, 2 * net.variant.channels]),
        [features] * net.recurrent.state_count,
    )
    return tf.function(lambda images, state: net(images, state), input_signature=signature)


def _halved(images: np.ndarray, rule: str) -> np.ndarray:
    """Half the size as float32, a strip at a time: integers are never held as floats at once."""
    strips = (images[:, top : top + _STRIP] for top in range(0, images.shape[1], _STRIP))
    return np.concatenate(
        [halve(tf.constant(as_dtype(strip, np.float32)), rule).numpy() for strip in strips], axis=1
    )


def _enlarged(
    upsample: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray, rows: slice, cols: slice
) -> tf.Tensor:
    """What `upsample(images)[:, rows, cols]` would be, computed from that neighbourhood alone."""
    crop, inside = [slice(None)], [slice(None)]
    for span, size in zip((rows, cols), images.shape[1:3]):
        start = max(span.start // 2 - REACH, 0)
        stop = min(-(-span.stop // 2) + REACH, size)
        crop.append(slice(start, stop))
        inside.append(slice(span.start - 2 * start, span.stop - 2 * start))
    return upsample(tf.constant(images[tuple(crop)]))[tuple(inside)]


def _length(span: slice) -> int:
    return span.stop - span.start


def _area(rows: Span, cols: Span) -> int:
    return _length(rows.outer) * _length(cols.outer)


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
