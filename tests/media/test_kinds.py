"""Every kind of image file, written by others, is read as the array that went in, or refused."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import (
    DEEP,
    GRAY,
    GRAY_ALPHA,
    HAS_HEIC,
    RGB,
    RGBA,
    SMOOTH,
    chunk,
    pillow,
    png,
    tiff,
    with_chunks,
)

from srn_tf.common.errors import InputError
from srn_tf.media.images import has_alpha, image_size, read_image, read_photograph, write_image
from srn_tf.media.metadata import upright


def with_length(content, length):
    """A TIFF that claims another height."""
    buffer = io.BytesIO(content)
    with tifffile.TiffFile(buffer, mode="r+b") as file:
        file.pages.first.tags["ImageLength"].overwrite(length)
    return buffer.getvalue()


def bmp(rows, bits, compression=0, masks=b""):
    """A bottom-up BMP with the 40-byte header, from the bytes of its rows, top row first."""
    height, width = len(rows), len(rows[0]) * 8 // bits
    pixels = b"".join(row + bytes(-len(row) % 4) for row in reversed(rows))
    offset = 54 + len(masks)
    head = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return head + info + masks + pixels


def bgrx(image, last=0):
    padded = np.dstack([image[..., ::-1], np.full(image.shape[:2], last, np.uint8)])
    return [row.tobytes() for row in padded]


def inverted(image):
    return np.iinfo(image.dtype).max - image


def tiff_table():
    arrays = {
        "gray8": GRAY,
        "rgb8": RGB,
        "rgba8": RGBA,
        "gray16": DEEP["gray"],
        "rgb16": DEEP["rgb"],
        "rgba16": DEEP["rgba"],
        "ga8": GRAY_ALPHA,
        "ga16": DEEP["gray alpha"],
    }
    for name, image in arrays.items():
        colour = name.startswith("rgb")
        alphas = (
            ("unspecified", "assocalpha", "unassalpha")
            if "a8" in name or "a16" in name
            else (None,)
        )
        for alpha in alphas:
            for planar in ("contig", "separate") if image.ndim == 3 else (None,):
                stored = np.moveaxis(image, -1, 0) if planar == "separate" else image
                for layout in ({}, {"tile": (16, 16)}, {"rowsperstrip": 5}):
                    options = {"photometric": "rgb" if colour else "minisblack", "metadata": None}
                    options |= {"planarconfig": planar, "extrasamples": alpha and [alpha]}
                    yield (
                        f"tiff {name} {alpha} {planar} {layout}",
                        tiff(stored, **options, **layout),
                        image,
                    )
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
    options |= {"byteorder": ">", "tile": (16, 16), "predictor": True, "metadata": None}
    yield "tiff all at once", tiff(np.moveaxis(DEEP["rgb"], -1, 0), **options), DEEP["rgb"]
    yield "tiff with a preview", with_preview(), RGB
    jpeg = tiff(RGB, photometric="ycbcr", compression="jpeg", subsampling=(2, 2))
    yield "tiff jpeg", jpeg, np.asarray(PIL.Image.open(io.BytesIO(jpeg)))
    for name in ("lzw", "zlib", "packbits", "zstd", "lzma"):
        yield f"tiff {name}", tiff(DEEP["rgb"], photometric="rgb", compression=name), DEEP["rgb"]
    predicted = {"photometric": "rgb", "compression": "lzw", "predictor": True}
    yield "tiff predictor", tiff(RGB, **predicted), RGB
    yield "tiff big", tiff(RGB, bigtiff=True, photometric="rgb"), RGB
    yield "tiff big endian", tiff(DEEP["rgb"], byteorder=">", photometric="rgb"), DEEP["rgb"]
    for image in (GRAY, DEEP["gray"]):
        white = tiff(image, photometric="miniswhite")
        yield f"tiff white is zero {image.dtype}", white, inverted(image)
    yield "tiff pillow rgba", pillow(RGBA, "TIFF"), RGBA
    yield "tiff pillow lzw", pillow(RGB, "TIFF", compression="tiff_lzw"), RGB
    bits, levels = GRAY > 127, np.where(GRAY > 127, np.uint8(255), np.uint8(0))
    yield "tiff bilevel", tiff(bits, photometric="minisblack"), levels
    for orientation in (1, 6):  # Pillow turns it, once is enough
        fax = {"compression": "group4", "tiffinfo": {274: orientation}}
        expected = upright(levels, orientation)
        yield f"tiff fax {orientation}", pillow(PIL.Image.fromarray(bits), "TIFF", **fax), expected
    palette = PIL.Image.fromarray(RGB).quantize(16)
    yield "tiff palette", pillow(palette, "TIFF"), np.asarray(palette.convert("RGB"))


def with_preview():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(RGB[::4, ::4], photometric="rgb", metadata=None, subfiletype=1)
    return buffer.getvalue()


def table():
    yield from tiff_table()
    for name, image in (("gray", GRAY), ("gray alpha", GRAY_ALPHA), ("rgb", RGB), ("rgba", RGBA)):
        yield f"png {name}", pillow(image, "PNG"), image
    yield "png 16 gray", pillow(DEEP["gray"], "PNG"), DEEP["gray"]
    clear = pillow(GRAY, "PNG", transparency=3)
    yield "png gray key", clear, np.dstack([GRAY, np.where(GRAY == 3, 0, 255).astype(np.uint8)])
    yield "png 16 gray alpha", imagecodecs.png_encode(DEEP["gray alpha"]), DEEP["gray alpha"]
    for depth in (1, 2, 4):
        samples = GRAY >> (8 - depth)
        gray = samples * np.uint8(255 // (2**depth - 1))
        key = np.where(samples == 1, 0, 255).astype(np.uint8)
        yield f"png {depth} bits", png(samples, depth), gray
        clear = chunk(b"tRNS", b"\0\1")
        yield f"png {depth} bits key", png(samples, depth, clear), np.dstack([gray, key])
    palette = PIL.Image.fromarray(RGB).quantize(16)
    yield "png palette", pillow(palette, "PNG"), np.asarray(palette.convert("RGB"))
    keyed = pillow(palette, "PNG", transparency=b"\0\x10")
    yield "png palette key", keyed, np.asarray(PIL.Image.open(io.BytesIO(keyed)).convert("RGBA"))
    bits = GRAY > 127
    yield "png bilevel", pillow(PIL.Image.fromarray(bits), "PNG"), bits * np.uint8(255)
    yield "png big profile and text", with_chunks(pillow(RGB, "PNG"), big_chunks()), RGB
    yield "png damaged text", with_chunks(pillow(RGB, "PNG"), b"\0\0\0\4tEXtabcd1234"), RGB
    yield "webp", pillow(RGB, "WEBP", lossless=True), RGB
    yield "webp alpha 0", pillow(RGBA, "WEBP", lossless=True, exact=True), RGBA
    yield "bmp 24", pillow(RGB, "BMP"), RGB
    yield "bmp gray", pillow(GRAY, "BMP"), GRAY
    yield "bmp bilevel", pillow(PIL.Image.fromarray(bits), "BMP"), bits * np.uint8(255)
    yield "bmp palette", pillow(palette, "BMP"), np.asarray(palette.convert("RGB"))
    yield "bmp 32", bmp(bgrx(RGB), 32), RGB
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    yield "bmp 32 bitfields", bmp(bgrx(RGB), 32, 3, masks), RGB
    for name in ({"quality": 90}, {"progressive": True}, {"subsampling": "4:2:0"}):
        jpeg = pillow(RGB, "JPEG", **name)
        yield f"jpeg {name}", jpeg, np.asarray(PIL.Image.open(io.BytesIO(jpeg)))
    several = pillow(RGB, "MPO", save_all=True, append_images=[PIL.Image.fromarray(GRAY)])
    yield "jpeg with previews", several, np.asarray(PIL.Image.open(io.BytesIO(several)))


def big_chunks():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000)))
    return text + chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(12_000_000)))


@pytest.mark.parametrize(
    ("content", "expected"), [row[1:] for row in table()], ids=[r[0] for r in table()]
)
def test_a_kind_is_read_exactly_and_written_back(tmp_path, content, expected):
    path = tmp_path / "input"  # the content tells the kind, not the suffix
    path.write_bytes(content)
    photograph = read_photograph(path)
    np.testing.assert_array_equal(photograph.image, expected)
    assert photograph.image.dtype == expected.dtype
    assert image_size(path) == expected.shape[:2]
    for suffix in lossless_formats(*photograph):
        write_image(tmp_path / f"copy{suffix}", *photograph)
        copy = read_photograph(tmp_path / f"copy{suffix}")
        np.testing.assert_array_equal(copy.image, expected)
        assert copy.image.dtype == expected.dtype
        if has_alpha(expected):
            assert copy.metadata.alpha == photograph.metadata.alpha


def lossless_formats(image, metadata):
    is_plain, has_8_bits = not has_alpha(image) or metadata.alpha == 2, image.dtype == np.uint8
    can_hold = {
        ".tif": True,
        ".png": is_plain,
        ".webp": is_plain and has_8_bits and image.shape[2:] in ((3,), (4,)),
        ".bmp": has_8_bits and not has_alpha(image),
    }
    return [suffix for suffix, is_held in can_hold.items() if is_held]


def animated(kind):
    pages = [PIL.Image.fromarray(RGB), PIL.Image.fromarray(RGB[::-1])]
    return pillow(pages[0], kind, save_all=True, append_images=pages[1:])


REFUSED = {
    "float": (
        tiff(GRAY.astype(np.float32), photometric="minisblack"),
        r"32-bit samples \(float32\)",
    ),
    "signed": (tiff(GRAY.astype(np.int16), photometric="minisblack"), r"16-bit samples \(int16\)"),
    "32 bits": (tiff(GRAY.astype(np.uint32), photometric="minisblack"), "32-bit samples"),
    "cmyk": (tiff(RGBA, photometric="separated", planarconfig="contig"), "is a CMYK image"),
    "cielab": (tiff(RGB, photometric="cielab"), "CIELAB image"),
    "pages": (tiff(np.stack([RGB, RGB]), photometric="rgb"), "holds 2 images"),
    "a stack in one directory": (
        tiff(np.stack([GRAY] * 5), photometric="minisblack", truncate=True),
        "holds 5 images",
    ),
    "a stack of imagej": (tiff(np.stack([GRAY] * 5), imagej=True), "holds 5 images"),
    "apple's png": (
        b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", b"P\0 \6") + pillow(RGB, "PNG")[8:],
        "Apple's own form",
    ),
    "five channels": (
        tiff(np.dstack([RGBA, GRAY]), photometric="rgb", planarconfig="contig"),
        "has 5 channels",
    ),
    "directory": (tiff(RGB, photometric="rgb")[:8] + b"\xff" * 400, "cannot be decoded: damaged"),
    "strips": (with_length(tiff(RGB, rowsperstrip=5), 400), "is cut off: a part of its pixels"),
    "cmyk jpeg": (pillow(PIL.Image.fromarray(RGB).convert("CMYK"), "JPEG"), "is a CMYK image"),
    "ycck jpeg": (
        imagecodecs.jpeg8_encode(RGBA, colorspace="CMYK", outcolorspace="YCCK"),
        "is a CMYK image",
    ),
    "lossless jpeg": (imagecodecs.ljpeg_encode(DEEP["gray"]), "damaged JPEG, or one of a kind"),
    "jpeg 2000": (imagecodecs.jpeg2k_encode(RGB), "none of PNG"),
    "ycbcr": (
        pillow(PIL.Image.fromarray(RGB).convert("YCbCr"), "TIFF"),
        "YCbCr image with compression NONE",
    ),
    "deep avif": (imagecodecs.avif_encode(DEEP["rgb"] >> 6, bitspersample=10), "more than 8 bits"),
    "bmp with alpha": (
        bmp([bytes(8)], 16, 6, struct.pack("<IIII", 0x7C00, 0x3E0, 0x1F, 0x8000)),
        "cannot be decoded: .*Unsupported BMP",
    ),
    "animated avif": (animated("AVIF"), "holds 2 images"),
    "animated webp": (animated("WEBP"), "holds 2 images"),
    "animated png": (animated("PNG"), "holds 2 images"),
    "gif": (pillow(GRAY, "GIF"), "is not a readable image: none of"),
    "text": (b"not a picture", "is not a readable image: none of"),
    "empty": (b"", "is not a readable image: none of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_refused_by_name(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"bad\.png .*{message}"):
        read_image(tmp_path / "bad.png")


@pytest.mark.parametrize("suffix", [".avif", ".jpg", *[".heic"] * HAS_HEIC])
@pytest.mark.parametrize("image", [SMOOTH, SMOOTH[..., 0]], ids=["colour", "gray"])
def test_lossy_formats_lose_little_and_gray_stays_gray(tmp_path, suffix, image):
    write_image(tmp_path / f"image{suffix}", image)
    found = read_image(tmp_path / f"image{suffix}")
    np.testing.assert_allclose(found.astype(int), image, atol=8)


def test_sizes_are_judged_by_the_header(tmp_path):
    bomb = bytearray(pillow(RGB, "PNG"))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    (tmp_path / "bomb.png").write_bytes(bomb)
    for limit in (400, float("nan")):
        with pytest.raises(InputError, match=r"bomb\.png has 3600\.0 megapixels"):
            read_photograph(tmp_path / "bomb.png", limit)
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0))
    (tmp_path / "twice.png").write_bytes(with_chunks(bytes(bomb), second))
    with pytest.raises(InputError, match=r"twice\.png has 3600\.0 megapixels"):
        read_photograph(tmp_path / "twice.png")
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(InputError, match=r"sparse\.png is a file of 214\.7 GB"):
        read_image(tmp_path / "sparse.png")
