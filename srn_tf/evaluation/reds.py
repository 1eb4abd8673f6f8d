"""REDS: frames of hand-held videos under synthetic blur and MPEG and JPEG compression; val-300.

Of the 30 validation videos, 100 frames each, those whose number ends in 9 are scored:

    REDS/[val/]val_blur_jpeg/VVV/NNNNNNNN.jpg with val_sharp/VVV/NNNNNNNN.png   as published
    REDS/[test/]{input,target}/NAME.*                                           as repackaged

Scored like GoPro: PSNR and SSIM of the whole RGB image. Which SSIM a paper means it seldom says:
both are reported.

Nah et al., "NTIRE 2021 Challenge on Image Deblurring", CVPR Workshops 2021.
"""

from __future__ import annotations

import os
from pathlib import Path

from srn_tf.common.errors import InputError, named
from srn_tf.common.folders import files_below
from srn_tf.data import PairFiles, find_pairs, sized_pairs
from srn_tf.evaluation.benchmarks import BenchmarkImage, OneTruthBenchmark, sequence_places
from srn_tf.media.images import is_image

IMAGES = 300  # 10 of each of 30 videos
BLURRED, SHARP = "val_blur_jpeg", "val_sharp"
SOURCE = (
    'Nah et al., "NTIRE 2021 Challenge on Image Deblurring": '
    "https://seungjunnah.github.io/Datasets/reds"
)


class RedsBenchmark(OneTruthBenchmark):
    """Every tenth validation frame of REDS.

    Raises:
      InputError: no frames in either layout, or one without its partner, which is named.
    """

    layouts = "VVV/NNNNNNNN.png or VVV_NNNNNNNN.png"
    folders = (BLURRED, SHARP, "input", "target")

    def __init__(self, data_dir: str | os.PathLike):
        files, missing = survey_reds(data_dir)
        if missing:
            raise InputError(f"{data_dir} lacks {named(missing)} of REDS. Source: {SOURCE}")
        super().__init__(data_dir, sized_pairs(files), "reds", benchmark="reds")

    def places(self, image: BenchmarkImage) -> list[str]:
        return sequence_places(image)


def survey_reds(data_dir: str | os.PathLike) -> tuple[list[PairFiles], list[str]]:
    """The pairs of val-300 that are there, and what is missing.

    Raises:
      InputError: nothing of REDS is there, or a file of the second layout has no partner.
    """
    data_dir = Path(data_dir)
    root = next((r for r in (data_dir / "val", data_dir) if (r / BLURRED).is_dir()), None)
    if root is not None:
        return _as_published(root)
    if not any((root / "input").is_dir() for root in (data_dir / "test", data_dir)):
        raise InputError(
            f"{data_dir} has neither {BLURRED}/ and {SHARP}/ nor input/ and target/: pass the "
            f"unpacked folder of REDS. Source: {SOURCE}"
        )
    pairs = [pair for pair in find_pairs(data_dir, "test") if _is_scored(pair.blurred)]
    return [PairFiles(pair.name, pair.sequence, pair.blurred, pair.sharp) for pair in pairs], []


def _as_published(root: Path) -> tuple[list[PairFiles], list[str]]:
    files, missing = [], []
    for blurred in sorted(files_below(root / BLURRED)):
        if not is_image(blurred) or not _is_scored(blurred):
            continue
        video, stem = blurred.parent.name, blurred.stem
        sharp = root / SHARP / video / f"{stem}.png"
        if sharp.exists():
            files.append(PairFiles(f"{video}/{stem}", video, blurred, sharp))
        else:
            missing.append(f"{SHARP}/{video}/{stem}.png")
    return files, missing or ([] if files else [f"{BLURRED}/*/*9.jpg"])


def _is_scored(blurred: Path) -> bool:
    return blurred.stem.endswith("9")
