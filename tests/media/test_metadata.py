"""What a camera writes beside the picture is kept, or it is named in one line."""

import io
import struct

import av
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from image_files import HAS_HEIC, RGB, SMOOTH, chunk, pillow, tiff, with_chunks

from srn_tf.media.images import image_size, read_image, read_photograph, write_image

PROFILE = bytes(range(256)) * 3
SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".avif")


def photograph_of_a_camera(orientation=6, **more):
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = orientation, "Maker", "© A. Person"
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09", 0x829A: (1, 60), 0xA002: 64, 0xA003: 40}
    exif[0x8769] |= {0x927C: b"MAKER\0note", 0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 12.5)}
    options = {"exif": exif.tobytes(), "icc_profile": PROFILE, "quality": 100, **more}
    return pillow(SMOOTH[:40], "JPEG", **options)


def converted(tmp_path, content, suffix):
    """Writes what is read of `content` in another format: the path and what was said."""
    (tmp_path / "in").write_bytes(content)
    path = tmp_path / f"out{suffix}"
    return path, write_image(path, *read_photograph(tmp_path / "in"))


@pytest.mark.parametrize("suffix", [*SUFFIXES, *[".heic"] * HAS_HEIC])
def test_exif_and_profile_are_copied_and_the_orientation_reset(tmp_path, suffix):
    path, notes = converted(tmp_path, photograph_of_a_camera(), suffix)
    assert notes == (("not kept: MakerNote",) if suffix == ".tif" else ())
    image = PIL.Image.open(path)
    assert image.size == (40, 64)
    assert image.info["icc_profile"] == PROFILE
    exif = image.getexif()
    assert (exif.get(0x0112, 1), exif[0x010F]) == (1, "Maker")
    camera = exif.get_ifd(0x8769)
    assert (camera[0x9003], camera[0xA001]) == ("2024:05:06 07:08:09", 65535)
    assert (camera[0xA002], camera[0xA003]) == (40, 64)
    assert camera.get(0x927C) == (None if suffix == ".tif" else b"MAKER\0note")
    assert exif.get_ifd(0xA005)[1] == "R03"
    assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 12.5)
    found = read_photograph(path)
    np.testing.assert_allclose(found.image.astype(int), np.rot90(SMOOTH[:40], -1), atol=12)
    assert found.metadata.icc == PROFILE


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_texts_keep_their_bytes_whatever_their_encoding(tmp_path, suffix):
    for text in ("Grüße aus Köln".encode(), "© 名前".encode(), "Müller".encode("latin-1")):
        exif = PIL.Image.Exif()
        exif[0x010F], exif[0x8769] = "X" * len(text), {0xA434: "Y" * len(text)}
        block = exif.tobytes().replace(b"X" * len(text), text).replace(b"Y" * len(text), text)
        once, _ = converted(tmp_path, pillow(SMOOTH, "JPEG", exif=block), suffix)
        assert once.read_bytes().count(text) == 2
        twice, _ = converted(tmp_path, once.read_bytes(), suffix)
        assert twice.read_bytes().count(text) == 2  # an encoding of an encoding would grow


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "bmp"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".webp"])
def test_the_resolution_of_a_scan_is_kept(tmp_path, kind, suffix):
    path, notes = converted(tmp_path, pillow(SMOOTH, kind, dpi=(300, 150)), suffix)
    assert notes == ()
    image = PIL.Image.open(path)
    found = [float(image.getexif()[tag]) for tag in (0x011A, 0x011B) if suffix == ".webp"]
    assert (found or image.info["dpi"]) == pytest.approx((300, 150), rel=1e-3)


def test_no_resolution_is_made_up(tmp_path):
    for kind in ("JPEG", "PNG", "BMP"):
        (tmp_path / "plain").write_bytes(pillow(SMOOTH, kind, dpi=(0, 0)))
        assert read_photograph(tmp_path / "plain").metadata.dpi is None


def stored_twice(kind):
    return pillow(RGB, kind, save_all=True, append_images=[PIL.Image.fromarray(RGB[::-1])])


def with_thumbnail():
    exif = PIL.Image.Exif()
    exif[0x010F] = "Maker"
    block = exif.tobytes()  # of one directory, at whose end stands that there is no other
    second = struct.pack(">HHHIII", 1, 0x0201, 4, 1, 0, 0)
    place = block.index(b"Maker\0") - 4
    block = block[:place] + struct.pack(">I", len(block) - 6) + block[place + 4 :] + second
    return pillow(SMOOTH, "JPEG", exif=block)


def texts():
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text("Title", "a title")
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    return info


CAMERA = photograph_of_a_camera()
LOST = {
    "a motion photo": (
        CAMERA + b"\0\0\0\x18ftypmp42" + 9 * b"movie",
        ".jpg",
        "57 bytes behind the image (a video)",
    ),
    "bytes behind a webp": (pillow(RGB, "WEBP") + b"abc", ".webp", "3 bytes behind the image"),
    "bytes behind a png": (pillow(RGB, "PNG") + b"abc", ".png", "3 bytes behind the image"),
    "previews of a jpeg": (stored_twice("MPO"), ".jpg", "further images (previews, or a gain map"),
    "a comment": (pillow(RGB, "JPEG", comment=b"hello"), ".jpg", "comment"),
    "xmp": (photograph_of_a_camera(xmp=b"<x/>"), ".jpg", "not kept: XMP"),
    "xmp of a webp": (pillow(RGB, "WEBP", xmp=b"<x/>"), ".png", "not kept: XMP"),
    "xmp of an avif": (pillow(RGB, "AVIF", xmp=b"<x/>"), ".avif", "not kept: XMP"),
    "texts of a png": (pillow(RGB, "PNG", pnginfo=texts()), ".png", "not kept: XMP, tEXt Title"),
    "a chunk of somebody": (with_chunks(pillow(RGB, "PNG"), chunk(b"vpAg", b"1")), ".png", "vpAg"),
    "a thumbnail": (with_thumbnail(), ".png", "not kept: thumbnail"),
    "exif in a bmp": (CAMERA, ".bmp", "Copyright, DateTimeOriginal, ExposureTime, GPSLatitude"),
    "malformed exif": (pillow(RGB, "PNG", exif=b"Exif\0\0 no TIFF"), ".png", "malformed EXIF"),
    "exif beyond a jpeg": (
        pillow(
            RGB,
            "PNG",
            exif=PIL.Image.Exif().tobytes()[:6]
            + b"II*\0\x08\0\0\0\1\0\x0f\1\2\0\2\0\0\0M"
            + bytes(70000),
        ),
        ".jpg",
        "not kept: Make",
    ),
    "tags of programs": (
        tiff(RGB, photometric="rgb", extratags=[(33550, "d", 3, (1.0, 1.0, 0.0), True)]),
        ".tif",
        "not kept: tag 33550",
    ),
    "tags of a bigtiff": (
        tiff(RGB, photometric="rgb", bigtiff=True, extratags=[(271, "s", 0, "Maker", True)]),
        ".tif",
        "not kept: ImageDescription, Make, Software",
    ),
    "bytes of a tiff": (tiff(RGB, metadata=None) + bytes(99999), ".tif", "bytes behind the image"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_a_file_holds_and_the_result_does_not_is_named(tmp_path, name):
    content, suffix, words = LOST[name]
    _, (note,) = converted(tmp_path, content, suffix)
    assert words in note


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "TIFF", *["HEIF"] * HAS_HEIC])
def test_alpha_is_kept_and_not_named(tmp_path, kind):
    image = np.dstack([SMOOTH, SMOOTH[..., :1]])
    path, notes = converted(tmp_path, pillow(image, kind), ".png")
    assert notes == ()
    np.testing.assert_allclose(read_image(path)[..., 3].astype(int), SMOOTH[..., 0], atol=4)


def test_an_orientation_of_a_bigtiff_counts(tmp_path):
    tags = [(274, "H", 1, 6, True)]
    (tmp_path / "in").write_bytes(tiff(RGB, bigtiff=True, photometric="rgb", extratags=tags))
    np.testing.assert_array_equal(read_image(tmp_path / "in"), np.rot90(RGB, -1))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_counts_as_one(tmp_path, orientation):
    (tmp_path / "in.jpg").write_bytes(photograph_of_a_camera(orientation))
    assert read_image(tmp_path / "in.jpg").shape == (40, 64, 3)
    assert image_size(tmp_path / "in.jpg") == (40, 64)
    content = tiff(RGB, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    (tmp_path / "in.tif").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "in.tif"), RGB)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path):
    block = PIL.Image.Exif()
    block[0x0112] = 6
    png = pillow(RGB, "PNG")
    late = png[:-12] + chunk(b"eXIf", block.tobytes().removeprefix(b"Exif\0\0")) + png[-12:]
    (tmp_path / "late.png").write_bytes(late)
    np.testing.assert_array_equal(read_image(tmp_path / "late.png"), np.rot90(RGB, -1))
    assert image_size(tmp_path / "late.png") == RGB.shape[1::-1]


@pytest.mark.parametrize(
    "colour", [chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"gAMA", struct.pack(">I", 100_000))]
)
def test_colour_chunks_of_a_png_are_kept_by_png_and_named_elsewhere(tmp_path, colour):
    content = with_chunks(pillow(RGB, "PNG"), colour)
    path, notes = converted(tmp_path, content, ".png")
    assert notes == ()
    assert colour in path.read_bytes()
    assert converted(tmp_path, content, ".webp")[1] == ("not kept: colour description",)


@pytest.mark.parametrize(("codes", "is_plain"), [((12, 13), False), ((1, 13), True)])
def test_colours_of_an_avif_are_kept_by_png_and_named_elsewhere(tmp_path, codes, is_plain):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avif") as container:
        stream = container.add_stream("libsvtav1")
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.color_primaries, stream.codec_context.color_trc = codes
        frame = av.VideoFrame.from_ndarray(SMOOTH).reformat(format="yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = buffer.getvalue()
    path, notes = converted(tmp_path, content, ".png")
    assert notes == ()
    assert (chunk(b"cICP", bytes([*codes, 0, 1])) in path.read_bytes()) is not is_plain
    notes = converted(tmp_path, content, ".avif")[1]
    assert notes == (() if is_plain else ("not kept: colour description",))


def test_colours_of_a_heic_are_kept(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    options = {"color_primaries": 9, "transfer_characteristics": 16}
    heif.from_pillow(PIL.Image.fromarray(SMOOTH)).save(tmp_path / "in.heic", **options)
    for suffix in (".heic", ".png"):
        path, notes = converted(tmp_path, (tmp_path / "in.heic").read_bytes(), suffix)
        assert notes == ()
        assert read_photograph(path).metadata.colour[b"cICP"] == bytes([9, 16, 0, 1])
