"""Deblurring photographs of any size and either depth with a trained network."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from srn_tf.common.errors import InputError, OutOfMemory, RunError
from srn_tf.common.folders import tensorflow_path
from srn_tf.common.hardware import PRECISIONS, available_memory, choose_precision
from srn_tf.inference.graph import freeze, in_precision, on_any_size, trace_deblurring
from srn_tf.inference.tiling import TiledNetwork, as_dtype
from srn_tf.media.images import read_image
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.network.variants import Variant
from srn_tf.weights.run_folder import load_model
from srn_tf.weights.starter import load_starter

_SMALLEST_TILE = 64  # for networks whose halo alone is larger than what fits into memory


class Deblurrer:
    """`deblurrer(image)` returns the deblurred image: same size, same dtype.

    An image that fits into half of the available memory is computed in one call, a larger one in
    tiles. The weights become constants when the first image is deblurred: whoever changes those of
    `model` later calls `refresh`.

    Args:
      model: as `build_model` or `load_model` return it; None: with the starter weights.
      tile: height and width in pixels of the tiles in which all images are computed; None: none
        for images that fit into memory, the largest that fit for others.
      halo: what the tiles overlap on each side, in pixels; None: the receptive field, with which
        tiles change nothing. Less is faster and inexact.
      precision: "float32", "bfloat16" or "auto": bfloat16 where the processor or the GPU computes
        in it, which is nearly twice as fast and changes some values by a gray level or two.

    Call arguments:
      image: a PIL image, the path of an image file, or an array, uint8 or uint16 `[H, W, 3]`, RGB,
        1x1 or larger. Returned is an array.
      on_progress: called after each tile with the share that is done, above 0 and up to 1; what it
        raises ends the work. An image in one piece is one tile.

    Raises:
      InputError: meaningless options; when called, an image that is none of these.
      RunError: when called: memory does not suffice, what the network gives is not finite, or the
        process is a fork of one that has deblurred.
    """

    def __init__(
        self,
        model: ScaleRecurrentNet | None = None,
        tile: int | None = None,
        halo: int | None = None,
        precision: str = "auto",
    ):
        _refuse_fork()
        if tile is not None and tile < 1:
            raise InputError(f"tile must be positive: {tile}")
        if halo is not None and halo < 0:
            raise InputError(f"halo must be positive or 0: {halo}")
        if precision not in PRECISIONS:
            raise InputError(f"precision must be one of {', '.join(PRECISIONS)}: {precision!r}")
        self._source = model or load_starter()
        self._model = in_precision(self._source, choose_precision(precision))
        self._tile = tile
        self._tiled = TiledNetwork(self._model, halo)

    @classmethod
    def starter(cls, **options) -> Deblurrer:
        """With the weights of the package; `options` are those of the constructor."""
        return cls(None, **options)

    @classmethod
    def from_run_dir(
        cls, run_dir: str | os.PathLike, checkpoint: str = "latest", **options
    ) -> Deblurrer:
        """With the weights of a run folder; `options` are those of the constructor.

        Raises:
          InputError: no run folder, or no such checkpoint in it.
        """
        _refuse_fork()
        return cls(load_model(run_dir, checkpoint), **options)

    @classmethod
    def from_saved_model(cls, folder: str | os.PathLike) -> Deblurrer:
        """With a SavedModel made by `srn_tf.export`, which runs every image in one piece.

        Raises:
          InputError: no such SavedModel.
        """
        _refuse_fork()
        return _SavedModelDeblurrer(folder)

    def refresh(self) -> None:
        """Takes over the present weights of the model."""
        if self._model is not self._source:
            self._model.set_weights(self._source.get_weights())
        self.__dict__.pop("_graph", None)
        self._tiled = TiledNetwork(self._model, self._tiled.halo)

    def __call__(
        self,
        image: np.ndarray | PIL.Image.Image | str | os.PathLike,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> np.ndarray:
        _refuse_fork()
        image = _as_array(image)
        height, width, _ = image.shape
        for tile in self._tiles_to_try(height, width):
            with contextlib.suppress(tf.errors.ResourceExhaustedError, MemoryError):
                if tile is not None:
                    return self._in_tiles(image, tile, on_progress)
                deblurred = self._whole(image)
                on_progress(1.0)
                return deblurred
        raise OutOfMemory(
            f"out of memory for {width}x{height} pixels: take a smaller tile (--tile), or the "
            "run folder in place of a SavedModel"
        )

    def _tiles_to_try(self, height: int, width: int) -> Iterator[int | None]:
        """Sides of tiles, None for none; each for when memory does not suffice for the one before.

        That happens on GPUs, whose memory nobody can ask for.
        """
        if self._tile is not None:
            yield self._tile
            return
        pixels = height * width
        area = min(available_memory() // 2 // bytes_per_pixel(self._model.variant), pixels)
        for share in (1, 4, 16, 64):
            if pixels <= area // share:
                yield None
            else:
                yield max(math.isqrt(area // share) - 2 * self._tiled.halo, _SMALLEST_TILE)

    def _whole(self, image: np.ndarray) -> np.ndarray:
        (deblurred,) = self._graph(tf.constant(as_dtype(image, np.float32)[None]))
        return as_dtype(deblurred[0].numpy(), image.dtype)

    def _in_tiles(
        self, image: np.ndarray, tile: int, on_progress: Callable[[float], None]
    ) -> np.ndarray:
        deblurred = on_any_size(
            tf.constant(image[None]),
            self._model.variant,
            lambda images: tf.constant(self._tiled(images.numpy(), tile, on_progress)),
        )
        return deblurred[0].numpy()

    @functools.cached_property
    def _traced(self) -> tf.types.experimental.ConcreteFunction:
        return trace_deblurring(self._model)

    @functools.cached_property
    def _graph(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        return freeze(self._traced)


class _SavedModelDeblurrer(Deblurrer):
    """Padding and the rest are inside the SavedModel, which runs every image whole."""

    def __init__(self, folder: str | os.PathLike):
        path = tensorflow_path(folder)
        if not tf.saved_model.contains_saved_model(path):
            raise InputError(f"{folder} is no SavedModel (srn_tf.export writes one)")
        try:
            self._module = tf.saved_model.load(path)  # owns the function
            function = self._module.signatures["float"]
        except (tf.errors.OpError, OSError, LookupError, ValueError) as error:
            text = (str(error).strip() or repr(error)).splitlines()[0]
            raise InputError(f"{folder} is damaged or not from srn_tf.export: {text}") from None
        self._graph = lambda image: function(image=image).values()

    def _tiles_to_try(self, height: int, width: int) -> Iterator[int | None]:
        yield None


_process = None  # which one has started TensorFlow's threads


def _refuse_fork() -> None:
    global _process
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise RunError(
            "TensorFlow does not run in a fork of a process that has used it: "
            'make the pool with multiprocessing.get_context("spawn")'
        )


def _as_array(image: np.ndarray | PIL.Image.Image | str | os.PathLike) -> np.ndarray:
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image)
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
    elif isinstance(image, PIL.Image.Image) and image.mode in ("RGB", "L", "P", "1"):
        image = np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))
    if not (
        isinstance(image, np.ndarray)
        and image.dtype in (np.uint8, np.uint16)
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size
    ):
        raise InputError(
            "an image must be a path, a PIL image or an array, uint8 or uint16 [H, W, 3]. "
            "Received: "
            + (f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image))
        )
    return image


def bytes_per_pixel(variant: Variant) -> int:
    """What the feature maps of a photograph need at their peak, measured with both TensorFlows."""
    maps = 6 if variant.encoder_decoder else 16
    return 4 * variant.width * maps * (3 // variant.channels)
