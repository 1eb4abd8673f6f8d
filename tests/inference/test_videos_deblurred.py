"""Videos through `deblur_video` with an identity in place of a network."""

import os
import resource
import stat
from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest
from clips import (
    deblur,
    frames_of,
    identity,
    make_video,
    packets_of,
    picture,
    times_of,
    turn,
    with_another_size,
)

from srn_tf.common.errors import InputError, RunError
from srn_tf.inference.video_files import VideoOptions, deblur_video, parse_frames
from srn_tf.media.containers import CONTAINERS


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


def test_a_variable_rate_that_the_container_cannot_hold_is_refused(tmp_path):
    uneven = make_video(
        tmp_path / "uneven.mkv", (0, 100, 900, 40000), time_base=Fraction(1, 90000), rate=30
    )
    with pytest.raises(InputError, match="avi holds constant frame rates only"):
        deblur(uneven, tmp_path / "out.avi")


@pytest.mark.parametrize(
    ("suffix", "codec", "is_kept"),
    [
        (".mkv", "h264", True),
        (".mp4", "vp9", True),
        (".avi", "mjpeg", True),
        (".mkv", "ffv1", False),
        (".webm", "vp9", False),
    ],
)
def test_a_pixel_aspect_ratio_is_kept_or_said_to_be_lost(tmp_path, suffix, codec, is_kept):
    source = make_video(tmp_path / "in.mkv", (0, 1), sample_aspect_ratio=Fraction(4, 3))
    notes = deblur(source, tmp_path / f"out{suffix}", codec=codec)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert (container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)) == is_kept
    assert ["no pixel aspect ratio here: 4/3 is left out" in note for note in notes] == (
        [] if is_kept else [True]
    )


def test_frames_of_hostile_sizes_are_refused_before_memory_is_taken(tmp_path):
    source = make_video(tmp_path / "in.avi", encoder="mjpeg", pixels="yuvj420p", options={})
    with pytest.raises(InputError, match=r"in\.avi has frames of more than 0\.001 mega"):
        deblur(source, tmp_path / "out.avi", max_megapixels=0.001)
    with_another_size(source, 16000, 16000)
    with pytest.raises(RunError, match=r"in\.avi: it is damaged; .* holds the 1 frames"):
        deblur(source, tmp_path / "out.avi")


def test_frames_of_several_sizes_are_scaled_and_that_is_said(tmp_path):
    source = make_video(tmp_path / "in.avi", encoder="mjpeg", pixels="yuvj420p", options={})
    with_another_size(source, 64, 40)
    (note,) = deblur(source, tmp_path / "out.avi")
    assert "scaled to that of the first" in note
    assert {frame.image.shape for frame in frames_of(tmp_path / "out.avi")} == {(48, 64, 3)}


def test_alpha_and_fields_are_said_to_be_lost(tmp_path):
    see_through = {"encoder": "ffv1", "pixels": "bgra", "options": {}}
    (note,) = deblur(make_video(tmp_path / "in.mkv", **see_through), tmp_path / "out.mkv")
    assert "its alpha channel is left out" in note
    marked = av.filter.Graph()
    first = marked.add_buffer(
        width=64, height=48, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25)
    )
    marked.link_nodes(first, marked.add("setparams", "field_mode=tff"), marked.add("buffersink"))
    marked.configure()
    with (tmp_path / "tv.mkv").open("w+b") as file, av.open(file, "w", "matroska") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme"})
        stream.width, stream.height = 64, 48
        marked.push(
            av.VideoFrame.from_ndarray(picture(0, (48, 64)), "rgb24").reformat(format="yuv420p")
        )
        container.mux(stream.encode(marked.pull()))
        container.mux(stream.encode(None))
    (note,) = deblur(tmp_path / "tv.mkv", tmp_path / "tv.mp4")
    assert "it is interlaced" in note


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_was_trimmed_off_a_clip_stays_off(tmp_path, suffix):
    options = {"crf": "1", "bf": "2", "g": "10"}
    source = make_video(
        tmp_path / "in.mp4", tuple(range(30)), options=options, sound="aac", sound_blocks=60
    )
    content = bytearray(source.read_bytes())
    for time_base, place in ((12800, 0), (44100, content.index(b"elst") + 4)):
        start = content.index(b"elst", place) + 16  # of the first edit, in the track's time
        moved = int.from_bytes(content[start : start + 4], "big") + time_base * 13 // 25
        content[start : start + 4] = moved.to_bytes(4, "big")
    source.write_bytes(content)
    assert deblur(source, tmp_path / f"out{suffix}") == []
    times = times_of(tmp_path / f"out{suffix}")
    assert len(times) == 17
    assert times[0] < 0.03  # Matroska begins with the sound, a fraction of a packet earlier
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)


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
    deep = {"encoder": "ffv1", "pixels": "yuv444p16le", "options": {}}
    source = make_video(tmp_path / "deep.mkv", **deep)
    assert deblur_video(watch, source, tmp_path / "out.mkv", VideoOptions(codec="ffv1")) == []
    (note,) = deblur_video(watch, source, tmp_path / "deep.mp4", VideoOptions())
    assert "libx264 holds 10 bits here" in note


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


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mov"])
def test_motion_jpeg_has_the_matrix_of_jpeg(tmp_path, suffix):
    fields = {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1}
    source = make_video(tmp_path / "in.mp4", (0, 1), pixels="yuv444p", **fields)
    assert deblur(source, tmp_path / f"out{suffix}", codec="mjpeg") == []
    found = frames_of(tmp_path / f"out{suffix}")[0].image
    np.testing.assert_allclose(found[4, 4].astype(int), picture(0, (48, 64))[4, 4], atol=4)


def test_frames_of_an_avi_that_refer_to_later_ones_keep_their_times(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 120, 3), np.uint8)
    pictures = [noise[:, number : number + 64] for number in range(40)]
    options = {"crf": "20", "bf": "3", "g": "30"}
    source = make_video(tmp_path / "in.avi", tuple(range(40)), options=options, pictures=pictures)
    assert [frame.pts for frame in frames_of(source)] == list(range(1, 41))


def test_what_is_lost_of_high_dynamic_range_is_said(tmp_path):
    light = "hdr10=1:repeat-headers=1:log-level=none:max-cll=1000,400"
    fields = {"colorspace": 9, "color_primaries": 9, "color_trc": 16}
    source = make_video(
        tmp_path / "in.mp4",
        encoder="libx265",
        pixels="yuv420p10le",
        options={"x265-params": light},
        **fields,
    )
    (note,) = deblur(source, tmp_path / "out.mp4")
    assert "mastered on (HDR) is left out" in note
    notes = deblur(source, tmp_path / "out.avi")
    assert any("avi holds no word of wide or HDR colours" in note for note in notes)


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


def test_a_frame_that_fails_is_named_and_nothing_is_left(tmp_path):
    def exhausted(image):
        raise RunError("out of memory")

    source = make_video(tmp_path / "in.mkv")
    with pytest.raises(RunError, match=r"in\.mkv, frame 2: out of memory"):
        deblur_video(exhausted, source, tmp_path / "out.mkv", VideoOptions(frames=(2, 4)))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    source = make_video(tmp_path / "in.mp4", tuple(range(20)), pictures=noise)
    deblur(source, tmp_path / "out.mp4")
    size = (tmp_path / "out.mp4").stat().st_size
    (tmp_path / "out.mp4").unlink()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (300, size // 3, size // 2, size - 1000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(RunError, match=r"out\.mp4 could not be made of .*: File too large"):
                deblur(source, tmp_path / "out.mp4")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "Traceback" not in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


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
    (tmp_path / "out.truncated.mkv").write_bytes(b"of somebody else")
    with pytest.raises(RunError, match=rf"{kind}: it ends early .*out\.truncated1\.mkv holds"):
        deblur(source, target)
    assert target.read_bytes() == b"an earlier result"
    assert (tmp_path / "out.truncated.mkv").read_bytes() == b"of somebody else"
    assert 0 < len(frames_of(tmp_path / "out.truncated1.mkv")) < 60


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
    content = make_video(tmp_path / "codec.mkv").read_bytes()
    (tmp_path / "codec.mkv").write_bytes(content.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"))
    with pytest.raises(InputError, match=r"codec\.mkv .* its codec is not known"):
        deblur(tmp_path / "codec.mkv", tmp_path / "out" / "out.mp4")
    make_video(tmp_path / "stream.mp4", muxer="mpegts")
    with pytest.raises(InputError, match=r"stream\.mp4 .* none of MP4, QuickTime, Matroska"):
        deblur(tmp_path / "stream.mp4", tmp_path / "out" / "out.mp4")
    for name in ("text.mp4", "playlist.mp4", "concat.mp4", "pipe.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=name):
            deblur(tmp_path / name, tmp_path / "out" / "out.mp4")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_what_a_camera_writes_behind_the_video_is_no_truncation(tmp_path):
    source = make_video(tmp_path / "in.mp4")
    for trailer in (bytes(range(40, 104)), b"\x7f\xff\xff\xff8db42d694ccc418790edff439fe026bf"):
        (tmp_path / "longer.mp4").write_bytes(source.read_bytes() + trailer)
        assert deblur(tmp_path / "longer.mp4", tmp_path / "out.mp4") == []


def test_a_quality_that_the_codec_does_not_have_is_refused(tmp_path):
    source = make_video(tmp_path / "in.mkv")
    for name, codec in (("out.avi", None), ("out.mkv", "ffv1")):
        with pytest.raises(InputError, match=r"has no --crf"):
            deblur_video(identity, source, tmp_path / name, VideoOptions(codec=codec, crf=20))
