"""Photographs and videos as people have them: read strictly and written whole.

images.py     the door: a file in, an array out, and back
kinds.py      which format a file has, by its content
stored.py     what a format tells of an image before it is decoded
png.py        PNG
tiff.py       TIFF
lossy.py      JPEG, WebP, BMP and AVIF, all by Pillow; HEIC by its plug-in
metadata.py   orientation, EXIF and colour profile

containers.py     which videos there are, and whether a file is whole
video_reading.py  frames upright with their times, the sound as it is
video_writing.py  the same into a file
video_copies.py   what of sound and subtitles its container holds
"""
