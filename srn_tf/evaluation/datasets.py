"""The test sets that papers on deblurring report. A new one is one more row.

`gopro` is paired images in any layout of `srn_tf.data.find_pairs`, one's own among them; its row
says what GOPRO_Large holds, for --check.

HIDE: Shen et al., "Human-Aware Motion Deblurring", ICCV 2019. REDS: Nah et al., "NTIRE 2021
Challenge on Image Deblurring", CVPR Workshops 2021. RealBlur: Rim et al., "Real-World Blur Dataset
for Learning and Benchmarking Deblurring Algorithms", ECCV 2020: what is left of the misalignment of
its images is taken out before scoring, which is worth about 1.8 dB; the truth of scene 244 is that
of scene244_reflect, as in the authors' scorer.
"""

from __future__ import annotations

import os

from srn_tf.common.errors import InputError, named
from srn_tf.data import find_pairs
from srn_tf.evaluation.kohler import KohlerSet
from srn_tf.evaluation.protocol import Layout, TestData, TestImage, TestSet

# GOPRO_Large: pairs of each sequence.
GOPRO = {
    "train": {
        "GOPR0372_07_00": 100,
        "GOPR0372_07_01": 75,
        "GOPR0374_11_00": 150,
        "GOPR0374_11_01": 80,
        "GOPR0374_11_02": 100,
        "GOPR0374_11_03": 48,
        "GOPR0378_13_00": 110,
        "GOPR0379_11_00": 100,
        "GOPR0380_11_00": 60,
        "GOPR0384_11_01": 100,
        "GOPR0384_11_02": 100,
        "GOPR0384_11_03": 100,
        "GOPR0384_11_04": 100,
        "GOPR0385_11_00": 100,
        "GOPR0386_11_00": 100,
        "GOPR0477_11_00": 80,
        "GOPR0857_11_00": 100,
        "GOPR0868_11_01": 100,
        "GOPR0868_11_02": 100,
        "GOPR0871_11_01": 100,
        "GOPR0881_11_00": 100,
        "GOPR0884_11_00": 100,
    },
    "test": {
        "GOPR0384_11_00": 100,
        "GOPR0384_11_05": 100,
        "GOPR0385_11_01": 100,
        "GOPR0396_11_00": 100,
        "GOPR0410_11_00": 134,
        "GOPR0854_11_00": 100,
        "GOPR0862_11_00": 77,
        "GOPR0868_11_00": 100,
        "GOPR0869_11_00": 100,
        "GOPR0871_11_00": 100,
        "GOPR0881_11_01": 100,
    },
}
# Each image must have its partner in the next folder, so that any missing one is named.
_PARTNERS = {"blur": "sharp", "sharp": "blur_gamma", "blur_gamma": "blur"}


def _realblur(kind: str, folder: str, published: str) -> TestSet:
    return TestSet(
        title=f"RealBlur-{kind}",
        about=f"980 photographs made from {'JPEG' if kind == 'J' else 'raw'} files, registered "
        "before scoring",
        layouts=(
            Layout(
                rf"(?P<root>({folder}/)?)(?P<group>scene\d+)/blur/blur_(?P<image>\d+)",
                ("{root}{group}_reflect/gt/gt_{image}", "{root}{group}/gt/gt_{image}"),
                "{group}/blur_{image}",
            ),
        ),
        expected=980,
        places=f"{folder}/sceneNNN/blur/blur_K.png and gt/gt_K.png",
        source="http://cg.postech.ac.kr/research/realblur/",
        published=f"SRN trained on RealBlur-{kind} by its authors: {published}",
        list_file=f"RealBlur_{kind}_test_list.txt",
        registered=True,
    )


TEST_SETS: dict[str, TestSet] = {
    "gopro": TestSet(
        title="GOPRO_Large",
        about="pairs in any layout, PSNR and two SSIMs",
        layouts=tuple(
            Layout(
                rf"(?P<group>(?P<root>(train|test)/[^/]+)/{folder})/(?P<image>[^/]+)",
                (f"{{root}}/{partner}/{{image}}",),
            )
            for folder, partner in _PARTNERS.items()
        ),
        expected={
            f"{split}/{sequence}/{folder}": count
            for split, sequences in GOPRO.items()
            for sequence, count in sequences.items()
            for folder in _PARTNERS
        },
        places="train/ and test/, each with SEQUENCE/{blur,blur_gamma,sharp}/NNNNNN.png",
        source="https://seungjunnah.github.io/Datasets/gopro",
        published="Published for SRN on GoPro: 30.26 dB, SSIM (MATLAB) 0.9342 (Table 2); for the "
        "authors' released lstm 30.19 and 0.9334. That is a network for gray images with "
        "TensorFlow 1's resizing: nothing is published for this package's RGB SRN",
    ),
    "kohler": KohlerSet(
        title="Koehler's benchmark",
        about="48 images under their own protocol",
        layouts=(),
        expected=48,
        places="Blurry1_1.png to Blurry4_12.png and their GroundTruth, .mat or PNG",
        source="https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake/",
        published="Published for SRN (Table 2): PSNR 26.75, MSSIM 0.8370",
    ),
    "hide": TestSet(
        title="HIDE",
        about="2025 photographs of people, scored like gopro",
        layouts=(
            Layout(
                r"(?P<root>(test/)?)(?P<group>test-close-ups|test-long-shot)/(?P<image>[^/]+)",
                ("{root}GT/{image}", "GT/{image}"),
            ),
            Layout(
                r"(?P<root>(test/)?)input/(?P<image>[^/]+)", ("{root}target/{image}",), "{image}"
            ),
        ),
        expected=2025,
        places="test/test-close-ups/, test/test-long-shot/ and GT/, or with input/ and target/",
        source="https://github.com/joanshen0508/HA_deblur",
        published="SRN trained on GoPro, as later papers report: PSNR 28.36, SSIM (MATLAB) 0.915",
    ),
    "realblur_j": _realblur(
        "J", "RealBlur-J_ECC_IMCORR_centroid_itensity_ref", "PSNR 31.38, SSIM 0.909"
    ),
    "realblur_r": _realblur(
        "R", "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref", "PSNR 38.65, SSIM 0.965"
    ),
    "reds": TestSet(
        title="REDS val-300",
        about="300 frames of videos, scored like gopro",
        layouts=(
            Layout(
                r"(?P<root>(val/)?)val_blur_jpeg/(?P<group>[^/]+)/(?P<image>\d*9)",
                ("{root}val_sharp/{group}/{image}",),
            ),
            Layout(
                r"(?P<root>(test/)?)input/(?P<image>((?P<group>[^/]+)[_-])?\d*9)",
                ("{root}target/{image}",),
                "{image}",
            ),
        ),
        expected=300,
        places="val/val_blur_jpeg/VVV/*9.jpg and val/val_sharp/, or with input/ and target/",
        source="https://seungjunnah.github.io/Datasets/reds",
        published="",
    ),
}


def open_test_set(
    name: str, data_dir: str | os.PathLike, split: str | None = None, blur_subset: str | None = None
) -> TestData:
    """The images of a test set in `data_dir`.

    Args:
      name: a key of `TEST_SETS`.
      data_dir: folder, or list file, of the data.
      split: "train" or "test", only for "gopro"; None means "test".
      blur_subset: "blur" or "blur_gamma", only for "gopro"; None means "blur".

    Raises:
      InputError: files are missing, or an argument does not go with the test set.
    """
    test_set = TEST_SETS[name]
    if name == "gopro":
        split, subset = split or "test", blur_subset or "blur"
        images = [
            TestImage(pair.name, pair.sequence, pair.blurred, (pair.sharp,))
            for pair in find_pairs(data_dir, split, subset)
        ]
        about = {"benchmark": name, "split": split, "blur_subset": subset}
        return TestData(test_set, data_dir, images, f"{split}-{subset}", **about)
    if split or blur_subset:
        raise InputError(f"--split and --blur_subset do not go with --benchmark={name}")
    images, missing = test_set.survey(data_dir)
    if missing:
        raise InputError(
            f"{data_dir} lacks {named(missing)} of {test_set.title} (--check lists all). "
            f"Source: {test_set.source}"
        )
    return TestData(test_set, data_dir, images, name, benchmark=name)
