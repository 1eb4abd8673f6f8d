"""Photographs as people have them: read strictly and written whole.

images.py     the door: a file in, an array out, and back
kinds.py      which format a file has, by its content
stored.py     what a format tells of an image before it is decoded
png.py        PNG
tiff.py       TIFF
lossy.py      JPEG, WebP, BMP and AVIF, all by Pillow; HEIC by its plug-in
metadata.py   orientation, EXIF and colour profile
"""
