"""Pairs of blurred and sharp images: found on disk, decoded on the host, cropped on the device.

    pairs.py      which files belong together
    caches.py     decoded pairs, and the disk cache of all of them
    order.py      which pair and which window is used when: a pure function of (seed, step)
    frames.py     where the pixels come from: image files, a cache on disk or on the accelerator
    pipeline.py   the `tf.data` pipeline made of these, and one crop per batch

No PNG decoder for GPUs exists in TensorFlow, and GoPro is PNG. Decoding therefore runs on the host,
once if a cache is used; everything after it (crop, flips, cast, scaling, gray conversion) is one
function of the batch, which the training step calls on the accelerator. What travels there, for a
pair of 1280x720 and crops of 256x256, and nothing comes back:

    --cache=none      5.53 MB    both frames, uint8
    --cache=disk      0.39 MB    both windows, uint8
    --cache=device    72 B       integers
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "caches": ["CACHES", "read_pair"],
        "frames": ["input_error"],
        "order": ["steps_per_epoch"],
        "pairs": [
            "Pair",
            "digests",
            "find_pairs",
            "fingerprint",
            "hold_out",
            "listed_pairs",
            "normal_form",
        ],
        "pipeline": ["TrainingBatches"],
    },
)
