"""Videos through `deblur_video` with an identity in place of a network."""

import os
import stat
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import frames_of, make_video, packets_of, picture, times_of, turn

from srn_tf.common.errors import InputError, RunError
from srn_tf.inference.video_files import VideoOptions, deblur_video, parse_frames
from srn_tf.media.containers import CONTAINERS


def identity(image):
    assert image.shape[2:] == (3,)
    return image


def deblur(source, target, **options):
    return deblur_video(identity, source, target, VideoOptions(**{"crf": 1, **options}))


@pytest.mark.parametrize("codec", [None, "ffv1"])
@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_every_container_keeps_frames_and_times(tmp_path, suffix, size, codec):
    pixels = "yuv420p" if size == (48, 64) else "yuv444p"
    source = make_video(tmp_path / "in.mkv", size=size, pixels=pixels)
    target = tmp_path / f"out{suffix}"
    if codec and codec not in CONTAINERS[suffix].codecs:
        with pytest.raises(InputError, match=f"not {codec}"):
            deblur(source, target, codec=codec)
        return
    assert deblur(source, target, codec=codec) == []
    np.testing.assert_allclose(times_of(target), [0, 0.04, 0.08, 0.12], atol=1e-3)
    for number, (frame, before) in enumerate(zip(frames_of(target), frames_of(source))):
        assert frame.image.shape == (*size, 3)
        difference = np.abs(frame.image.astype(int) - before.image)
        assert difference.max() == 0 if codec == "ffv1" else difference.mean() < 2
        np.testing.assert_allclose(frame.image[-9, -9], picture(number, size)[-9, -9], atol=8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", target.name]


# A display matrix and what it does to the picture; x' = ax + cy, y' = bx + dy, y points downwards.
TURNS = {
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), np.rot90),
    "mirror": ((-1, 0, 0, 1), np.fliplr),
}


@pytest.mark.parametrize("name", TURNS)
def test_phones_portraits_come_out_upright(tmp_path, name):
    matrix, turned = TURNS[name]
    source = make_video(tmp_path / "in.mp4", times=(0, 1), sample_aspect_ratio=Fraction(4, 3))
    stored = frames_of(source)[0].image
    turn(source, *matrix)
    deblur(source, tmp_path / "out.mp4")
    (frame, _) = frames_of(tmp_path / "out.mp4")
    assert np.abs(frame.image.astype(int) - turned(stored)).mean() < 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        ratio = container.streams.video[0].sample_aspect_ratio
    assert ratio == (Fraction(3, 4) if name in ("90", "270") else Fraction(4, 3))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_rates_and_sound_are_kept(tmp_path, suffix):
    times = (0, 1000, 5000, 9000, 20000, 33333, 90000)
    source = make_video(
        tmp_path / f"in{suffix}", times, time_base=Fraction(1, 90000), sound="aac", sound_blocks=60
    )
    target = tmp_path / f"out{suffix}"
    assert deblur(source, target) == []
    np.testing.assert_allclose(times_of(target), times_of(source), rtol=0, atol=1e-9)
    assert packets_of(target, "audio") == packets_of(source, "audio")
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert after.duration == pytest.approx(before.duration, abs=2000)  # microseconds


def test_a_live_webm_keeps_its_times_though_its_header_tells_no_length(tmp_path):
    source = make_video(
        tmp_path / "in.webm",
        tuple(range(0, 2000, 400)),
        time_base=Fraction(1, 1000),
        encoder="libvpx-vp9",
        options={"live": "1", "crf": "4", "b": "0"},
    )
    deblur(source, tmp_path / "out.webm")
    np.testing.assert_allclose(times_of(tmp_path / "out.webm"), [0, 0.4, 0.8, 1.2, 1.6], atol=1e-3)


def test_what_the_container_cannot_hold_is_named(tmp_path):
    source = make_video(tmp_path / "in.mp4", sound="aac")
    (note,) = deblur(source, tmp_path / "out.webm")
    assert "webm holds no aac audio: it is left out" in note
    uneven = make_video(
        tmp_path / "uneven.mkv", (0, 100, 900, 40000), time_base=Fraction(1, 90000), rate=30
    )
    with pytest.raises(InputError, match="avi holds constant frame rates only"):
        deblur(uneven, tmp_path / "out.avi")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_unusual_rates_work(tmp_path, suffix):
    rate = Fraction(1198812, 10000)
    source = make_video(tmp_path / "in.mkv", time_base=1 / rate)
    deblur(source, tmp_path / f"out{suffix}")
    expected = [number / 119.8812 for number in range(4)]
    np.testing.assert_allclose(times_of(tmp_path / f"out{suffix}"), expected, atol=1e-3)


def test_ten_bits_are_computed_in_sixteen_and_written_as_ten(tmp_path):
    source = make_video(tmp_path / "in.mp4", pixels="yuv420p10le")
    seen = []

    def watch(image):
        seen.append(image.dtype)
        return image

    assert deblur_video(watch, source, tmp_path / "out.mp4", VideoOptions(crf=1)) == []
    assert seen == 4 * [np.uint16]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
    before, after = frames_of(source)[0].image, frames_of(tmp_path / "out.mp4")[0].image
    assert np.abs(after.astype(int) - before).mean() < 257
    (note,) = deblur_video(watch, source, tmp_path / "out.webm", VideoOptions())
    assert "8 bits" in note


@pytest.mark.parametrize(("space", "limits"), [(1, 1), (1, 2), (5, 1)])
def test_colours_their_range_and_primaries_are_kept(tmp_path, space, limits):
    fields = {"colorspace": space, "color_range": limits, "color_primaries": space, "color_trc": 1}
    source = make_video(tmp_path / "in.mp4", pixels="yuv444p", **fields)
    deblur(source, tmp_path / "out.mp4")
    found = frames_of(tmp_path / "out.mp4")[0].image
    np.testing.assert_allclose(found[40, 50].astype(int), picture(0, (48, 64))[40, 50], atol=4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert {name: int(getattr(context, name)) for name in fields} == fields


def test_a_part_and_a_comparison(tmp_path):
    source = make_video(tmp_path / "in.mkv", tuple(range(8)), sound="aac")
    (note,) = deblur(source, tmp_path / "part.mkv", codec="ffv1", frames=(2, 5), compare=True)
    assert "without its sound" in note
    found, before = frames_of(tmp_path / "part.mkv"), frames_of(source)[2:5]
    assert len(found) == 3
    for one, other in zip(found, before):
        np.testing.assert_array_equal(one.image, np.hstack([other.image, other.image]))
    np.testing.assert_allclose(times_of(tmp_path / "part.mkv"), [0, 0.04, 0.08], atol=1e-3)
    assert parse_frames("100:200") == (100, 200)
    for wrong in ("5", "7:7", "a:b", "-1:4"):
        with pytest.raises(InputError, match="range such as 100:200"):
            parse_frames(wrong)


def test_sound_that_lasts_longer_than_the_picture_is_no_truncation(tmp_path):
    source = make_video(tmp_path / "in.mkv", sound="aac", sound_blocks=200)
    assert deblur(source, tmp_path / "out.mkv") == []


@pytest.mark.parametrize("kind", ["in.mkv", "in.avi", "in.mp4"])
def test_a_truncated_video_keeps_its_frames_apart_and_the_earlier_result(tmp_path, kind):
    options = {"in.avi": {"encoder": "mjpeg", "pixels": "yuvj420p", "options": {}}}.get(kind, {})
    if kind == "in.mp4":
        source = make_video(tmp_path / kind, tuple(range(60)), muxer="ismv")  # in fragments
    else:
        source = make_video(tmp_path / kind, tuple(range(60)), **options)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    target = tmp_path / "out.mkv"
    target.write_bytes(b"an earlier result")
    with pytest.raises(RunError, match=rf"{kind}: it ends early .*out\.truncated\.mkv holds"):
        deblur(source, target)
    assert target.read_bytes() == b"an earlier result"
    assert 0 < len(frames_of(tmp_path / "out.truncated.mkv")) < 60


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"12:30.mp4", b"-x.mp4", 250 * b"n" + b".mp4"])
def test_names_of_all_kinds_work(tmp_path, name):
    source = make_video(tmp_path / os.fsdecode(name), times=(0, 1))
    assert deblur(source, tmp_path / "out" / source.name) == []
    assert len(times_of(tmp_path / "out" / source.name)) == 2


def test_what_is_no_video_of_one_file_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"no video")
    inner = make_video(tmp_path / "secret.mkv")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{inner}\n#EXT-X-ENDLIST\n"
    (tmp_path / "playlist.mp4").write_text(playlist)
    (tmp_path / "concat.mp4").write_text(f"ffconcat version 1.0\nfile {inner}\n")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert stat.S_ISFIFO((tmp_path / "pipe.mp4").stat().st_mode)
    for name in ("text.mp4", "playlist.mp4", "concat.mp4", "pipe.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=name):
            deblur(tmp_path / name, tmp_path / "out" / "out.mp4")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
