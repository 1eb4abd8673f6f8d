"""The layouts of the benchmarks are found; a missing file is named; RealBlur's registration."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.ndimage

from data_tools import hide, realblur, reds
from srn_tf.common.errors import InputError, RunError
from srn_tf.evaluation.metrics import scores
from srn_tf.evaluation.names import BENCHMARKS, open_benchmark
from srn_tf.evaluation.predictions import find_predictions
from srn_tf.evaluation.realblur import FOLDERS
from srn_tf.evaluation.registration import registered_scores
from srn_tf.media.images import write_image


def write(root, *names):
    for name in names:
        image = np.random.default_rng([*name.encode()]).integers(0, 256, (24, 32, 3), np.uint8)
        write_image(root / name, image)


def hide_as_published(root):
    write(root, "test/test-close-ups/1.png", "test/test-long-shot/2.png", "GT/1.png", "GT/2.png")
    return ["test-close-ups/1", "test-long-shot/2"], "GT/2.png"


def hide_repackaged(root):
    write(root, "input/1.png", "input/2.png", "target/1.png", "target/2.png")
    return ["1", "2"], "target/2.png"


def reds_as_published(root):
    write(root / "val/val_sharp/003", "00000009.png", "00000010.png", "00000019.png")
    write(root / "val/val_blur_jpeg/003", "00000009.jpg", "00000010.jpg", "00000019.jpg")
    return ["003/00000009", "003/00000019"], "val/val_sharp/003/00000019.png"


def reds_repackaged(root):
    write(root, *(f"{kind}/003_000000{n}.png" for kind in ("input", "target") for n in (10, 19)))
    return ["003_00000019"], "target/003_00000019.png"


def scenes(root, kind):
    write(
        root / FOLDERS[kind],
        *(
            f"scene{n}/{kind}_{k}.png".replace("/", f"/{kind}/")
            for n in ("001", "002")
            for k in (1, 2)
            for kind in ("gt", "blur")
        ),
    )
    return ["scene001/blur_1", "scene001/blur_2", "scene002/blur_1", "scene002/blur_2"]


def realblur_folder(kind):
    return lambda root: (scenes(root, kind), f"{FOLDERS[kind]}/scene002/gt/gt_2.png")


def realblur_list(root):
    scenes(root, "J")
    scene = f"{FOLDERS['J']}/scene002"
    line = f"{scene}/gt/gt_2.png {scene}/blur/blur_2.png \r\n"
    (root / "RealBlur_J_test_list.txt").write_text(line)
    return ["scene002/blur_2"], f"{scene}/gt/gt_2.png"


LAYOUTS = [
    ("hide", hide_as_published),
    ("hide", hide_repackaged),
    ("reds", reds_as_published),
    ("reds", reds_repackaged),
    ("realblur_j", realblur_folder("J")),
    ("realblur_r", realblur_folder("R")),
    ("realblur_j", realblur_list),
]


@pytest.mark.parametrize(("name", "make"), LAYOUTS)
def test_layout_is_found_and_a_missing_file_is_named(tmp_path, name, make):
    expected, truth = make(tmp_path)
    benchmark = open_benchmark(name, tmp_path)
    assert [image.name for image in benchmark.images] == expected
    assert benchmark.images[-1].truth == (tmp_path / truth,)
    assert benchmark.about["benchmark"] == benchmark.tag == name
    for image in benchmark.images:
        assert image.blurred.exists()
        for index, place in enumerate(benchmark.places(image)):
            write_image(tmp_path / f"mine{index}" / place, np.zeros((24, 32, 3), np.uint8))
    found = find_predictions(tmp_path / "mine0", benchmark)
    assert found == {n: tmp_path / f"mine0/{n}.png" for n in expected}
    if (tmp_path / "mine1").exists():
        assert list(find_predictions(tmp_path / "mine1", benchmark)) == expected
    (tmp_path / truth).unlink()
    with pytest.raises(InputError, match=Path(truth).name):
        open_benchmark(name, tmp_path)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_empty_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=str(tmp_path)):
        open_benchmark(name, tmp_path)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "gopro"])
def test_only_gopro_has_splits_and_subsets(tmp_path, name):
    for arguments in ({"split": "test"}, {"blur_subset": "blur"}):
        with pytest.raises(InputError, match=f"do not go with --benchmark={name}"):
            open_benchmark(name, tmp_path, **arguments)


def test_the_truth_of_a_reflected_scene_is_the_reflection(tmp_path):
    folder = tmp_path / FOLDERS["J"]
    write(folder, "scene244/blur/blur_1.png", "scene244/gt/gt_1.png")
    write(folder, "scene244_reflect/blur/blur_1.png", "scene244_reflect/gt/gt_1.png")
    (image,) = open_benchmark("realblur_j", tmp_path).images
    assert image.blurred == folder / "scene244/blur/blur_1.png"
    assert image.truth == (folder / "scene244_reflect/gt/gt_1.png",)


def test_hide_is_scored_like_gopro(tmp_path):
    hide_as_published(tmp_path)
    benchmark = open_benchmark("hide", tmp_path)
    image = benchmark.images[1]
    deblurred = cv2.imread(str(image.blurred))[..., ::-1]
    sharp = cv2.imread(str(tmp_path / "GT/2.png"))[..., ::-1]
    assert benchmark.score(image, [deblurred]) == [list(scores(deblurred, sharp))]


SIDE = (96, 128)


def photograph(seed=0, margin=16):
    """A smooth random picture with a margin around `SIDE`."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0, 1, (SIDE[0] + 2 * margin, SIDE[1] + 2 * margin, 3))
    smooth = scipy.ndimage.gaussian_filter(noise, (3, 3, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return smooth


def shaken(margin=16):
    """A picture and the same seen through a known homography and half as bright, in uint8."""
    wide = photograph(margin=margin)
    homography = np.array([[1.01, 0.01, 2.6], [-0.012, 0.995, -1.7], [2e-5, -1e-5, 1]])
    shift = np.array([[1, 0, margin], [0, 1, margin], [0, 0, 1.0]])
    size = SIDE[::-1]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    sharp = wide[margin:-margin, margin:-margin]
    moved = cv2.warpPerspective(wide, shift @ homography, size, flags=flags)
    return (np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in (sharp, moved / 2))


def transcribed(deblurred, sharp):
    """RealBlur's definition, step by step and apart from the code under test."""
    x, z = sharp.astype(np.float64) / 255, deblurred.astype(np.float64) / 255
    zs = (x * z).sum() / (z * z).sum() * z
    gray = [cv2.cvtColor(np.float32(image), cv2.COLOR_RGB2GRAY) for image in (x, zs)]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 0)
    _, h = cv2.findTransformECC(
        gray[0],
        gray[1],
        np.eye(3, dtype=np.float32),
        cv2.MOTION_HOMOGRAPHY,
        criteria,
        inputMask=None,
        gaussFiltSize=5,
    )
    size = x.shape[1::-1]
    inverse = cv2.WARP_INVERSE_MAP
    zr = cv2.warpPerspective(
        zs, h, size, flags=cv2.INTER_CUBIC + inverse, borderMode=cv2.BORDER_REFLECT
    )
    cr = cv2.warpPerspective(
        np.ones_like(zs),
        h,
        size,
        flags=cv2.INTER_NEAREST + inverse,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    zr, xr = zr * cr, x * cr
    psnr = 10 * np.log10(1 / (((xr - zr) ** 2).sum() / cr.sum()))

    def mean(plane):
        return scipy.ndimage.gaussian_filter(plane, 1.5, truncate=3.5)

    ssims = []
    for c in range(3):
        a, b, mask = xr[..., c], zr[..., c], cr[..., c]
        ma, mb = mean(a), mean(b)
        va, vb, vab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        ssim = (2 * ma * mb + 1e-4) * (2 * vab + 9e-4)
        ssim = ssim / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)) * mask
        ssims.append(ssim[5:-5, 5:-5].sum() / mask[5:-5, 5:-5].sum())
    return psnr, np.mean(ssims)


def test_a_known_homography_and_brightness_are_undone():
    sharp, deblurred = shaken()
    found = registered_scores(deblurred, sharp)
    assert found.aligned == 1
    assert found[:2] == pytest.approx(transcribed(deblurred, sharp), rel=1e-6)
    assert found.psnr > 40 > 30 > scores(deblurred, sharp).psnr
    assert found.ssim > 0.99


def test_images_that_cannot_be_registered_are_compared_as_they_are():
    sharp = (255 * photograph(margin=0)).astype(np.uint8)
    deblurred = np.full_like(sharp, 7)  # flat: ECC has nothing to hold on to
    found = registered_scores(deblurred, sharp)
    x = sharp / 255
    z = np.full_like(x, x.sum() * (7 / 255) / (x.size * (7 / 255) ** 2) * 7 / 255)
    assert found.aligned == 0
    assert found.psnr == pytest.approx(10 * np.log10(1 / np.mean((x - z) ** 2)))


@pytest.mark.parametrize(
    ("deblurred", "message"),
    [
        (np.zeros((24, 32, 3), np.uint8), "is black"),
        (np.ones((24, 33, 3), np.uint8), "two images of one size"),
        (np.ones((24, 32, 3)), "takes uint8 images"),
    ],
)
def test_images_that_cannot_be_scored_are_refused(deblurred, message):
    with pytest.raises(InputError, match=message):
        registered_scores(deblurred, np.ones((24, 32, 3), np.uint8))


def test_realblur_is_scored_after_registration(tmp_path):
    scenes(tmp_path, "J")
    benchmark = open_benchmark("realblur_j", tmp_path)
    image = benchmark.images[0]
    deblurred, sharp = (cv2.imread(str(p))[..., ::-1] for p in (image.blurred, *image.truth))
    expected = list(registered_scores(deblurred, sharp))
    assert benchmark.score(image, [deblurred]) == [expected]
    assert benchmark.metrics == ("psnr", "ssim", "aligned")


@pytest.mark.parametrize(
    ("tool", "make", "lacking"),
    [
        (hide, hide_as_published, "2 images instead of 2025"),
        (reds, reds_as_published, "2 images instead of 300"),
        (realblur, realblur_list, "1 images instead of 980"),
    ],
)
def test_a_checker_counts_decodes_and_names(tmp_path, capsys, tool, make, lacking):
    _, truth = make(tmp_path)
    arguments = ("J",) if tool is realblur else ()
    with pytest.raises(RunError, match="1 fault"):
        tool.check(tmp_path, *arguments)
    assert lacking in capsys.readouterr().out
    content = (tmp_path / truth).read_bytes()
    (tmp_path / truth).write_bytes(content[:-100])
    with pytest.raises(RunError, match="2 faults"):
        tool.check(tmp_path, *arguments)
    assert f"{tmp_path / truth} is unreadable" in capsys.readouterr().out
    (tmp_path / truth).unlink()
    with pytest.raises((RunError, InputError)):
        tool.check(tmp_path, *arguments)
    assert truth.rpartition("/")[2] in capsys.readouterr().out
