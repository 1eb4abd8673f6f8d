"""RealBlur-J and RealBlur-R: photographs of one camera shaken and one still, roughly aligned.

980 test images of 50 scenes each, J from JPEG files and R from raw files:

    ROOT/RealBlur-J_ECC_IMCORR_centroid_itensity_ref/sceneNNN/{blur/blur_K,gt/gt_K}.png
    ROOT/RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/sceneNNN/{blur/blur_K,gt/gt_K}.png

The test images are those of ROOT/RealBlur_J_test_list.txt (or _R_), a line "gt blur" for each with
paths relative to ROOT; without such a list, all of the folder. The truth of scene 244 is read from
scene244_reflect, as the authors' scorer does.

What is left of the misalignment is taken out before scoring (see `srn_tf.evaluation.registration`),
which is worth about 1.8 dB: a score without it is another number.

Rim et al., "Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms", ECCV
2020.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError, named
from srn_tf.common.files import read_text
from srn_tf.common.folders import files_below
from srn_tf.data import PairFiles, sized_pairs
from srn_tf.evaluation.benchmarks import BenchmarkImage, OneTruthBenchmark, sequence_places
from srn_tf.evaluation.registration import RegisteredScores, registered_scores

IMAGES = 980  # of 50 scenes
FOLDERS = {
    "J": "RealBlur-J_ECC_IMCORR_centroid_itensity_ref",
    "R": "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref",
}
SOURCE = (
    'Rim et al., "Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms" '
    "(ECCV 2020): http://cg.postech.ac.kr/research/realblur/"
)
_PUBLISHED = {"J": "PSNR 31.38, SSIM 0.909", "R": "PSNR 38.65, SSIM 0.965"}


class RealBlurBenchmark(OneTruthBenchmark):
    """The test images of RealBlur; a scene is averaged by itself too.

    Args:
      data_dir: the folder ROOT, the folder of the scenes itself, or a list file in ROOT.
      kind: "J" or "R".

    Raises:
      InputError: no images there, or one without its partner, which is named.
    """

    metrics = RegisteredScores._fields
    layouts = "sceneNNN/blur_K.png, sceneNNN/blur/blur_K.png or sceneNNN_blur_K.png"

    def __init__(self, data_dir: str | os.PathLike, kind: str):
        files, missing = survey_realblur(data_dir, kind)
        if missing:
            raise InputError(
                f"{data_dir} lacks {named(missing)} of RealBlur-{kind}. Source: {SOURCE}"
            )
        name = f"realblur_{kind.lower()}"
        super().__init__(data_dir, sized_pairs(files), name, benchmark=name)
        self.published = f"SRN trained on RealBlur-{kind} (by its authors): {_PUBLISHED[kind]}"

    def compare(self, deblurred: np.ndarray, sharp: np.ndarray) -> Sequence[float]:
        return registered_scores(deblurred, sharp)

    def places(self, image: BenchmarkImage) -> list[str]:
        return sequence_places(image, ("", "blur/"))

    def ignores(self, path: Path, used: set[Path]) -> bool:
        # The data itself may be scored: beside blur/ there is gt/, and scenes of training.
        return path.parent.name in ("gt", "blur") and path.parent.parent.name.startswith("scene")


def survey_realblur(data_dir: str | os.PathLike, kind: str) -> tuple[list[PairFiles], list[str]]:
    """The pairs that are there, and what is missing.

    Raises:
      InputError: nothing of RealBlur is there, or a line of the list is not as described above.
    """
    data_dir = Path(data_dir)
    list_file = data_dir if data_dir.is_file() else data_dir / f"RealBlur_{kind}_test_list.txt"
    if list_file.exists():
        candidates = _listed(list_file)
    else:
        candidates = _in_folder(data_dir / FOLDERS[kind]) or _in_folder(data_dir)
    if not candidates:
        raise InputError(
            f"{data_dir} has neither {list_file.name} nor {FOLDERS[kind]}/sceneNNN/blur/blur_K.png:"
            f" pass the unpacked folder of RealBlur. Source: {SOURCE}"
        )
    files, missing = [], []
    for sharp, blurred in candidates:
        lacking = [str(path) for path in (sharp, blurred) if not path.exists()]
        missing += lacking
        scene = blurred.parents[1].name
        if not lacking:
            files.append(PairFiles(f"{scene}/{blurred.stem}", scene, blurred, _truth(sharp)))
    return files, missing


def _listed(list_file: Path) -> list[tuple[Path, Path]]:
    lines = read_text(list_file).splitlines()
    pairs = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        paths = [list_file.parent / word for word in words]
        if len(paths) != 2 or [path.parent.name for path in paths] != ["gt", "blur"]:
            raise InputError(
                f"{list_file}, line {number}: expected .../gt/gt_K.png .../blur/blur_K.png"
            )
        pairs.append((paths[0], paths[1]))
    return pairs


def _in_folder(folder: Path) -> list[tuple[Path, Path]]:
    return [
        (blurred.parents[1] / "gt" / blurred.name.replace("blur_", "gt_"), blurred)
        for blurred in sorted(files_below(folder) if folder.is_dir() else ())
        if blurred.match("scene*/blur/blur_*.png")
        and not blurred.parents[1].name.endswith("_reflect")
    ]


def _truth(sharp: Path) -> Path:
    scene = sharp.parents[1]
    reflected = scene.with_name(f"{scene.name}_reflect") / "gt" / sharp.name
    return reflected if reflected.exists() else sharp
