import os
from fractions import Fraction

import commands
import cv2
import numpy as np
import pytest
from clips import frames_of, make_video, turn, with_another_size
from pair_folders import unreadable

from data_tools.synthesize import cut_into_windows, parse_window, synthesize
from srn_tf.common.errors import InputError, RunError


def scene(seed, frames, size=(36, 64), step=1):
    """A camera that pans over a smooth random scene: uint8 [frames, H, W, 3]."""
    height, width = size
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width + step * frames, 3))
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    picture = picture.astype(np.uint8)
    return np.stack([picture[:, step * i : step * i + width] for i in range(frames)])


def write_frames(folder, frames, first=1):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=first):
        # Without leading zeros: name order is not the order of the frames.
        assert cv2.imwrite(str(folder / f"frame_{number}.png"), frame[..., ::-1])
    return folder


def write_video(path, frames, fps):
    size, times, rate = frames.shape[1:3], tuple(range(len(frames))), Fraction(1, fps)
    fields = {"encoder": "mjpeg", "pixels": "yuvj420p", "options": {"qmin": "1", "qmax": "2"}}
    return make_video(path, times, size, time_base=rate, pictures=frames, **fields)


def read(path):
    image = cv2.imread(str(path))
    assert image is not None, path
    return image[..., ::-1]


def pair_names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*/sharp/*.png"))


def test_pairs_are_the_averages_and_the_middle_of_their_windows(tmp_path):
    frames = scene(0, 25)
    output = tmp_path / "pairs"
    source = write_frames(tmp_path / "pan", frames)
    assert synthesize(source, output, window=(11, 11), fps=240) == (2, 0)
    assert pair_names(output) == [
        "train/pan_11_00/sharp/000006.png",
        "train/pan_11_00/sharp/000017.png",
    ]
    sequence = output / "train/pan_11_00"
    for name, window in (("000006", frames[0:11]), ("000017", frames[11:22])):
        np.testing.assert_array_equal(read(sequence / "sharp" / f"{name}.png"), window[5])
        mean = window.astype(float).sum(axis=0) / 11
        np.testing.assert_allclose(read(sequence / "blur" / f"{name}.png"), mean, atol=0.51)
        light = ((window / 255.0) ** 2.2).sum(axis=0) / 11
        np.testing.assert_allclose(
            read(sequence / "blur_gamma" / f"{name}.png"), 255 * light ** (1 / 2.2), atol=0.51
        )


def test_video_gives_its_decoded_frames(tmp_path):
    path = write_video(tmp_path / "run.avi", scene(0, 16), fps=240)
    decoded = [frame.image for frame in frames_of(path)]
    assert len(decoded) == 16
    synthesize(path, tmp_path / "pairs", split="test", window=(7, 7))
    sequence = tmp_path / "pairs/test/run_07_00"
    np.testing.assert_array_equal(read(sequence / "sharp/000004.png"), decoded[3])
    np.testing.assert_array_equal(read(sequence / "sharp/000011.png"), decoded[10])
    mean = np.mean(decoded[7:14], axis=0)
    np.testing.assert_allclose(read(sequence / "blur/000011.png"), mean, atol=0.51)


def test_portraits_of_a_phone_are_upright_and_ten_bits_become_eight(tmp_path):
    source = make_video(tmp_path / "run.mp4", tuple(range(4)), pixels="yuv420p10le")
    turn(source, 0, 1, -1, 0)
    synthesize(source, tmp_path / "pairs", window=(3, 3), fps=240)
    found = read(tmp_path / "pairs/train/run_03_00/sharp/000002.png")
    assert found.shape == (64, 48, 3)
    np.testing.assert_allclose(found[4, -4].astype(int), (200, 30, 40), atol=3)


def test_windows_are_disjoint_odd_and_within_the_range(tmp_path):
    write_frames(tmp_path / "pan", scene(0, 200, size=(8, 12)))
    synthesize(tmp_path / "pan", tmp_path / "a", window=(7, 13), fps=240)
    spans = []
    for name in pair_names(tmp_path / "a"):
        length, middle = int(name.split("_")[1]), int(name[-10:-4])
        spans.append((middle - length // 2, middle + length // 2, length))
    spans.sort()
    assert {length for *_, length in spans} == {7, 9, 11, 13}
    assert [first for first, *_ in spans] == [1] + [last + 1 for _, last, _ in spans[:-1]]

    synthesize(tmp_path / "pan", tmp_path / "b", window=(7, 13), fps=240)
    synthesize(tmp_path / "pan", tmp_path / "c", window=(7, 13), fps=240, seed=1)
    assert pair_names(tmp_path / "a") == pair_names(tmp_path / "b") != pair_names(tmp_path / "c")


def test_no_window_crosses_a_cut():
    frames = np.concatenate([scene(seed, count) for seed, count in ((1, 17), (2, 5), (3, 14))])
    found = [
        (shot, middle, len(window))
        for shot, middle, window in cut_into_windows(frames, iter([7] * 10))
    ]
    # 17 frames hold two windows of 7, 5 frames none, and 14 frames, from number 23 on, two.
    assert found == [(0, 4, 7), (0, 11, 7), (2, 26, 7), (2, 33, 7)]


def test_motion_is_no_cut_and_a_cut_in_a_fast_pan_is_seen():
    for step in (0, 1, 3):
        frames = scene(0, 30, size=(72, 128), step=step)
        assert [shot for shot, *_ in cut_into_windows(frames, iter([7] * 10))] == [0] * 4
    frames = np.concatenate([scene(seed, 14, size=(72, 128), step=2) for seed in (1, 2)])
    assert [shot for shot, *_ in cut_into_windows(frames, iter([7] * 10))] == [0, 0, 1, 1]


def test_low_frame_rates_are_refused_with_the_reason(tmp_path):
    path = write_video(tmp_path / "phone.avi", scene(0, 14), fps=30)
    with pytest.raises(InputError, match=r"phone.avi has 30 frames per second; below 120 .*copies"):
        synthesize(path, tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()
    assert synthesize(path, tmp_path / "forced", window=(7, 7), allow_low_fps=True) == (2, 0)
    write_frames(tmp_path / "pan", scene(0, 14))
    with pytest.raises(InputError, match=r"pan.*--fps"):
        synthesize(tmp_path / "pan", tmp_path / "pairs")
    # Slow motion: plays at 30, was recorded at 240.
    assert synthesize(path, tmp_path / "slow", window=(7, 7), fps=240) == (2, 0)


def test_resumed_call_writes_what_is_missing_and_nothing_twice(tmp_path):
    source, output = write_frames(tmp_path / "pan", scene(0, 30)), tmp_path / "pairs"
    assert synthesize(source, output, window=(7, 7), fps=240) == (4, 0)
    lost = output / "train/pan_07_00/sharp/000011.png"
    content = lost.read_bytes()
    lost.unlink()
    before = {path: path.stat().st_mtime_ns for path in output.glob("*/*/sharp/*.png")}
    assert synthesize(source, output, window=(7, 7), fps=240) == (1, 3)
    assert lost.read_bytes() == content
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    with pytest.raises(InputError, match=r"made with window \[7, 7\], not \[7, 9\]"):
        synthesize(source, output, window=(7, 9), fps=240)
    (output / "synthesize_train.json").unlink()
    with pytest.raises(InputError, match="another origin"):
        synthesize(source, output, window=(7, 7), fps=240)


def test_every_video_and_folder_of_frames_becomes_a_sequence(tmp_path):
    source = tmp_path / "recordings"
    write_frames(source / "pan", scene(0, 8))
    write_video(source / "run.avi", scene(1, 8), fps=240)
    (source / "notes").mkdir()
    assert synthesize(source, tmp_path / "pairs", window=(7, 7), fps=240) == (2, 0)
    assert pair_names(tmp_path / "pairs") == [
        "train/pan_07_00/sharp/000004.png",
        "train/run_07_00/sharp/000004.png",
    ]
    write_video(source / "pan.avi", scene(1, 8), fps=240)
    with pytest.raises(InputError, match="share a name"):
        synthesize(source, tmp_path / "pairs", window=(7, 7), fps=240)


def test_unusable_sources_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        synthesize(tmp_path / "nowhere", tmp_path / "pairs")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"broken\.mp4 is no readable video"):
        synthesize(tmp_path / "broken.mp4", tmp_path / "pairs")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds neither"):
        synthesize(tmp_path / "empty", tmp_path / "pairs")
    write_frames(tmp_path / "short", scene(0, 5))
    with pytest.raises(RunError, match="short has no shot of 7 frames"):
        synthesize(tmp_path / "short", tmp_path / "pairs", fps=240)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match=r"pipe\.mp4 is a pipe"):
        synthesize(tmp_path / "pipe.mp4", tmp_path / "pairs")
    with unreadable("short"), pytest.raises(InputError, match="short cannot be read"):
        synthesize(tmp_path, tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()


def test_frame_of_another_size_is_named(tmp_path):
    source = write_frames(tmp_path / "pan", scene(0, 6))
    cv2.imwrite(str(source / "frame_7.png"), np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"frame_7.png is 4x5, .* 64x36"):
        synthesize(source, tmp_path / "pairs", fps=240)
    make_video(tmp_path / "two.avi", encoder="mjpeg", pixels="yuvj420p", options={})
    with_another_size(tmp_path / "two.avi", 64, 40)
    with pytest.raises(InputError, match=r"two\.avi: frame \d+ is 64x40, .* 64x48"):
        synthesize(tmp_path / "two.avi", tmp_path / "others", window=(3, 3), fps=240)


def test_names_of_all_kinds_work(tmp_path):
    path = write_video(tmp_path / os.fsdecode(b"fr\xe4me.avi"), scene(0, 8), fps=240)
    assert synthesize(path, tmp_path / "pairs", window=(7, 7)) == (1, 0)


def test_windows_are_given_as_an_odd_number_or_a_range(tmp_path):
    assert (parse_window("11"), parse_window("7-13")) == ((11, 11), (7, 13))
    with pytest.raises(InputError, match="'7,13'"):
        parse_window("7,13")
    for window in ((8, 8), (1, 1), (13, 7), (3, 9999999999)):
        with pytest.raises(InputError, match="middle frame"):
            synthesize(tmp_path, tmp_path / "pairs", window=window)


def test_command_writes_pairs_and_says_how_many(tmp_path):
    write_frames(tmp_path / "pan", scene(0, 8))
    flags = f"--input={tmp_path / 'pan'}", f"--output={tmp_path / 'pairs'}", "--window=7"
    status, output = commands.run("data_tools.synthesize", *flags)
    assert status == 2
    assert "--fps" in output
    status, output = commands.run("data_tools.synthesize", *flags, "--fps=240")
    assert status == 0, output
    assert output.startswith("1 pairs written")
