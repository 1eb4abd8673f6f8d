"""Videos through `deblur_video` with an identity in place of a network."""

import os
import resource
import struct
from fractions import Fraction
from pathlib import Path

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
    stream_of,
    times_of,
    turn,
    with_another_size,
    write_frame,
)

from srn_tf.common.errors import InputError, RunError
from srn_tf.inference.options import Options
from srn_tf.inference.video_files import deblur_video
from srn_tf.media.containers import CONTAINERS, written_name


@pytest.mark.parametrize("codec", [None, "ffv1"])
@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_every_container_keeps_frames_and_times(tmp_path, suffix, size, codec):
    encoder = {"encoder": "ffv1", "options": {}}  # which takes odd sizes
    source = make_video(tmp_path / "in.mkv", size=size, **encoder)
    target = tmp_path / f"out{suffix}"
    if codec and codec not in CONTAINERS[suffix].codecs:
        with pytest.raises(InputError, match=f"not {codec}"):
            deblur(source, target, codec=codec)
        return
    notes = deblur(source, target, codec=codec)
    is_padded = size == (47, 63) and not codec and suffix != ".webm"  # H.264 has even sizes only
    assert ["padded to 64x48" in note for note in notes] == [True] * is_padded
    np.testing.assert_allclose(times_of(target), [0, 0.04, 0.08, 0.12], atol=1e-3)
    for number, (frame, before) in enumerate(zip(frames_of(target), frames_of(source))):
        assert frame.image.shape == ((48, 64, 3) if is_padded else (*size, 3))
        difference = np.abs(frame.image[: size[0], : size[1]].astype(int) - before.image)
        assert difference.max() == 0 if codec == "ffv1" else difference.mean() < 2
        np.testing.assert_allclose(frame.image[-1, -1], picture(number, size)[-1, -1], atol=4)
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
    ratio = Fraction(3, 4) if name in ("90", "270") else Fraction(4, 3)
    assert stream_of(tmp_path / "out.mp4").sample_aspect_ratio == ratio


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


ODD_RATE = {"time_base": Fraction(10000, 1198812)}
LIVE = {"encoder": "libvpx-vp9", "options": {"live": "1", "crf": "4", "b": "0"}}  # of no length


@pytest.mark.parametrize(
    ("suffixes", "ticks", "fields"),
    [
        ((".mkv", ".mp4"), range(4), ODD_RATE),
        ((".mkv", ".mkv"), range(4), ODD_RATE),
        ((".mkv", ".mkv"), range(6, 12), {}),  # begins late
        ((".webm", ".webm"), range(0, 2000, 400), {"time_base": Fraction(1, 1000), **LIVE}),
    ],
)
def test_times_of_unusual_videos_are_kept(tmp_path, suffixes, ticks, fields):
    source, target = (tmp_path / f"{name}{s}" for name, s in zip(("in", "out"), suffixes))
    notes = deblur(make_video(source, tuple(ticks), **fields), target)
    assert notes == [] or fields
    expected = [float(tick * fields.get("time_base", Fraction(1, 25))) for tick in ticks]
    np.testing.assert_allclose(times_of(target), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("suffix", "codec", "is_kept"),
    [
        (".mkv", "h264", True),
        (".mp4", "vp9", True),
        (".mkv", "ffv1", False),
        (".webm", "vp9", False),
    ],
)
def test_a_pixel_aspect_ratio_is_kept_or_said_to_be_lost(tmp_path, suffix, codec, is_kept):
    source = make_video(tmp_path / "in.mkv", (0, 1), sample_aspect_ratio=Fraction(4, 3))
    notes = deblur(source, tmp_path / f"out{suffix}", codec=codec)
    ratio = stream_of(tmp_path / f"out{suffix}").sample_aspect_ratio
    assert (ratio == Fraction(4, 3)) == is_kept
    assert ["pixel aspect ratio 4/3" in note for note in notes] == [True] * (not is_kept)


MJPEG = {"encoder": "mjpeg", "pixels": "yuvj420p", "options": {}}


def test_frames_of_hostile_sizes_are_refused_before_memory_is_taken(tmp_path):
    source = make_video(tmp_path / "in.avi", **MJPEG)
    with pytest.raises(InputError, match=r"in\.avi .* of 0\.0 megapixels; the limit is 0\.001"):
        deblur(source, tmp_path / "out.mkv", max_megapixels=0.004)
    with_another_size(source, 16000, 16000)
    with pytest.raises(RunError, match=r"in\.avi: it is damaged; .* holds the 1 frames"):
        deblur(source, tmp_path / "out.mkv")


def test_frames_of_several_sizes_are_scaled_and_that_is_said(tmp_path):
    source = make_video(tmp_path / "in.avi", **MJPEG)
    with_another_size(source, 64, 40)
    (note,) = deblur(source, tmp_path / "out.mkv")
    assert "frames of another size (64x40)" in note
    assert {frame.image.shape for frame in frames_of(tmp_path / "out.mkv")} == {(48, 64, 3)}


def box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_what_the_result_does_not_hold_is_named_in_one_line(tmp_path):
    """By one comparison of what the two files hold; what is kept is not in it."""
    lossless = {"encoder": "ffv1", "options": {}}
    source = make_video(tmp_path / "deep.mkv", pixels="yuva444p10le", **lossless)
    (note,) = deblur(source, tmp_path / "out.webm")
    assert "not kept: bits per sample (8 of 10), chroma samples in 2x2 pixels (1 of 4)" in note
    prores = {"encoder": "prores_ks", "pixels": "yuv422p10le", "options": {}}
    (note,) = deblur(make_video(tmp_path / "pro.mov", **prores), tmp_path / "out.mp4")
    assert note.endswith("not kept: chroma samples in 2x2 pixels (1 of 2)")
    light = "hdr10=1:repeat-headers=1:log-level=none:max-cll=1000,400"
    hdr = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "pixels": "yuv420p10le"}
    hdr |= {"encoder": "libx265", "options": {"x265-params": light}}
    source = make_video(tmp_path / "hdr.mp4", **hdr)
    (note,) = deblur(source, tmp_path / "out.mp4")
    assert note.endswith("not kept: content light level")
    content = make_video(tmp_path / "in.mp4").read_bytes()
    own = box(b"uuid", bytes(20)) + box(b"sefd", b"of a phone") + b"behind all boxes"
    (tmp_path / "in.mp4").write_bytes(content + own)
    (note,) = deblur(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert note.endswith("not kept: box sefd, box uuid, trailing data")
    moov, udta = content.index(b"moov") - 4, content.index(b"udta") - 4
    grown = bytearray(content)
    for place in (moov, udta):
        length = int.from_bytes(content[place : place + 4], "big") + 12
        grown[place : place + 4] = length.to_bytes(4, "big")
    grown[udta + 8 : udta + 8] = box(b"CAME", b"1234")
    (tmp_path / "in.mp4").write_bytes(grown)
    (note,) = deblur(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert note.endswith("not kept: box CAME")
    (tmp_path / "in.mp4").write_bytes(content)
    turn(tmp_path / "in.mp4", 1, 1, -1, 1)
    (note,) = deblur(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert note.endswith("not kept: displaymatrix")


def test_alpha_and_fields_are_named(tmp_path):
    see_through = av.VideoFrame.from_ndarray(np.full((48, 64, 4), 100, np.uint8), "rgba")
    graph = av.filter.Graph()
    first = graph.add_buffer(
        width=64, height=48, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25)
    )
    graph.link_nodes(first, graph.add("setparams", "field_mode=tff"), graph.add("buffersink"))
    graph.configure()
    graph.push(av.VideoFrame.from_ndarray(picture(0, (48, 64)), "rgb24").reformat(format="yuv420p"))
    fields = {"options": {"flags": "+ildct+ilme"}}
    for encoder, frame, options, name in (
        ("ffv1", see_through.reformat(format="bgra"), {}, "alpha channel"),
        ("mpeg2video", graph.pull(), fields, "interlaced fields"),
    ):
        source = write_frame(tmp_path / "in.mkv", frame, encoder, **options)
        (note,) = deblur(source, tmp_path / "out.mkv")
        assert name in note


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


def test_ten_bits_are_computed_in_sixteen_and_written_as_ten(tmp_path):
    source = make_video(tmp_path / "in.mp4", pixels="yuv420p10le")
    seen = []

    def watch(image):
        seen.append(image.dtype)
        return image

    assert deblur_video(watch, source, tmp_path / "out.mp4", Options(crf=1)) == []
    assert seen == 4 * [np.uint16]
    assert stream_of(tmp_path / "out.mp4").codec_context.pix_fmt == "yuv420p10le"
    before, after = frames_of(source)[0].image, frames_of(tmp_path / "out.mp4")[0].image
    assert np.abs(after.astype(int) - before).mean() < 257


@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "yuv422p10le"])
def test_colours_are_decoded_right_at_all_depths_and_sizes(tmp_path, pixels, size):
    lossless = {"encoder": "ffv1", "options": {}, "colorspace": 1, "color_range": 2}
    source = make_video(tmp_path / "in.mkv", (0,), size, pixels=pixels, **lossless)
    (frame,) = frames_of(source)
    expected = picture(0, size) / 255
    found = frame.image / np.iinfo(frame.image.dtype).max
    for row, column in ((2, 2), (-1, -1), (-1, 2), (2, -1)):
        np.testing.assert_allclose(found[row, column], expected[row, column], atol=2 / 255)


# Kr and Kb of the matrices, by their numbers in H.273.
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}


@pytest.mark.parametrize("pixels", ["bgr0", "yuv444p"])
@pytest.mark.parametrize(("lines", "matrix"), [(720, 1), (718, 6)])
def test_colours_without_a_tag_are_those_of_hd_from_720_lines_on(tmp_path, lines, matrix, pixels):
    """Green (0, 191, 0) comes out within rounding, decoded here by the tags of the output."""
    kr, kb = LUMA[matrix]
    r, g, b = 0, 191 / 255, 0
    y = kr * r + (1 - kr - kb) * g + kb * b
    yuv = 16 + 219 * y, 128 + 112 * (b - y) / (1 - kb), 128 + 112 * (r - y) / (1 - kr)
    colours = [[0, 191, 0, 0]] if pixels == "bgr0" else np.rint(yuv).astype(int)[:, None].tolist()
    frame = av.VideoFrame(64, lines, pixels)
    for plane, values in zip(frame.planes, colours):
        plane.update(bytes(values) * (plane.buffer_size // len(values)))
    deblur(write_frame(tmp_path / "in.mkv", frame, "ffv1"), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        made = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (int(context.colorspace), int(context.color_range)) == (matrix, 1)
        if matrix == 1:
            assert (int(context.color_primaries), int(context.color_trc)) == (1, 1)
    y, u, v = (
        np.frombuffer(bytes(plane), np.uint8)[plane.line_size * 9 + 9] for plane in made.planes
    )
    y, u, v = (y - 16.0) / 219, (u - 128.0) / 112, (v - 128.0) / 112
    r, b = y + (1 - kr) * v, y + (1 - kb) * u
    found = 255 * np.array([r, (y - kr * r - kb * b) / (1 - kr - kb), b])
    np.testing.assert_allclose(found, [0, 191, 0], atol=2)


@pytest.mark.parametrize(("space", "limits"), [(1, 1), (1, 2), (5, 1)])
def test_colours_their_range_and_primaries_are_kept(tmp_path, space, limits):
    fields = {"colorspace": space, "color_range": limits, "color_primaries": space, "color_trc": 1}
    source = make_video(tmp_path / "in.mp4", pixels="yuv444p", **fields)
    deblur(source, tmp_path / "out.mp4")
    found = frames_of(tmp_path / "out.mp4")[0].image
    np.testing.assert_allclose(found[40, 50].astype(int), picture(0, (48, 64))[40, 50], atol=4)
    context = stream_of(tmp_path / "out.mp4").codec_context
    assert {name: int(getattr(context, name)) for name in fields} == fields


def test_frames_of_an_avi_that_refer_to_later_ones_keep_their_times(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 120, 3), np.uint8)
    pictures = [noise[:, number : number + 64] for number in range(40)]
    options = {"crf": "20", "bf": "3", "g": "30"}
    source = make_video(tmp_path / "in.avi", tuple(range(40)), options=options, pictures=pictures)
    assert [frame.pts for frame in frames_of(source)] == list(range(1, 41))


def test_a_part_and_a_comparison(tmp_path):
    source = make_video(tmp_path / "in.mkv", tuple(range(8)), sound="aac")
    (note,) = deblur(source, tmp_path / "part.mkv", codec="ffv1", frames="2:5", compare=True)
    assert "not kept: audio stream (aac)" in note
    found, before = frames_of(tmp_path / "part.mkv"), frames_of(source)[2:5]
    assert len(found) == 3
    for one, other in zip(found, before):
        np.testing.assert_array_equal(one.image, np.hstack([other.image, other.image]))
    np.testing.assert_allclose(times_of(tmp_path / "part.mkv"), [0, 0.04, 0.08], atol=1e-3)
    assert Options(frames="100:200").part == (100, 200)
    for wrong in ("5", "7:7", "a:b", "-1:4"):
        with pytest.raises(InputError, match="range such as 100:200"):
            Options(frames=wrong)


def test_a_frame_that_fails_is_named_and_nothing_is_left(tmp_path):
    def exhausted(image):
        raise RunError("out of memory")

    source = make_video(tmp_path / "in.mkv")
    with pytest.raises(RunError, match=r"in\.mkv, frame 2: out of memory"):
        deblur_video(exhausted, source, tmp_path / "out.mkv", Options(frames="2:4"))
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
    fields = {"in.avi": MJPEG, "in.mp4": {"muxer": "ismv"}}.get(kind, {})  # MP4 in fragments
    source = make_video(tmp_path / kind, tuple(range(60)), **fields)
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
    content = inner.read_bytes()
    (tmp_path / "codec.mkv").write_bytes(content.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"))
    whole = make_video(tmp_path / "aborted.mp4").read_bytes()
    (tmp_path / "aborted.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    refused = dict.fromkeys(("text.mp4", "playlist.mp4", "concat.mp4", "pipe.mp4", "none.mp4"), "")
    refused["codec.mkv"] = " .* its codec is not known"
    refused["aborted.mp4"] = " .* no index .* broken off"
    for name, words in refused.items():
        with pytest.raises(InputError, match=f"{name}{words}"):
            deblur(tmp_path / name, tmp_path / "out" / "out.mp4")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_quality_that_the_codec_does_not_have_is_refused(tmp_path):
    source = make_video(tmp_path / "in.mkv")
    with pytest.raises(InputError, match=r"has no --crf"):
        deblur_video(identity, source, tmp_path / "out.mkv", Options(codec="ffv1", crf=20))


MPEG2 = {"encoder": "mpeg2video", "options": {}}


@pytest.mark.parametrize(
    ("name", "muxer", "fields"),
    [
        ("in.mts", "mpegts", {"sound": "ac3"}),
        ("in.mpg", "mpeg", {"sound": "mp2", **MPEG2}),
        ("in.flv", "flv", {"sound": "aac"}),
        ("in.3gp", "3gp", {"encoder": "mpeg4"}),
        ("in.wmv", "asf", {"encoder": "wmv2", "options": {}}),
        ("in.mxf", "mxf", MPEG2),
        ("in.gif", "gif", {"encoder": "gif", "pixels": "rgb8", "options": {}}),
        ("in.avi", "avi", {"encoder": "mpeg4", "sound": "mp3"}),
    ],
)
def test_other_kinds_of_videos_are_read(tmp_path, name, muxer, fields):
    """Also with a clock that does not begin at 0, as that of a broadcast."""
    source = make_video(
        tmp_path / name,
        tuple(range(0, 48, 4)),
        time_base=Fraction(1, 100),
        rate=25,
        muxer=muxer,
        **fields,
    )
    target = tmp_path / "out" / written_name(Path(name))
    notes = deblur(source, target)
    assert not any("stream" in note for note in notes)
    times = times_of(target)
    assert len(times) == 12
    assert times[0] < 0.1
    if "sound" in fields:
        assert packets_of(target, "audio") == packets_of(source, "audio")
