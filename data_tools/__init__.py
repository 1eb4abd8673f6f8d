"""Tools that make and check data folders; nothing in `srn_tf` imports them.

Commands that make data:

demo.py          photographs that scikit-image ships under a moving camera, as GoPro lays them out
synthesize.py    pairs from your own high-frame-rate video

gopro.py checks a download of GoPro; `srn_tf.evaluate --check` does so for other test sets too.

What they share:

recordings.py    videos and folders of frames
scenes.py, rendering.py   views of photographs; from sharp frames to a pair, and the folder's layout
starter_pairs.py, cameras.py   pairs for the starter weights, from any sharp photographs
"""

import srn_tf  # noqa: F401  (its defaults must stand before TensorFlow is imported)
