"""RealBlur's scores after registration, against its definition written out."""

import cv2
import numpy as np
import pytest
import scipy.ndimage

from srn_tf.common.errors import InputError
from srn_tf.evaluation.metrics import scores
from srn_tf.evaluation.registration import registered_scores

SIDE = (96, 128)


def photograph(seed=0, margin=16):
    """A smooth random picture with a margin around `SIDE`."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0, 1, (SIDE[0] + 2 * margin, SIDE[1] + 2 * margin, 3))
    smooth = scipy.ndimage.gaussian_filter(noise, (3, 3, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return smooth


def shaken(margin=16):
    """A picture and the same seen through a known homography and half as bright, in uint8."""
    wide = photograph(margin=margin)
    homography = np.array([[1.01, 0.01, 2.6], [-0.012, 0.995, -1.7], [2e-5, -1e-5, 1]])
    shift = np.array([[1, 0, margin], [0, 1, margin], [0, 0, 1.0]])
    size = SIDE[::-1]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    sharp = wide[margin:-margin, margin:-margin]
    moved = cv2.warpPerspective(wide, shift @ homography, size, flags=flags)
    return (np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in (sharp, moved / 2))


def transcribed(deblurred, sharp):
    """RealBlur's definition, step by step and apart from the code under test."""
    x, z = sharp.astype(np.float64) / 255, deblurred.astype(np.float64) / 255
    zs = (x * z).sum() / (z * z).sum() * z
    gray = [cv2.cvtColor(np.float32(image), cv2.COLOR_RGB2GRAY) for image in (x, zs)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 0)
    _, h = cv2.findTransformECC(
        gray[0],
        gray[1],
        np.eye(3, dtype=np.float32),
        cv2.MOTION_HOMOGRAPHY,
        criteria,
        inputMask=None,
        gaussFiltSize=5,
    )
    size = x.shape[1::-1]
    inverse = cv2.WARP_INVERSE_MAP
    zr = cv2.warpPerspective(
        zs, h, size, flags=cv2.INTER_CUBIC + inverse, borderMode=cv2.BORDER_REFLECT
    )
    cr = cv2.warpPerspective(
        np.ones_like(zs),
        h,
        size,
        flags=cv2.INTER_NEAREST + inverse,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    zr, xr = zr * cr, x * cr
    psnr = 10 * np.log10(1 / (((xr - zr) ** 2).sum() / cr.sum()))

    def mean(plane):
        return scipy.ndimage.gaussian_filter(plane, 1.5, truncate=3.5)

    ssims = []
    for c in range(3):
        a, b, mask = xr[..., c], zr[..., c], cr[..., c]
        ma, mb = mean(a), mean(b)
        va, vb, vab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        ssim = (2 * ma * mb + 1e-4) * (2 * vab + 9e-4)
        ssim = ssim / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)) * mask
        ssims.append(ssim[5:-5, 5:-5].sum() / mask[5:-5, 5:-5].sum())
    return psnr, np.mean(ssims)


def test_a_known_homography_and_brightness_are_undone():
    sharp, deblurred = shaken()
    found = registered_scores(deblurred, sharp)
    assert found.aligned == 1
    assert found[:2] == pytest.approx(transcribed(deblurred, sharp), rel=1e-6)
    assert found.psnr > 40 > 30 > scores(deblurred, sharp).psnr
    assert found.ssim > 0.99


def test_images_that_cannot_be_registered_are_compared_as_they_are():
    sharp = (255 * photograph(margin=0)).astype(np.uint8)
    deblurred = np.full_like(sharp, 7)  # flat: ECC has nothing to hold on to
    found = registered_scores(deblurred, sharp)
    x = sharp / 255
    z = np.full_like(x, x.sum() * (7 / 255) / (x.size * (7 / 255) ** 2) * 7 / 255)
    assert found.aligned == 0
    assert found.psnr == pytest.approx(10 * np.log10(1 / np.mean((x - z) ** 2)))


@pytest.mark.parametrize(
    ("deblurred", "message"),
    [
        (np.zeros((24, 32, 3), np.uint8), "is black"),
        (np.ones((24, 33, 3), np.uint8), "two images of one size"),
        (np.ones((24, 32, 3)), "takes uint8 images"),
    ],
)
def test_images_that_cannot_be_scored_are_refused(deblurred, message):
    with pytest.raises(InputError, match=message):
        registered_scores(deblurred, np.ones((24, 32, 3), np.uint8))
