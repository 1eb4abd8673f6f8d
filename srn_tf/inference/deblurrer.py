"""Deblurring photographs of any size and either depth with a trained network.

What the network asks for happens here: images are padded to a multiple of 16 by repeating their
last row and column (as the authors do), scaled to [0, 1], and the finest prediction is clipped,
rounded and cropped. A one-channel network takes R, G and B as three images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, OutOfMemory
from srn_tf.inference.tiling import TiledNetwork, as_dtype
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.weights.run_folder import load_model
from srn_tf.weights.starter import load_starter


class Deblurrer:
    """`deblurrer(image)` returns the deblurred image: same size, same dtype.

    Args:
      model: as `build_model` or `load_model` return it; None: with the starter weights.
      tile: height and width in pixels of the tiles in which large images are computed; None: the
        largest that fit into about 1 GB, none for images that fit whole.
      halo: what the tiles overlap on each side, in pixels; None: the receptive field, with which
        tiles change nothing. Less is faster and inexact.
      show_progress: show a bar over the tiles of a large image.
      on_progress: called after each tile with the share that is done, above 0 and up to 1; what it
        raises ends the work.

    Call arguments:
      image: uint8 or uint16 `[H, W, 3]`, RGB, 1x1 or larger. Other arrays raise InputError; when
        memory does not suffice or what the network gives is not finite, it is a RunError.

    Raises:
      InputError: weights that are not finite.
    """

    def __init__(
        self,
        model: ScaleRecurrentNet | None = None,
        tile: int | None = None,
        halo: int | None = None,
        show_progress: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ):
        model = model or load_starter()
        _refuse_infinite(model.variables)
        self._network = TiledNetwork(model, tile, halo, show_progress, on_progress)

    @classmethod
    def starter(cls, **options) -> Deblurrer:
        """With the weights of the package; `options` are those of the constructor."""
        return cls(load_starter(), **options)

    @classmethod
    def from_run_dir(
        cls, run_dir: str | os.PathLike, checkpoint: str = "latest", **options
    ) -> Deblurrer:
        """With the weights of a run folder; `options` are those of the constructor.

        Raises:
          InputError: no run folder, or no such checkpoint in it.
        """
        return cls(load_model(run_dir, checkpoint), **options)

    @classmethod
    def from_saved_model(cls, folder: str | os.PathLike) -> Deblurrer:
        """With a SavedModel made by `srn_tf.export`, which runs every image in one piece.

        Raises:
          InputError: no such SavedModel.
        """
        return _SavedModelDeblurrer(folder)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        right_type = image.dtype in (np.uint8, np.uint16)
        if not right_type or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(
                f"an image must be uint8 or uint16 [H, W, 3]. Received: {image.dtype} {image.shape}"
            )
        try:
            return self._deblurred(image)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            height, width, _ = image.shape
            raise OutOfMemory(
                f"out of memory for {width}x{height} pixels: take a smaller tile (--tile), or the "
                "run folder in place of a SavedModel"
            ) from None

    def _deblurred(self, image: np.ndarray) -> np.ndarray:
        height, width, _ = image.shape
        variant = self._network.variant
        pad = [(0, -size % variant.size_multiple) for size in (height, width)]
        padded = np.pad(image, [*pad, (0, 0)], mode="edge")
        if variant.channels == 3:
            (deblurred,) = self._network(padded[None])
        else:
            deblurred = self._three_gray_images(padded)
        return deblurred[:height, :width]

    def _three_gray_images(self, image: np.ndarray) -> np.ndarray:
        planes = np.moveaxis(image, -1, 0)[..., None]
        if self._network.fits(*planes.shape[:3]):
            deblurred = self._network(planes)
        else:  # one after the other: a third of the memory
            deblurred = np.concatenate([self._network(plane[None]) for plane in planes])
        return np.moveaxis(deblurred[..., 0], 0, -1)


class _SavedModelDeblurrer(Deblurrer):
    """Padding, rounding and the rest are inside the SavedModel."""

    def __init__(self, folder: str | os.PathLike):
        if not tf.saved_model.contains_saved_model(os.fspath(folder)):
            raise InputError(f"{folder} is no SavedModel (srn_tf.export writes one)")
        try:
            self._module = tf.saved_model.load(os.fspath(folder))  # owns the variables
        except (tf.errors.OpError, OSError, LookupError, ValueError) as error:
            text = (str(error).strip() or repr(error)).splitlines()[0]
            raise InputError(f"{folder} is a damaged SavedModel: {text}") from None
        self._signatures = self._module.signatures
        _refuse_foreign(self._signatures, folder)
        _refuse_infinite(getattr(self._module, "weights", ()))

    def _deblurred(self, image: np.ndarray) -> np.ndarray:
        values = tf.constant(as_dtype(image, np.float32)[None])
        (deblurred,) = self._signatures["float"](image=values)["deblurred"]
        return as_dtype(deblurred.numpy(), image.dtype)


def _refuse_infinite(variables: Iterable[tf.Variable]) -> None:
    for variable in variables:
        if variable.dtype.is_floating and not np.isfinite(variable.numpy()).all():
            raise InputError(
                f"the weights are not finite ({variable.name}): take an earlier checkpoint"
            )


def _sides(shape: tf.TensorShape) -> list[int | None] | None:
    return None if shape.rank is None else shape.as_list()


def _refuse_foreign(signatures: Mapping[str, object], folder: str | os.PathLike) -> None:
    """Refuses a SavedModel whose names, types and shapes are not those of `srn_tf.export`."""
    for name, dtype in (("serving_default", tf.uint8), ("float", tf.float32)):
        function = signatures.get(name)
        found = function and [
            {key: (spec.dtype, _sides(spec.shape)) for key, spec in specs.items()}
            for specs in (function.structured_input_signature[1], function.structured_outputs)
        ]
        inputs, outputs = ({key: (dtype, [None] * 3 + [3])} for key in ("image", "deblurred"))
        if not found or found[0] != inputs or found[1].keys() != outputs.keys():
            raise InputError(f"{folder} was not written by srn_tf.export: its signatures differ")
        if found[1]["deblurred"][0] != dtype:
            raise InputError(f"{folder} was not written by srn_tf.export: its outputs differ")
