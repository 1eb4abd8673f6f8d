"""What the network is made of, in NumPy: the independent side of the tests' comparisons.

Images and features are `[B, H, W, C]`, kernels `[k, k, in, out]`, those of deconvolutions
`[4, 4, out, in]`; all computed in float64.
"""

from __future__ import annotations

import numpy as np


def conv(x, kernel, bias, stride=1):
    """Convolution with TensorFlow's SAME padding, the odd pixel of it at the bottom and right."""
    x, size = np.asarray(x, float), kernel.shape[0]
    pads = []
    for length in x.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.einsum("bhwikl,klio->bhwo", windows, kernel, optimize=True) + bias


def deconv(x, kernel, bias):
    """4x4 deconvolution of stride 2: every input pixel adds its kernel to the doubled image."""
    batch, height, width, _ = x.shape
    full = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for row in range(4):
        for column in range(4):
            part = np.einsum("bhwi,oi->bhwo", np.asarray(x, float), kernel[row, column])
            full[:, row : row + 2 * height : 2, column : column + 2 * width : 2] += part
    return full[:, 1:-1, 1:-1] + bias


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def legacy_halve(x):
    return np.asarray(x)[:, ::2, ::2]


def legacy_double(x):
    """Samples at i / 2; what lies beyond the last pixel is the last pixel."""
    for axis in (1, 2):
        x = np.moveaxis(np.asarray(x), axis, 0)
        following = np.concatenate([x[1:], x[-1:]])
        x = np.stack([x, (x + following) / 2], axis=1).reshape(-1, *x.shape[1:])
        x = np.moveaxis(x, 0, axis)
    return x


def half_pixel_halve(x):
    x = np.asarray(x)
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def half_pixel_double(x):
    """Samples at (i - 1/2) / 2: three quarters of the near pixel, one of the one behind it."""
    for axis in (1, 2):
        x = np.moveaxis(np.asarray(x), axis, 0)
        before, following = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        x = np.stack([(before + 3 * x) / 4, (3 * x + following) / 4], axis=1).reshape(
            -1, *x.shape[1:]
        )
        x = np.moveaxis(x, 0, axis)
    return x


RESIZE = {
    "legacy": (legacy_halve, legacy_double),
    "half_pixel": (half_pixel_halve, half_pixel_double),
}
