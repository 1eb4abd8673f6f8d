"""PSNR and SSIM after registration, as RealBlur's benchmark defines them."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.evaluation.metrics import check_images, ssim_map

_ITERATIONS = 100
_ECC_FILTER = 5  # pixels, of the Gaussian filter before registration
_BORDER = 5  # half of SSIM's window: sigma 1.5, cut off at 3.5 of it


class RegisteredScores(NamedTuple):
    """What `registered_scores` measures; `aligned` is 1, or 0 where registration failed."""

    psnr: float
    ssim: float
    aligned: float


def registered_scores(deblurred: np.ndarray, sharp: np.ndarray) -> RegisteredScores:
    """Scores one image of RealBlur as its authors' code does.

    In floats over [0, 1], with the truth x: the deblurred image z is scaled by sum(x z)/sum(z z);
    a homography onto x is found on gray images (ECC, 100 iterations); z is warped by it (bicubic,
    reflected border), and so is a mask of ones (nearest, zero border), which multiplies both
    images. PSNR is 10 log10(1 / (sum of squared differences / sum of the mask)). SSIM is that of
    scikit-image for each channel (Gaussian window, sigma 1.5, population covariance, range 1),
    its map times the mask, 5 pixels cropped off, summed and divided by the sum of the mask, and
    averaged over the channels.

    Where ECC does not converge, or leaves nothing of the image, the images are compared as they
    are.

    Args:
      deblurred, sharp: uint8 `[H, W, 3]` of one size, sides >= 11; `deblurred` not all black.

    Raises:
      InputError: another dtype, shape or size, or a black image.
    """
    check_images(deblurred, sharp, smallest=2 * _BORDER + 1)
    x, z = sharp / 255, deblurred / 255
    energy = np.vdot(z, z)
    if energy == 0:
        raise InputError("the deblurred image is black: it cannot be scaled to the truth")
    z *= np.vdot(x, z) / energy
    mask, aligned = np.ones_like(x), 0.0
    homography = _homography(x, z)
    if homography is not None:
        warped_mask = _warped(mask, homography, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        if _inner(warped_mask).any():
            z = _warped(z, homography, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)
            mask, aligned = warped_mask, 1.0
    x, z = x * mask, z * mask
    error = np.sum(np.square(x - z)) / np.sum(mask)
    psnr = 10 * math.log10(1 / error) if error else math.inf
    return RegisteredScores(psnr, _masked_ssim(x, z, mask), aligned)


def _homography(x: np.ndarray, z: np.ndarray) -> np.ndarray | None:
    """The 3x3 matrix from coordinates of x to those of z; None where ECC does not converge."""
    grays = (cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY) for image in (x, z))
    criteria = (cv2.TERM_CRITERIA_COUNT, _ITERATIONS, 0)
    start = np.eye(3, dtype=np.float32)
    try:
        _, found = cv2.findTransformECC(
            *grays, start, cv2.MOTION_HOMOGRAPHY, criteria, None, _ECC_FILTER
        )
    except cv2.error:
        return None
    return found if np.isfinite(found).all() else None


def _warped(image: np.ndarray, homography: np.ndarray, method: int, border: int) -> np.ndarray:
    height, width, _ = image.shape
    flags = method | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(image, homography, (width, height), flags=flags, borderMode=border)


def _inner(image: np.ndarray) -> np.ndarray:
    return image[_BORDER:-_BORDER, _BORDER:-_BORDER]


def _masked_ssim(x: np.ndarray, z: np.ndarray, mask: np.ndarray) -> float:
    sums = _inner(ssim_map(255 * x, 255 * z) * mask).sum(axis=(0, 1))
    return float(np.mean(sums / _inner(mask).sum(axis=(0, 1))))
