"""HIDE: photographs of people in motion, for networks trained on GoPro.

2025 test images in one of two layouts:

    HIDE/test/{test-close-ups,test-long-shot}/NAME.png with HIDE/GT/NAME.png   as published
    HIDE/[test/]{input,target}/NAME.png                                       as repackaged

Scored like GoPro: PSNR and SSIM of the whole RGB image, without crop or registration; the SSIM of
the tables is MATLAB's.

Shen et al., "Human-Aware Motion Deblurring", ICCV 2019.
"""

from __future__ import annotations

import os
from pathlib import Path

from srn_tf.common.errors import InputError, named
from srn_tf.common.folders import files_below
from srn_tf.data import PairFiles, find_pairs, sized_pairs
from srn_tf.evaluation.benchmarks import BenchmarkImage, OneTruthBenchmark
from srn_tf.media.images import is_image

IMAGES = 2025
GROUPS = ("test-close-ups", "test-long-shot")
TRUTH = "GT"
SOURCE = (
    'Shen et al., "Human-Aware Motion Deblurring" (ICCV 2019): '
    "https://github.com/joanshen0508/HA_deblur"
)


class HideBenchmark(OneTruthBenchmark):
    """The test images of HIDE; each group is averaged by itself too.

    Raises:
      InputError: no images in either layout, or one without its partner, which is named.
    """

    layouts = "test-close-ups/NAME.png and test-long-shot/NAME.png, or NAME.png"
    published = "SRN trained on GoPro, as later papers report it: PSNR 28.36, SSIM (MATLAB) 0.915"
    folders = (*GROUPS, TRUTH, "input", "target")

    def __init__(self, data_dir: str | os.PathLike):
        files, missing = survey_hide(data_dir)
        if missing:
            raise InputError(f"{data_dir} lacks {named(missing)} of HIDE. Source: {SOURCE}")
        super().__init__(data_dir, sized_pairs(files), "hide", benchmark="hide")

    def places(self, image: BenchmarkImage) -> list[str]:
        return list(dict.fromkeys([f"{image.name}.png", f"{Path(image.name).name}.png"]))


def survey_hide(data_dir: str | os.PathLike) -> tuple[list[PairFiles], list[str]]:
    """The pairs of HIDE that are there, and what is missing.

    Raises:
      InputError: nothing of HIDE is there, or a file of the second layout has no partner.
    """
    data_dir = Path(data_dir)
    roots = [root for root in (data_dir / "test", data_dir) if (root / GROUPS[0]).is_dir()]
    if roots:
        return _as_published(data_dir, roots[0])
    if not any((root / "input").is_dir() for root in (data_dir / "test", data_dir)):
        raise InputError(
            f"{data_dir} has neither test/{GROUPS[0]}/ and test/{GROUPS[1]}/ nor input/ and "
            f"target/: pass the unpacked folder of HIDE. Source: {SOURCE}"
        )
    pairs = find_pairs(data_dir, "test")
    return [PairFiles(pair.name, "", pair.blurred, pair.sharp) for pair in pairs], []


def _as_published(data_dir: Path, root: Path) -> tuple[list[PairFiles], list[str]]:
    truth = next((folder / TRUTH for folder in (data_dir, root) if (folder / TRUTH).is_dir()), None)
    missing = [] if truth else [f"the folder {TRUTH}"]
    files = []
    for group in GROUPS:
        folder = root / group
        blurred_files = sorted(files_below(folder) if folder.is_dir() else ())
        if not blurred_files:
            missing.append(f"{group}/*.png")
        for blurred in filter(is_image, blurred_files if truth else ()):
            if (truth / blurred.name).exists():
                name = f"{group}/{blurred.stem}"
                files.append(PairFiles(name, group, blurred, truth / blurred.name))
            else:
                missing.append(f"{TRUTH}/{blurred.name}")
    return files, missing
