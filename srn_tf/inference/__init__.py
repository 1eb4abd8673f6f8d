"""Deblurring photographs and videos of any size.

deblurrer.py     `Deblurrer`: an image in, an image out
graph.py         the network as one graph with constant weights
tiling.py        the network scale by scale in tiles, exact, in bounded memory
options.py       how files are written
files.py         files and folders of them
video_files.py   video files
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"deblurrer": ["Deblurrer"]}
)
