"""Pairs of blurred and sharp images: found on disk, inflated on the host, cropped on the device.

    caches.py     the names of the caches
    pairs.py      which files belong together
    order.py      which pair and which window is used when: a pure function of (seed, step)
    frames.py     where the pixels come from: image files, a cache on disk or on the accelerator
    pipeline.py   the `tf.data` pipeline made of these, ready for training

No PNG decoder for GPUs exists in TensorFlow, and GoPro is PNG. The inflate step therefore runs on
the host, once if a cache is used; everything after it (crop, flips, cast, scaling, gray
conversion) runs on the accelerator.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "caches": ["CACHES"],
        "frames": ["input_error", "read_pair"],
        "order": ["steps_per_epoch"],
        "pairs": ["Pair", "PairFiles", "find_pairs", "sized_pairs"],
        "pipeline": ["training_batches"],
    },
)
