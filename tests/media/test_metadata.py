"""What a camera writes beside the picture is kept, or it is said what is lost."""

import struct

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from image_files import RGB, SMOOTH, chunk, pillow, tiff, with_chunks

from srn_tf.media.images import image_size, read_image, read_photograph, write_image

PROFILE = bytes(range(256)) * 3


def photograph_of_a_camera(orientation=6):
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = orientation, "Maker", "© A. Person"
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09", 0x829A: (1, 60), 0xA002: 64, 0xA003: 40}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 12.5)}
    return pillow(SMOOTH[:40], "JPEG", exif=exif.tobytes(), icc_profile=PROFILE, quality=100)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_exif_and_profile_are_copied_and_the_orientation_reset(tmp_path, suffix):
    (tmp_path / "in.jpg").write_bytes(photograph_of_a_camera())
    photograph = read_photograph(tmp_path / "in.jpg")
    assert photograph.image.shape == (64, 40, 3)
    assert write_image(tmp_path / f"out{suffix}", *photograph) == ()
    image = PIL.Image.open(tmp_path / f"out{suffix}")
    exif = image.getexif()
    assert exif.get(0x0112, 1) == 1
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (40, 64)
    assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 12.5)
    assert image.info["icc_profile"] == PROFILE
    again = read_photograph(tmp_path / f"out{suffix}")
    assert (
        again.metadata.exif.items()
        >= {
            **photograph.metadata.exif,
            0x8769: {**photograph.metadata.exif[0x8769], 0xA002: 40, 0xA003: 64},
        }.items()
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_texts_keep_their_bytes_whatever_their_encoding(tmp_path, suffix):
    for text in ("Grüße aus Köln".encode(), "© 名前".encode(), "Müller".encode("latin-1")):
        exif = PIL.Image.Exif()
        exif[0x010F], exif[0x8769] = "X" * len(text), {0xA434: "Y" * len(text)}
        block = exif.tobytes().replace(b"X" * len(text), text).replace(b"Y" * len(text), text)
        (tmp_path / "in.jpg").write_bytes(pillow(SMOOTH, "JPEG", exif=block))
        photograph = read_photograph(tmp_path / "in.jpg")
        for name in ("once", "twice"):  # an encoding of an encoding would grow
            write_image(tmp_path / f"{name}{suffix}", *photograph)
            assert (tmp_path / f"{name}{suffix}").read_bytes().count(text) == 2
            photograph = read_photograph(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_a_camera_that_says_adobe_rgb_in_exif_alone_is_believed(tmp_path, suffix):
    exif = PIL.Image.Exif()
    exif[0x8769] = {0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}}
    (tmp_path / "in.jpg").write_bytes(pillow(SMOOTH, "JPEG", exif=exif.tobytes()))
    assert write_image(tmp_path / f"out{suffix}", *read_photograph(tmp_path / "in.jpg")) == ()
    found = PIL.Image.open(tmp_path / f"out{suffix}").getexif()
    assert found.get_ifd(0x8769)[0xA001] == 65535
    assert found.get_ifd(0xA005)[1] == "R03"


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "bmp"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".webp"])
def test_the_resolution_of_a_scan_is_kept(tmp_path, kind, suffix):
    (tmp_path / "scan").write_bytes(pillow(SMOOTH, kind, dpi=(300, 150)))
    assert write_image(tmp_path / f"out{suffix}", *read_photograph(tmp_path / "scan")) == ()
    image = PIL.Image.open(tmp_path / f"out{suffix}")
    if suffix == ".webp":
        scale = 2.54 if image.getexif()[0x0128] == 3 else 1
        found = [scale * float(image.getexif()[tag]) for tag in (0x011A, 0x011B)]
    else:
        found = image.info["dpi"]
    assert found == pytest.approx((300, 150), rel=1e-3)


def test_the_resolution_in_exif_comes_first_and_none_is_made_up(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 240, 240, 2
    (tmp_path / "in.jpg").write_bytes(pillow(SMOOTH, "JPEG", exif=exif.tobytes(), dpi=(72, 72)))
    write_image(tmp_path / "out.jpg", *read_photograph(tmp_path / "in.jpg"))
    assert PIL.Image.open(tmp_path / "out.jpg").info["dpi"] == (240, 240)
    for kind in ("JPEG", "PNG", "BMP"):
        (tmp_path / "plain").write_bytes(pillow(SMOOTH, kind, **({"dpi": (0, 0)})))
        assert read_photograph(tmp_path / "plain").metadata.exif == {}


def test_tags_of_a_bigtiff_turn_it_and_are_said_to_be_lost(tmp_path):
    tags = [(274, "H", 1, 6, True), (271, "s", 0, "Maker", True)]
    content = tiff(RGB, bigtiff=True, photometric="rgb", extratags=tags)
    (tmp_path / "in.tif").write_bytes(content)
    photograph = read_photograph(tmp_path / "in.tif")
    np.testing.assert_array_equal(photograph.image, np.rot90(RGB, -1))
    assert photograph.metadata.notes == ("the tags of a BigTIFF are not copied",)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_counts_as_one(tmp_path, orientation):
    (tmp_path / "in.jpg").write_bytes(photograph_of_a_camera(orientation))
    assert read_image(tmp_path / "in.jpg").shape == (40, 64, 3)
    assert image_size(tmp_path / "in.jpg") == (40, 64)
    content = tiff(RGB, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    (tmp_path / "in.tif").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "in.tif"), RGB)


def test_what_can_be_read_of_damaged_exif_is_kept_and_that_is_said(tmp_path):
    content = bytearray(photograph_of_a_camera())
    place = content.index(b"MM\0*") + 18 + 24  # where the third tag, the copyright, says it is
    content[place : place + 4] = b"\0\xff\xff\xff"
    (tmp_path / "in.jpg").write_bytes(content)
    image, metadata = read_photograph(tmp_path / "in.jpg")
    assert image.shape == (64, 40, 3)
    assert metadata.notes == ("its EXIF is damaged: what could be read of it is kept",)
    assert metadata.exif.keys() == {0x010F}


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
    (tmp_path / "hdr.png").write_bytes(with_chunks(pillow(RGB, "PNG"), colour))
    photograph = read_photograph(tmp_path / "hdr.png")
    assert write_image(tmp_path / "copy.png", *photograph) == ()
    assert colour in (tmp_path / "copy.png").read_bytes()
    (note,) = write_image(tmp_path / "copy.webp", *photograph)
    assert "only PNG" in note


def test_colours_of_an_avif_are_kept_by_png_and_named_elsewhere(tmp_path):
    for codes, chunks in (((12, 13), [chunk(b"cICP", bytes([12, 13, 0, 1]))]), ((1, 13), [])):
        options = {"primaries": codes[0], "transfer": codes[1], "pixelformat": "444"}
        (tmp_path / "in.avif").write_bytes(imagecodecs.avif_encode(SMOOTH, **options))
        photograph = read_photograph(tmp_path / "in.avif")
        assert write_image(tmp_path / "out.png", *photograph) == ()
        assert all(each in (tmp_path / "out.png").read_bytes() for each in chunks)
        notes = write_image(tmp_path / "out.avif", *photograph)
        assert [True for note in notes if "only PNG and HEIC" in note] == [True for _ in chunks]


def test_colours_of_a_heic_are_kept(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    options = {"color_primaries": 9, "transfer_characteristics": 16}
    heif.from_pillow(PIL.Image.fromarray(SMOOTH)).save(tmp_path / "in.heic", **options)
    photograph = read_photograph(tmp_path / "in.heic")
    for suffix in (".heic", ".png"):
        assert write_image(tmp_path / f"out{suffix}", *photograph) == ()
        found = read_photograph(tmp_path / f"out{suffix}").metadata.png_colour
        assert found[b"cICP"] == bytes([9, 16, 0, 1])


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_lossy_formats_of_phones_keep_picture_and_metadata(tmp_path, suffix):
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    path = tmp_path / f"photo{suffix}"
    (tmp_path / "source.jpg").write_bytes(photograph_of_a_camera())
    metadata = read_photograph(tmp_path / "source.jpg").metadata
    assert write_image(path, SMOOTH, metadata) == ()
    found = read_photograph(path)
    np.testing.assert_allclose(found.image.astype(int), SMOOTH, atol=4)
    assert found.metadata.exif[0x010F] == "Maker"
    assert found.metadata.icc == PROFILE
