"""Images, and files of them as others write them."""

import importlib.util
import io
import struct
import zlib

import numpy as np
import PIL.Image
import tifffile

HAS_HEIC = importlib.util.find_spec("pillow_heif") is not None
if HAS_HEIC:
    importlib.import_module("pillow_heif").register_heif_opener()
RNG = np.random.default_rng(0)
GRAY, GRAY_ALPHA, RGB, RGBA = (
    RNG.integers(0, 256, (37, 50, *channels), np.uint8) for channels in ((), (2,), (3,), (4,))
)
RGBA[:5, :, 3] = 0
DEEP = {
    name: image.astype(np.uint16) * 256 + image[::-1]
    for name, image in (("gray", GRAY), ("gray alpha", GRAY_ALPHA), ("rgb", RGB), ("rgba", RGBA))
}
SMOOTH = np.add.outer(np.arange(64), np.arange(64))[..., None].astype(np.uint8) + np.uint8(
    [0, 40, 80]
)


def tiff(image, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


def pillow(image, kind, mode=None, **options):
    buffer = io.BytesIO()
    image = PIL.Image.fromarray(image) if isinstance(image, np.ndarray) else image
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def png(samples, depth, chunks=b""):
    """A gray PNG of 1, 2 or 4 bits, without filters."""
    bits = samples[..., None] >> np.arange(depth - 1, -1, -1) & 1
    rows = np.packbits(bits.reshape(len(samples), -1), axis=1)
    height, width = samples.shape
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunks + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(name, content):
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def with_chunks(png, chunks):
    return png[:33] + chunks + png[33:]
