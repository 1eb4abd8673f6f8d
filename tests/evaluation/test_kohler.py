"""Köhler's benchmark on synthetic miniatures of it, in both forms of its ground truth."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from srn_tf.common.errors import InputError, RunError
from srn_tf.evaluation import metrics
from srn_tf.evaluation.checking import check
from srn_tf.evaluation.datasets import TEST_SETS, open_test_set
from srn_tf.evaluation.kohler import read_frames
from srn_tf.evaluation.protocol import TestImage as Image
from srn_tf.media.images import write_image

HEIGHT, WIDTH = 6, 8


def frames_of(i, j):
    """Ground truth as recorded, [N, H, W, 3]; frame k starts with the pixel (i, j, k)."""
    count = 199 if (i, j) == (1, 3) else 2
    rng = np.random.default_rng(100 * i + j)
    frames = rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for k, frame in enumerate(frames, start=1):
        frame[0, 0] = (i, j, k)
    return frames


def numbers():
    return [(i, j) for i in range(1, 5) for j in range(1, 13)]


def write_blurred(folder):
    for i, j in numbers():
        write_image(folder / f"Blurry{i}_{j}.png", np.full((HEIGHT, WIDTH, 3), i + j, np.uint8))


@pytest.fixture
def png_benchmark(tmp_path):
    write_blurred(tmp_path)
    for i, j in numbers():
        for k, frame in enumerate(frames_of(i, j), start=1):
            name = f"Image{i}/Kernel{j}/GroundTruth{i}_{j}_{k}.png"
            write_image(tmp_path / name, frame)
    return tmp_path


@pytest.fixture
def mat_benchmark(tmp_path):
    write_blurred(tmp_path / "BlurryImages")
    for i, j in numbers():
        write_mat(tmp_path / f"GroundTruth{i}_{j}.mat", frames_of(i, j))
    return tmp_path


def write_mat(path, frames):
    variables = {"GroundTruth": np.transpose(frames, (1, 2, 3, 0))}
    scipy.io.savemat(path, variables, do_compression=True)


def images_of(folder):
    return open_test_set("kohler", folder).images


@pytest.mark.parametrize("layout", ["png_benchmark", "mat_benchmark"])
def test_all_images_are_found_with_the_frames_that_the_protocol_uses(layout, request):
    images = images_of(request.getfixturevalue(layout))
    assert [image.name for image in images] == [f"Blurry{i}_{j}" for i, j in numbers()]
    for image, (i, j) in zip(images, numbers()):
        assert image.blurred.name == f"Blurry{i}_{j}.png"
        frames = read_frames(image)
        assert frames.dtype == np.uint8
        if (i, j) == (1, 3):
            assert frames[:, 0, 0, 2].tolist() == [*range(1, 30), *range(31, 199)]
        else:
            np.testing.assert_array_equal(frames, frames_of(i, j))


def test_a_frame_that_is_not_used_may_be_missing(png_benchmark):
    (png_benchmark / "Image1/Kernel3/GroundTruth1_3_30.png").unlink()
    assert len(images_of(png_benchmark)[2].truth) == 197


def test_more_than_nine_frames_keep_their_numerical_order(png_benchmark):
    for k in range(3, 13):
        frame = np.full((HEIGHT, WIDTH, 3), k, np.uint8)
        write_image(png_benchmark / f"Image1/Kernel1/GroundTruth1_1_{k}.png", frame)
    frames = read_frames(images_of(png_benchmark)[0])
    assert frames[:, 0, 0, 2].tolist() == list(range(1, 13))


def test_missing_files_are_named(png_benchmark):
    (png_benchmark / "Blurry2_5.png").unlink()
    for path in (png_benchmark / "Image3/Kernel1").iterdir():
        path.unlink()
    (png_benchmark / "Image4/Kernel12/GroundTruth4_12_1.png").unlink()
    message = (
        r"Blurry2_5\.png, GroundTruth3_1 \(\.mat or .*\), GroundTruth4_12_1\.png of .* Source: "
    )
    with pytest.raises(InputError, match=message):
        images_of(png_benchmark)


def test_a_file_that_is_there_twice_fails_by_name(png_benchmark):
    write_image(png_benchmark / "results/Blurry1_1.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(InputError, match=r"Blurry1_1\.png is there twice"):
        images_of(png_benchmark)


def image_with(*ground_truth):
    return Image("Blurry1_1", "Image1", Path("Blurry1_1.png"), ground_truth)


def save(variables):
    return lambda path: scipy.io.savemat(path, variables)


def truncate(path):
    write_mat(path, frames_of(1, 1))
    path.write_bytes(path.read_bytes()[:140])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda path: path.write_bytes(
                b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600)
            ),
            r"is MATLAB 7\.3.*-v7",
        ),
        (save({"GroundTruth": np.zeros((4, 5, 3, 2))}), "double"),
        (save({"frames": np.zeros((4, 5, 3, 2), np.uint8)}), "has no variable GroundTruth"),
        (lambda path: path.write_bytes(b""), "is unreadable or truncated"),
        (truncate, "is unreadable or truncated"),
        (os.mkfifo, "is a pipe"),
    ],
)
def test_a_mat_file_that_cannot_be_used_is_refused_by_name(tmp_path, write, message):
    path = tmp_path / "GroundTruth1_1.mat"
    write(path)
    with pytest.raises(InputError, match=rf"GroundTruth1_1\.mat.*{message}"):
        read_frames(image_with(path))


def test_frames_of_different_sizes_are_refused_by_name(tmp_path):
    paths = tmp_path / "GroundTruth1_1_1.png", tmp_path / "GroundTruth1_1_2.png"
    write_image(paths[0], np.zeros((4, 5, 3), np.uint8))
    write_image(paths[1], np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"GroundTruth1_1_2\.png differs in size"):
        read_frames(image_with(*paths))


def test_a_check_lists_a_complete_benchmark(png_benchmark, capsys):
    check("kohler", png_benchmark)
    assert "(8x6 pixels)" in capsys.readouterr().out


def test_a_check_names_every_fault(mat_benchmark, capsys):
    (mat_benchmark / "BlurryImages/Blurry2_5.png").unlink()
    write_image(mat_benchmark / "BlurryImages/Blurry1_2.png", np.zeros((5, 5, 3), np.uint8))
    (mat_benchmark / "GroundTruth4_4.mat").write_bytes(b"")
    with pytest.raises(RunError, match="4 faults"):
        check("kohler", mat_benchmark)
    printed = capsys.readouterr().out
    assert "Blurry2_5.png is missing" in printed
    assert "all: 47 images instead of 48" in printed
    assert f"{mat_benchmark}/BlurryImages/Blurry1_2.png differs in size from" in printed
    assert "GroundTruth4_4.mat is unreadable" in printed


def test_predictions_are_scored_by_the_protocol(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 161, 170, 3), dtype=np.uint8)
    write_mat(tmp_path / "GroundTruth1_1.mat", frames)
    image = image_with(tmp_path / "GroundTruth1_1.mat")
    scores = TEST_SETS["kohler"].score(image, [frames[0] // 2, frames[1] // 3])
    assert scores == [
        list(metrics.kohler_scores(deblurred, frames)[:2])
        for deblurred in (frames[0] // 2, frames[1] // 3)
    ]
