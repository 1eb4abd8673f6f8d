"""Photographs and videos as people have them: read strictly and written whole.

images.py     image files to arrays and back
formats.py    PNG, JPEG, WebP, BMP, AVIF and HEIC
tiff.py       TIFF
metadata.py   orientation, EXIF, resolution and colour profile
parts.py      chunks, segments and boxes of a file, also of a video
inventory.py  what a file holds, by names, for what was not kept

containers.py     which videos are read and written
video_reading.py  frames upright with their times, the sound as it is, what else the file holds
video_writing.py  the same into a file
"""
