"""Sound, subtitles, chapters and the names of a video: copied, or it is said what is left out."""

from fractions import Fraction

import av
import pytest
from clips import deblur, make_video, packets_of, stream_of

OF_APPLE = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.location.ISO6709": "+48.1000+011.5000+500.0/",
}


def copied(source, target, change=None, options=None, chapters=()):
    """Copies all packets; `change` is given the number and the packet of each sound."""
    number = 0
    with av.open(str(source)) as old, av.open(str(target), "w", options=options or {}) as new:
        streams = {each.index: new.add_stream_from_template(each) for each in old.streams}
        if chapters:
            new.set_chapters(chapters)
        if options:
            new.metadata.update(OF_APPLE, creation_time="2024-05-06T07:08:09Z")
            streams[1].metadata["language"] = "ger"
        for packet in old.demux():
            if packet.stream.type == "audio" and packet.size and change:
                change(number, packet)
                number += 1
            if packet.size:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target


def sound_of(path):
    """When each packet of sound begins, in seconds."""
    with av.open(str(path)) as container:
        return [float(each.pts * each.time_base) for each in container.demux(audio=0) if each.size]


@pytest.mark.parametrize(
    ("sound", "kind", "suffix"),
    [
        ("pcm_s16le", ".avi", ".mp4"),  # whose header names no layout
        ("pcm_f32le", ".mkv", ".mov"),
        ("ac3", ".avi", ".mkv"),
    ],
)
def test_sound_is_copied_at_its_times(tmp_path, sound, kind, suffix):
    source = make_video(tmp_path / f"in{kind}", tuple(range(25)), sound=sound, sound_blocks=43)
    target = tmp_path / f"out{suffix}"
    assert deblur(source, target) == []
    assert packets_of(target, "audio") == packets_of(source, "audio")
    assert sound_of(target) == pytest.approx(sound_of(source), abs=2e-3)


@pytest.mark.parametrize(
    ("sound", "kind", "suffix"), [("aac", ".mp4", ".webm"), ("flac", ".mkv", ".mov")]
)
def test_sound_that_the_container_does_not_hold_is_named(tmp_path, sound, kind, suffix):
    (note,) = deblur(make_video(tmp_path / f"in{kind}", sound=sound), tmp_path / f"out{suffix}")
    assert f"not kept: audio stream ({sound})" in note


@pytest.mark.parametrize(
    ("sound", "moved", "tolerance"),
    [
        ("aac", lambda number: -23 if number == 10 else 0, 0.03),  # one time comes twice
        ("mp2", lambda number: 500, 2e-3),  # it begins late
    ],
)
def test_sound_at_odd_times_is_copied(tmp_path, sound, moved, tolerance):
    def change(number, packet):
        packet.pts = packet.dts = packet.dts + moved(number)

    clip = make_video(tmp_path / "clip.mkv", tuple(range(25)), sound=sound, sound_blocks=43)
    source = copied(clip, tmp_path / "in.mkv", change)
    assert deblur(source, tmp_path / "out.mp4") == []
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(source, "audio")
    assert sound_of(tmp_path / "out.mp4") == pytest.approx(sound_of(source), abs=tolerance)


def test_sound_that_lasts_longer_than_the_picture_is_no_truncation(tmp_path):
    source = make_video(tmp_path / "in.mkv", sound="aac", sound_blocks=200)
    assert deblur(source, tmp_path / "out.mkv") == []


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("strip", [False, True])
def test_what_a_phone_says_of_place_and_camera_is_kept_or_stripped(tmp_path, suffix, strip):
    clip = make_video(tmp_path / "clip.mp4", sound="aac")
    source = copied(clip, tmp_path / "in.mov", options={"movflags": "use_metadata_tags"})
    assert deblur(source, tmp_path / f"out{suffix}", strip_metadata=strip) == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        streams = [stream.metadata for stream in container.streams]
    assert (tags.items() >= {k.lower(): v for k, v in OF_APPLE.items()}.items()) == (not strip)
    assert any(key.startswith("com.") for key in tags) == (not strip)
    assert any("creation_time" in each for each in [tags, *streams]) == (not strip)
    assert streams[1]["language"] == "ger"


@pytest.mark.skipif(
    not hasattr(av.container.OutputContainer, "add_mux_stream"), reason="PyAV makes no subtitles"
)
@pytest.mark.parametrize(
    ("suffix", "codec", "mark", "other"),
    [
        (".mkv", "subrip", b"", ".mp4"),
        (".mp4", "mov_text", b"\0\5", ".mkv"),
        (".webm", "webvtt", b"", ".mov"),
    ],
)
def test_subtitles_are_copied_or_named(tmp_path, suffix, codec, mark, other):
    lines = [mark + b"first", mark + b"other"]
    encoder = {"encoder": "libvpx-vp9"} if suffix == ".webm" else {}
    source = make_video(tmp_path / f"in{suffix}", subtitles=(codec, lines), **encoder)
    target = tmp_path / f"out{suffix}"
    assert deblur(source, target) == []
    assert [line for line in packets_of(target, "subtitles") if line in lines] == lines
    assert stream_of(target, "subtitles").metadata["language"] == "ger"
    (note,) = deblur(source, tmp_path / f"out{other}")
    assert f"subtitle stream ({codec})" in note


@pytest.mark.skipif(
    not hasattr(av.container.OutputContainer, "set_chapters"), reason="PyAV knows no chapters"
)
def test_chapters_are_kept(tmp_path):
    chapter = {"id": 1, "start": 0, "end": 80, "time_base": Fraction(1, 1000)}
    chapter["metadata"] = {"title": "A"}
    clip = make_video(tmp_path / "clip.mkv")
    source = copied(clip, tmp_path / "in.mkv", chapters=[chapter])
    assert deblur(source, tmp_path / "out.mp4") == []
    assert deblur(tmp_path / "out.mp4", tmp_path / "out.mkv") == []
    for name in ("out.mp4", "out.mkv"):
        with av.open(str(tmp_path / name)) as container:
            (chapter,) = container.chapters()
        assert chapter["metadata"] == {"title": "A"}
