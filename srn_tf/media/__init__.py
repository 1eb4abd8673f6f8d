"""Photographs and videos as people have them: read strictly and written whole.

images.py     the door: a file in, an array out, and back
kinds.py      which format a file has, by its content
stored.py     what a format tells of an image before it is decoded
png.py        PNG
tiff.py       TIFF
lossy.py      JPEG, WebP, BMP and AVIF, all by Pillow; HEIC by its plug-in
metadata.py   orientation, EXIF and colour profile

containers.py     which videos there are, and what the bytes of a file tell of its parts
video_reading.py  frames upright with their times, the sound as it is, what else the file holds
video_writing.py  the same into a file
"""
