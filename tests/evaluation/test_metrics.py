"""Metrics against plain convolutions, scikit-image, TensorFlow and sums done by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import skimage.metrics
import skimage.registration

from srn_tf.common.errors import InputError
from srn_tf.evaluation import metrics

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def texture(height, width, seed=0):
    """A smooth random picture with contrast at several scales, uint8 [H, W, 3]."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    layers = [scipy.ndimage.gaussian_filter(noise, (sigma, sigma, 0)) for sigma in (1, 3, 9)]
    picture = sum(layer / layer.std() for layer in layers)
    return np.clip(128 + 30 * picture, 0, 255).astype(np.uint8)


def noisy(image, deviation=12, seed=1):
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def gaussian(dimensions):
    steps = np.arange(-5, 6)
    taps = np.exp(-(steps**2) / (2 * 1.5**2))
    kernel = taps
    for _ in range(dimensions - 1):
        kernel = np.multiply.outer(kernel, taps)
    return kernel / kernel.sum()


def statistics(x, y, window):
    """Means, variances and covariance under `window`, by direct convolution, valid region."""

    def mean(values):
        return scipy.signal.convolve(values, window, mode="valid", method="direct")

    mean_x, mean_y = mean(x), mean(y)
    covariance = mean(x * y) - mean_x * mean_y
    return mean_x, mean_y, mean(x * x) - mean_x**2, mean(y * y) - mean_y**2, covariance


def luminance(image):
    return 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]


def direct_ms_ssim(x, y):
    """Köhler's MS-SSIM written out, and the mean structure of every scale."""
    # The 9/7 analysis low-pass in JPEG 2000's normalisation, which sums to 1.
    half = [0.602949018236, 0.266864118443, -0.078223266529, -0.016864118443, 0.026748757411]
    taps = np.array(half[:0:-1] + half)
    low_pass = np.outer(taps, taps) / np.outer(taps, taps).sum()
    result, structures = complex(1), []
    for scale, weight in enumerate(WEIGHTS):
        mean_x, mean_y, variance_x, variance_y, covariance = statistics(x, y, gaussian(2))
        sigma_x, sigma_y = np.sqrt(np.maximum(variance_x, 0)), np.sqrt(np.maximum(variance_y, 0))
        contrast = np.mean((2 * sigma_x * sigma_y + C2) / (variance_x + variance_y + C2))
        structures.append(np.mean((covariance + C2 / 2) / (sigma_x * sigma_y + C2 / 2)))
        result *= complex(contrast) ** weight * complex(structures[-1]) ** weight
        if scale == 4:
            result *= np.mean((2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)) ** 0.1333
        x, y = (
            scipy.signal.convolve(np.pad(plane, 4, "symmetric"), low_pass, "valid", "direct")
            for plane in (x, y)
        )
        x, y = x[::2, ::2], y[::2, ::2]
    return abs(result), structures


def direct_kohler(deblurred, frames):
    """PSNR and MS-SSIM for every frame, each step of the protocol on full RGB images."""
    z = deblurred.astype(np.float64)
    psnrs, mssims = [], []
    for x in np.asarray(frames, np.float64):
        scaled = (x * z).sum() / (z * z).sum() * z
        shift, _, _ = skimage.registration.phase_cross_correlation(
            x.mean(axis=2), scaled.mean(axis=2), normalization=None
        )
        moved, mask = (
            scipy.ndimage.shift(image, (*shift, 0), order=0) for image in (scaled, np.ones_like(z))
        )
        pair = luminance(x * mask), luminance(moved)
        psnrs.append(10 * np.log10(255**2 / np.mean((pair[0] - pair[1]) ** 2)))
        mssims.append(direct_ms_ssim(*pair)[0])
    return psnrs, mssims


def test_psnr_by_hand():
    a = np.full((4, 5, 3), 100, np.uint8)
    b = a.copy()
    b[0, 0] = (90, 120, 100)
    assert metrics.psnr(a, b) == pytest.approx(10 * math.log10(255**2 * 60 / (100 + 400)), abs=1e-9)


def test_psnr_is_least_for_black_against_white_and_infinite_for_equal_images():
    black, white = np.zeros((1, 2, 3), np.uint8), np.full((1, 2, 3), 255, np.uint8)
    assert metrics.psnr(black, white) == 0
    assert metrics.psnr(white, white) == float("inf")


@pytest.mark.parametrize("size", [(11, 11), (37, 26)])
def test_ssim_equals_scikit_image_and_tensorflow(size):
    import tensorflow as tf

    a, b = texture(*size), noisy(texture(*size))
    expected = skimage.metrics.structural_similarity(
        a,
        b,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=1e-9)
    # TensorFlow computes in float32: some 1e-6 of the difference are its own.
    assert metrics.ssim(a, b) == pytest.approx(float(tf.image.ssim(a, b, max_val=255)), abs=1e-5)


@pytest.mark.parametrize("size", [(5, 3), (11, 40), (31, 24)])
def test_ssim_matlab_equals_a_direct_convolution_of_the_volume(size):
    a = texture(*size)
    x, y = (np.pad(image.astype(np.float64), 5, "edge") for image in (a, noisy(a)))
    mean_x, mean_y, variance_x, variance_y, covariance = statistics(x, y, gaussian(3))
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    denominator = (mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)
    expected = np.mean(numerator / denominator)
    assert metrics.ssim_matlab(a, noisy(a)) == pytest.approx(expected, abs=1e-9)


def test_scores_are_the_three_metrics_as_python_floats():
    a, b = texture(40, 30), noisy(texture(40, 30))
    scores = metrics.scores(a, b)
    assert scores == (metrics.psnr(a, b), metrics.ssim_matlab(a, b), metrics.ssim(a, b))
    assert scores._fields == ("psnr", "ssim_matlab", "ssim")
    assert all(type(value) is float for value in scores)


@pytest.mark.parametrize("size", [(161, 161), (178, 195)])
def test_ms_ssim_equals_the_formula_written_out(size):
    a = texture(*size)
    x, y = luminance(a), luminance(noisy(a, deviation=25))
    expected, _ = direct_ms_ssim(x, y)
    assert expected < 0.99
    assert metrics.ms_ssim(x, y) == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_of_a_negative_structure_is_the_magnitude_of_the_complex_power():
    x = luminance(texture(161, 165))
    expected, structures = direct_ms_ssim(x, 255 - x)
    assert min(structures) < 0
    assert metrics.ms_ssim(x, 255 - x) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", [0, 77.3, 200.1, 255])
def test_ms_ssim_of_a_flat_plane_survives_rounding(level):
    flat, y = np.full((161, 165), float(level)), luminance(texture(161, 165))
    assert metrics.ms_ssim(flat, y) == pytest.approx(direct_ms_ssim(flat, y)[0], abs=1e-6)
    assert metrics.ms_ssim(y, flat) == metrics.ms_ssim(flat, y)


def test_kohler_scales_the_image_to_the_frame_exactly():
    z = texture(161, 170) // 2
    scores = metrics.kohler_scores(z, (2 * z)[None])
    assert scores.psnr == float("inf")
    assert scores.mssim == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("rows_columns", [(3, -5), (-4, 7)])
def test_kohler_undoes_a_whole_pixel_shift(rows_columns):
    down, right = rows_columns
    picture = texture(200, 210)
    z = picture[20:185, 20:190]
    x = picture[20 - down : 185 - down, 20 - right : 190 - right]
    # Content moved down and right: where both images show the same, they differ by alpha alone.
    alpha = np.vdot(x.astype(float), z.astype(float)) / np.vdot(z.astype(float), z.astype(float))
    overlap = np.zeros((165, 170))
    overlap[max(down, 0) : 165 + min(down, 0), max(right, 0) : 170 + min(right, 0)] = 1
    frame = luminance(x) * overlap
    mse = (1 - alpha) ** 2 * np.mean(frame**2)
    scores = metrics.kohler_scores(z, [x])
    assert abs(1 - alpha) > 1e-4
    assert scores.psnr == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-6)
    assert scores.mssim == pytest.approx(direct_ms_ssim(frame, alpha * frame)[0], abs=1e-9)


def test_kohler_equals_the_protocol_written_out():
    picture = texture(190, 200)
    z = noisy(picture[10:175, 10:180])
    frames = [
        noisy(picture[top : top + 165, left : left + 170] // 2, 3, seed=top)
        for top, left in ((12, 10), (4, 19), (10, 10))
    ]
    psnrs, mssims = direct_kohler(z, frames)
    for frame, psnr, mssim in zip(frames, psnrs, mssims):
        scores = metrics.kohler_scores(z, frame[None])
        assert scores.psnr == pytest.approx(psnr, abs=1e-6)
        assert scores.mssim == pytest.approx(mssim, abs=1e-6)
    scores = metrics.kohler_scores(z, np.stack(frames))
    assert scores.psnr == pytest.approx(max(psnrs), abs=1e-6)
    assert scores.mssim == pytest.approx(max(mssims), abs=1e-6)


def test_kohler_takes_the_best_frame_for_each_metric_on_its_own():
    z = texture(165, 170)
    ramp = np.linspace(0.9, 1.1, 170)[:, None]
    lit_unevenly = np.clip(z * ramp, 0, 255).astype(np.uint8)
    frames = [noisy(z, 40), lit_unevenly, noisy(z, 10), noisy(z, 30)]
    scores = metrics.kohler_scores(z, iter(frames))
    assert (scores.psnr_frame, scores.mssim_frame) == (2, 1)
    assert scores.psnr == metrics.kohler_scores(z, [frames[2]]).psnr
    assert scores.mssim == metrics.kohler_scores(z, [frames[1]]).mssim
    assert type(scores.psnr) is float
    assert type(scores.mssim) is float


IMAGE, PLANE = texture(165, 170), np.zeros((170, 170))


@pytest.mark.parametrize(
    ("metric", "a", "b", "message"),
    [
        (metrics.psnr, IMAGE / 1.0, IMAGE, r"float64 \[165, 170, 3\]"),
        (metrics.ssim, IMAGE, IMAGE[..., 0], r"uint8 \[165, 170\]"),
        (metrics.ssim_matlab, IMAGE[..., [0, 1, 2, 0]], IMAGE, r"\[165, 170, 4\]"),
        (metrics.scores, IMAGE, IMAGE[1:], "two images of one size"),
        (metrics.psnr, IMAGE[:0], IMAGE[:0], r"\[0, 170, 3\]"),
        (metrics.psnr, [[0, 0, 0]], IMAGE, "list"),
        (metrics.ssim, IMAGE[:10], IMAGE[:10], r"11x11 pixels.*\[10, 170, 3\]"),
        (metrics.scores, IMAGE[:10], IMAGE[:10], "11x11 pixels"),
        (metrics.ms_ssim, PLANE[:160], PLANE[:160], r"161x161 pixels.*\[160, 170\]"),
        (metrics.ms_ssim, PLANE.astype(np.float32), PLANE, r"float32 \[170, 170\]"),
        (metrics.ms_ssim, IMAGE / 1.0, IMAGE / 1.0, r"float64 \[165, 170, 3\]"),
        (metrics.kohler_scores, IMAGE, [IMAGE[1:]], r"\[164, 170, 3\]"),
        (metrics.kohler_scores, IMAGE, IMAGE[None] / 1.0, "float64"),
        (metrics.kohler_scores, IMAGE, IMAGE, r"uint8 \[170, 3\]"),
        (metrics.kohler_scores, IMAGE, [], "none"),
        (metrics.kohler_scores, IMAGE[:160], [IMAGE[:160]], "161x161"),
        (metrics.kohler_scores, np.zeros_like(IMAGE), [IMAGE], "black"),
    ],
)
def test_what_cannot_be_scored_is_refused_and_described(metric, a, b, message):
    with pytest.raises(InputError, match=message):
        metric(a, b)


def test_metrics_do_without_tensorflow():
    program = "import sys, srn_tf.evaluation.metrics; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
