"""Image quality as deblurring papers report it: PSNR, two kinds of SSIM, Köhler's protocol.

Images are uint8 `[H, W, 3]` RGB: what is scored is the file that is saved, and the value range is
always 255, never guessed from the data. All sums are float64, because E[x^2] - E[x]^2 loses the
digits of a float32; results are Python floats. Any other dtype, shape or a size that is too small
raises `InputError` and says what was received.

Two numbers are called SSIM in the literature, some 0.04 apart on the same images:

- `ssim`: each channel on its own (Wang et al., 2004; `tf.image.ssim`).
- `ssim_matlab`: MATLAB's `ssim()` on an RGB array, which takes the channels for the depth of a
  volume. This is the SSIM of the tables of SRN-DeblurNet and of most papers on GoPro.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import scipy.fft

from srn_tf.common.errors import InputError

_RANGE = 255
_C1 = (0.01 * _RANGE) ** 2
_C2 = (0.03 * _RANGE) ** 2
_WINDOW = 11  # taps of the Gaussian window, sigma 1.5
_MARGIN = _WINDOW // 2

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_MS_SSIM_SMALLEST = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1
# Analysis low-pass of the biorthogonal 9/7 wavelet (Cohen, Daubechies, Feauveau), from its centre.
_LOW_PASS = (
    0.852698679008894,
    0.377402855612831,
    -0.110624404418437,
    -0.023849465019557,
    0.037828455507264,
)


class Scores(NamedTuple):
    """What `scores` measures on one pair of images."""

    psnr: float
    ssim_matlab: float
    ssim: float


class KohlerScores(NamedTuple):
    """Best PSNR in dB and best multi-scale SSIM over the frames, and the index of each frame."""

    psnr: float
    mssim: float
    psnr_frame: int
    mssim_frame: int


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / MSE) over all samples of all channels.

    Takes two uint8 `[H, W, 3]` images of any one size. Identical images give infinity.
    """
    check_images(a, b)
    return _psnr(a.astype(np.float64), b.astype(np.float64))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of each channel on its own, averaged (Wang et al., 2004).

    Gaussian window of 11x11, sigma 1.5, only where it lies wholly inside the image: equal to
    `tf.image.ssim(a, b, max_val=255)`. Takes two uint8 `[H, W, 3]` images with sides >= 11.
    """
    check_images(a, b, smallest=_WINDOW)
    return _ssim_per_channel(_local_moments(a, b))


def ssim_matlab(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity as MATLAB's `ssim(a, b)` gives it for RGB arrays, the papers' SSIM.

    The image is a volume H x W x 3: Gaussian window of 11x11x11, sigma 1.5, edges replicated on all
    three axes, averaged over the whole volume. Takes two uint8 `[H, W, 3]` images of any one size.
    """
    check_images(a, b)
    return _ssim_of_volume(_local_moments(a, b))


def scores(a: np.ndarray, b: np.ndarray) -> Scores:
    """`psnr`, `ssim_matlab` and `ssim` of one pair, sharing the filtering of the two SSIMs."""
    check_images(a, b, smallest=_WINDOW)
    moments = _local_moments(a, b)
    return Scores(psnr(a, b), _ssim_of_volume(moments), _ssim_per_channel(moments))


def ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Multi-scale SSIM of two luminance planes, as Köhler's benchmark computes it.

    Five scales; at each the means of contrast and structure (Gaussian window of 11x11, sigma 1.5,
    valid region), at the coarsest also that of luminance; the result is the product of their
    powers with Wang's weights (.0448 .2856 .3001 .2363 .1333, luminance .1333). Between scales the
    9/7 wavelet's low-pass, edges mirrored, then every second sample. Where a mean structure is
    negative its power is complex, and the magnitude counts. `tf.image.ssim_multiscale` averages
    contrast x structure, shrinks by 2x2 means, and gives another number.

    Args:
      x, y: float64 `[H, W]`, luminance in [0, 255], sides >= 161 (11 at the coarsest scale).

    Raises:
      InputError: another dtype, shape or size.
    """
    _check((x, y), np.float64, (), "float64 planes [H, W]", _MS_SSIM_SMALLEST)
    product = 1.0
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        if scale:
            x, y = _halved(x), _halved(y)
        luminance, contrast, structure = _ssim_components(x, y)
        product *= (contrast * abs(structure)) ** weight
    return float(product * luminance**weight)


def kohler_scores(
    deblurred: np.ndarray, ground_truth_frames: np.ndarray | Iterable[np.ndarray]
) -> KohlerScores:
    """Scores one image of Köhler's benchmark as its authors' MATLAB code does.

    The camera's path passed many positions, each photographed sharply; deblurring may recover any
    of them. For each frame the deblurred image is scaled to the frame's brightness (least squares,
    before registration), then shifted by the whole pixels at which the plain cross-correlation of
    the channel means peaks, with zeros where nothing is shifted in; there the frame is zeroed too.
    PSNR, over the full frame, and `ms_ssim` compare the luminances 0.299 R + 0.587 G + 0.114 B.
    The best frame is taken for each metric on its own.

    Köhler et al., "Recording and Playback of Camera Shake", ECCV 2012; the benchmark's result is
    the mean of 48 images.

    Args:
      deblurred: uint8 `[H, W, 3]`, sides >= 161, not all black.
      ground_truth_frames: uint8 `[N, H, W, 3]`, or the N frames one by one.

    Raises:
      InputError: another dtype, shape or size, no frames, or a black image.
    """
    check_images(deblurred, smallest=_MS_SSIM_SMALLEST)
    z = deblurred.astype(np.float64)
    energy = np.vdot(z, z)
    if energy == 0:
        raise InputError("the deblurred image is black: it cannot be scaled to the ground truth")
    z_luminance = _luminance(z)
    z_spectrum = scipy.fft.rfft2(z.mean(axis=2))
    psnrs, mssims = [], []
    for frame in ground_truth_frames:
        check_images(deblurred, frame)
        x = frame.astype(np.float64, order="C")
        alpha = np.vdot(x, z) / energy
        # Scaling by alpha does not move the peak: one spectrum of z serves all frames.
        shift = _registration(x.mean(axis=2), z_spectrum)
        pair = _overlapping(_luminance(x), alpha * z_luminance, shift)
        psnrs.append(_psnr(*pair))
        mssims.append(ms_ssim(*pair))
    if not psnrs:
        raise InputError("kohler_scores needs at least one ground-truth frame. Received: none")
    best_psnr, best_mssim = int(np.argmax(psnrs)), int(np.argmax(mssims))
    return KohlerScores(psnrs[best_psnr], mssims[best_mssim], best_psnr, best_mssim)


def _psnr(x: np.ndarray, y: np.ndarray) -> float:
    mse = float(np.mean(np.square(x - y)))
    return 10 * math.log10(_RANGE**2 / mse) if mse else math.inf


def _smoothed(image: np.ndarray) -> np.ndarray:
    """Means under the in-plane Gaussian window, edges replicated; float64 of the same shape."""
    taps = cv2.getGaussianKernel(_WINDOW, 1.5)
    return cv2.sepFilter2D(image, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REPLICATE)


def _inside(image: np.ndarray) -> np.ndarray:
    """The valid region: where the window lies wholly inside the image."""
    return image[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _local_moments(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """E[x], E[y], E[x^2 + y^2] and E[xy] under the in-plane window, each `[H, W, 3]`."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return [_smoothed(image) for image in (x, y, x * x + y * y, x * y)]


def ssim_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Wang's SSIM of each pixel and channel of two float64 images `[H, W, 3]` in [0, 255].

    Values nearer to the border than 5 pixels are of a window that repeats the border.
    """
    return _ssim(*_local_moments(x, y))


def _ssim_per_channel(moments: list[np.ndarray]) -> float:
    return float(np.mean(_ssim(*(_inside(moment) for moment in moments))))


def _ssim_of_volume(moments: list[np.ndarray]) -> float:
    # The third pass of the separable window: row c holds the weights of the channels in output c.
    taps = cv2.getGaussianKernel(_WINDOW, 1.5)
    mixing = cv2.filter2D(np.eye(3), cv2.CV_64F, taps, borderType=cv2.BORDER_REPLICATE)
    return float(np.mean(_ssim(*(cv2.transform(moment, mixing) for moment in moments))))


def _ssim(
    mean_x: np.ndarray, mean_y: np.ndarray, mean_squares: np.ndarray, mean_xy: np.ndarray
) -> np.ndarray:
    """Wang's SSIM, which needs the two variances only as their sum."""
    product = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    numerator = (2 * product + _C1) * (2 * (mean_xy - product) + _C2)
    denominator = (squares + _C1) * (mean_squares - squares + _C2)
    return numerator / denominator


def _ssim_components(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Means of SSIM's luminance, contrast and structure over the valid region of two planes."""
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (
        _inside(_smoothed(plane)) for plane in (x, y, x * x, y * y, x * y)
    )
    # Rounding can leave the variance of a flat patch just below zero.
    variance_x = np.maximum(mean_xx - mean_x * mean_x, 0)
    variance_y = np.maximum(mean_yy - mean_y * mean_y, 0)
    covariance = mean_xy - mean_x * mean_y
    deviations = np.sqrt(variance_x * variance_y)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    contrast = (2 * deviations + _C2) / (variance_x + variance_y + _C2)
    structure = (covariance + _C2 / 2) / (deviations + _C2 / 2)
    return np.mean(luminance), np.mean(contrast), np.mean(structure)


def _halved(plane: np.ndarray) -> np.ndarray:
    taps = np.array(_LOW_PASS[:0:-1] + _LOW_PASS)
    taps /= taps.sum()
    low = cv2.sepFilter2D(plane, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(low[::2, ::2])


def _luminance(image: np.ndarray) -> np.ndarray:
    return cv2.transform(image, np.array([[0.299, 0.587, 0.114]]))


def _registration(x: np.ndarray, z_spectrum: np.ndarray) -> tuple[int, ...]:
    """Rows and columns by which z is to be shifted onto x `[H, W]`, from z's `rfft2`."""
    spectrum = scipy.fft.rfft2(x) * np.conj(z_spectrum)
    correlation = scipy.fft.irfft2(spectrum, s=x.shape)
    peak = np.unravel_index(np.argmax(correlation), x.shape)
    # The far half of the circular correlation stands for shifts up and left.
    return tuple(int(at - size if at >= size // 2 else at) for at, size in zip(peak, x.shape))


def _overlapping(
    x: np.ndarray, z: np.ndarray, shift: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """x, and z moved by `shift`, both zero where z has been moved away."""
    down, right = shift
    move = np.array([[1.0, 0, right], [0, 1, down]])
    moved, there = (
        cv2.warpAffine(plane, move, x.shape[::-1], flags=cv2.INTER_NEAREST)
        for plane in (z, np.ones_like(z))
    )
    return x * there, moved


def check_images(*images: np.ndarray, smallest: int = 1) -> None:
    """Raises InputError unless these are uint8 `[H, W, 3]` of one size with sides >= `smallest`."""
    _check(images, np.uint8, (3,), "uint8 images [H, W, 3]", smallest)


def _check(arrays: tuple, dtype: type, channels: tuple, wanted: str, smallest: int) -> None:
    kinds = [(getattr(array, "dtype", type(array)), np.shape(array)) for array in arrays]
    received = " and ".join(f"{kind} {list(shape)}" for kind, shape in kinds)
    for kind, shape in kinds:
        if kind != dtype or len(shape) != 2 + len(channels) or shape[2:] != channels:
            raise InputError(f"a metric takes {wanted}. Received: {received}")
    if len({array.shape for array in arrays}) > 1:
        raise InputError(f"a metric takes two images of one size. Received: {received}")
    if min(arrays[0].shape[:2]) < smallest:
        raise InputError(
            f"this metric needs images of at least {smallest}x{smallest} pixels. "
            f"Received: {received}"
        )
