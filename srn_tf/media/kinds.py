"""Which format an image file has: its first bytes tell, its name does not."""

from __future__ import annotations

from typing import BinaryIO

from srn_tf.common.errors import InputError

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def kind_of(file: BinaryIO) -> str:
    """ "PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF" or "HEIF"; the file is at its beginning after.

    Raises:
      InputError: none of these.
    """
    head = file.read(4096)
    file.seek(0)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith(b"BM"):
        return "BMP"
    if head[4:8] == b"ftyp":
        end = min(int.from_bytes(head[:4], "big"), len(head))
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise InputError("is not a readable image: none of PNG, JPEG, WebP, TIFF, BMP, AVIF and HEIC")
