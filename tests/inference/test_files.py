"""`srn_tf.deblur` on files, folders and videos; most with a stand-in that inverts its image."""

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import commands
import numpy as np
import PIL.Image
import pytest
from clips import frames_of, make_video
from networks import lively_model, write_run

from srn_tf.common.errors import InputError
from srn_tf.inference import files
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.files import Job, deblur_files, deblur_image, plan
from srn_tf.inference.options import Options
from srn_tf.media.images import read_image, read_photograph, write_image


def invert(image, on_progress=None):
    assert image.shape[2:] == (3,)
    return np.iinfo(image.dtype).max - image


def random_image(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_folder_keeps_its_structure_and_each_name(tmp_path):
    blurred = tmp_path / "blurred"
    for name in (
        "a.png",
        "a.jpg",
        "deep/er/b.TIF",
        "clip.mp4",
        "notes.txt",
        ".hidden/c.png",
        "deep/.d.png",
    ):
        touch(blurred / name)
    names = ["a.jpg", "a.png", "clip.mp4", "deep/er/b.TIF"]
    output = tmp_path / "sharp"
    assert plan(blurred, output) == [Job(blurred / name, output / name) for name in names]


@pytest.mark.parametrize(
    ("output", "target"),
    [
        ("b.jpg", "b.jpg"),
        ("out", "out/a.png"),
        ("out.dng/", "out.dng/a.png"),
        ("there.ts", "there.ts/a.png"),
    ],
)
def test_one_image_goes_to_a_file_or_into_a_folder(tmp_path, output, target):
    touch(tmp_path / "a.png")
    (tmp_path / "there.ts").mkdir()
    jobs = plan(tmp_path / "a.png", f"{tmp_path}/{output}")
    assert jobs == [Job(tmp_path / "a.png", tmp_path / target)]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("in/a.png", "in/a.png"),
        ("in/a.png", "in"),
        ("in", "in"),
        ("in/../in", "in"),
        ("in", "."),  # in/in/a.png would become in/a.png
    ],
)
def test_inputs_are_never_overwritten(tmp_path, source, output):
    touch(tmp_path / "in" / "a.png")
    touch(tmp_path / "in" / "in" / "a.png")
    with pytest.raises(InputError, match=r"a\.png is an input: choose another --output"):
        plan(tmp_path / source, tmp_path / output)


def test_an_output_folder_inside_or_above_the_input_is_fine(tmp_path):
    source = tmp_path / "in"
    touch(source / "a.png")
    touch(source / "out" / "a.png")
    assert plan(source, source / "out") == [Job(source / "a.png", source / "out" / "a.png")]
    assert plan(source, tmp_path)[0] == Job(source / "a.png", tmp_path / "a.png")


def test_sources_without_images_are_named(tmp_path):
    (tmp_path / "text.txt").touch()
    for source in (tmp_path, tmp_path / "text.txt", tmp_path / "missing"):
        with pytest.raises(InputError, match=str(source)):
            plan(source, tmp_path / "out")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 3), (6, 9, 4)])
def test_gray_stays_gray_and_alpha_is_kept(shape, dtype):
    image = random_image(*shape, dtype=dtype)
    expected = np.iinfo(dtype).max - image
    if shape[2:] == (4,):
        expected[..., 3] = image[..., 3]
    deblurred = deblur_image(invert, image)
    assert deblurred.dtype == dtype
    np.testing.assert_array_equal(deblurred, expected)


def test_decoding_and_encoding_overlap_with_computing(tmp_path, monkeypatch):
    """While it is computed, the second of three images waits for its neighbours."""
    for name in "abc":
        write_image(tmp_path / f"in/{name}.png", random_image(4, 5, 3))
    decoded, encoded, numbers = threading.Event(), threading.Event(), itertools.count()

    def read(path, limit):
        if path.stem == "c":
            decoded.set()
        return read_photograph(path, limit)

    def write(path, *photograph):
        if path.stem == "a":
            encoded.set()
        return write_image(path, *photograph)

    def compute(image, on_progress):
        assert next(numbers) != 1 or (decoded.wait(30) and encoded.wait(30))
        return image

    monkeypatch.setattr(files, "read_photograph", read)
    monkeypatch.setattr(files, "write_image", write)
    assert deblur_files(compute, plan(tmp_path / "in", tmp_path / "out"), Options()) == []
    assert next(numbers) == 3


@pytest.mark.parametrize("error", [OSError("broken data stream"), MemoryError()])
def test_whatever_an_encoder_raises_the_file_is_named(tmp_path, monkeypatch, error):
    def fail(*arguments):
        raise error

    write_image(tmp_path / "in/a.png", random_image(4, 5, 3))
    monkeypatch.setattr(files, "write_image", fail)
    (failure,) = deblur_files(invert, plan(tmp_path / "in", tmp_path / "out"), Options())
    assert str(failure).endswith(("in/a.png: broken data stream", "in/a.png: out of memory"))


def test_a_folder_of_oddities_is_done_except_for_what_is_named(tmp_path, capsys):
    source, output = tmp_path / "in", tmp_path / "out"
    good = [b"\xff\xfe.png", 251 * b"n" + b".png", b"-x.png", b"line.tif", b"deep/a.png"]
    for name in map(os.fsdecode, good):
        write_image(source / name, random_image(4, 5, 3))
    picture = PIL.Image.fromarray(random_image(4, 5, 3))
    picture.save(source / "exif.png", exif=b"Exif\0\0MM\0*" + 40 * b"\xff")
    (source / "directory.tif").write_bytes(b"II*\0\x08\0\0\0" + 300 * b"\xff")
    (source / "loop").symlink_to(source)
    (source / "linked").symlink_to(source / "deep")
    os.mkfifo(source / "pipe.png")
    for name in ("a.txt", "b.txt"):
        (source / name).touch()
    failures = "\n".join(map(str, deblur_files(invert, plan(source, output), Options())))
    assert "directory.tif cannot be decoded" in failures
    assert "pipe.png is a pipe" in failures
    assert failures.count("\n") == 1
    said = capsys.readouterr()
    assert "exif.png: not kept: malformed EXIF" in said.err
    assert "neither images nor videos: 2 .txt" in said.out
    done = {os.fsencode(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert done == {*good, b"exif.png"}  # and "linked" is "deep" again
    for name in done:
        found, before = (read_image(folder / os.fsdecode(name)) for folder in (output, source))
        np.testing.assert_array_equal(found, 255 - before)


def test_metadata_go_along_unless_stripped(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x010F] = "Maker"
    PIL.Image.new("RGB", (5, 4)).save(tmp_path / "a.jpg", exif=exif, icc_profile=b"profile")
    for strip in (False, True):
        job = Job(tmp_path / "a.jpg", tmp_path / "out" / f"{strip}.png")
        assert deblur_files(invert, [job], Options(strip_metadata=strip)) == []
        written = PIL.Image.open(job.target)
        assert written.info.get("icc_profile") == (None if strip else b"profile")
        assert written.getexif().get(0x010F) == (None if strip else "Maker")


# The command itself, with a network.


def test_a_mixed_folder_is_deblurred_except_for_its_broken_files(tmp_path):
    model = lively_model("SR-EDRB1")
    run_dir, blurred, sharp = write_run(model, tmp_path / "run"), tmp_path / "in", tmp_path / "out"
    images = {
        "deep/16bit.png": random_image(20, 30, 3, dtype=np.uint16),
        "alpha.png": random_image(20, 30, 4),
        "gray.png": random_image(20, 30),
        "pixel.png": random_image(1, 1, 3),
        "narrow.png": random_image(37, 211, 3),
    }
    for name, image in images.items():
        write_image(blurred / name, image)
    content = (blurred / "narrow.png").read_bytes()
    (blurred / "truncated.png").write_bytes(content[: len(content) // 2])
    (blurred / "text.png").write_text("text")

    flags = [f"--run_dir={run_dir}", f"--input={blurred}", f"--output={sharp}"]
    status, output = commands.run("srn_tf.deblur", *flags)
    assert status == 1
    for words in ("2 of 7 files failed", "truncated.png", "text.png"):
        assert words in output
    assert "Traceback" not in output
    assert {path.relative_to(sharp).as_posix() for path in sharp.rglob("*.*")} == set(images)
    deblurrer = Deblurrer(model)
    for name, image in images.items():
        expected = deblur_image(deblurrer, image)
        found = read_image(sharp / name)
        assert found.dtype == image.dtype
        np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=1)

    # Again without the broken files: everything is there already.
    (blurred / "truncated.png").unlink()
    (blurred / "text.png").unlink()
    write_image(sharp / "gray.png", np.zeros((2, 2), np.uint8))
    status, output = commands.run("srn_tf.deblur", *flags)
    assert (status, len(output.splitlines())) == (0, 1)
    assert "5 outputs exist and are kept" in output
    assert read_image(sharp / "gray.png").shape == (2, 2)
    assert commands.run("srn_tf.deblur", *flags, "--overwrite")[0] == 0
    assert read_image(sharp / "gray.png").shape == (20, 30)


def test_a_video_goes_through_the_command(tmp_path):
    run_dir = write_run(lively_model("SR-EDRB1"), tmp_path / "run")
    make_video(tmp_path / "12:30.mp4", times=(0, 1, 2), size=(48, 64))
    (tmp_path / "out.mp4").mkdir()  # a folder, whatever its name
    flags = [
        f"--run_dir={run_dir}",
        f"--input={tmp_path}/12:30.mp4",
        f"--output={tmp_path}/out.mp4",
    ]
    status, output = commands.run("srn_tf.deblur", *flags, "--frames=1:", "--crf=10")
    assert status == 0, output
    assert [frame.image.shape for frame in frames_of(tmp_path / "out.mp4" / "12:30.mp4")] == 2 * [
        (48, 64, 3)
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output=out"], "--input"),
        (["--input=setup.py", "--output=out"], "setup.py"),
        (["--input=docs/web.jpg", "--output=docs/"], "is an input"),
        (["--input=a.png", "--output=out", "--saved_model=folder"], "either --run_dir or"),
        (["--input=a.png", "--output=out", "--tile=0"], "--tile"),
        (["--input=docs/web.jpg", "--output=out.dng"], "out.dng: .dng cannot be written here"),
        (["--input=docs/web.jpg", "--output=out", "--frames=1:2"], "--frames is for videos"),
    ],
)
def test_bad_usage_exits_with_2_and_one_line(flags, message):
    status, output = commands.run("srn_tf.deblur", "--run_dir=nowhere", *flags)
    assert status == 2
    assert message in output
    assert "Traceback" not in output


# Runs the command with a stand-in that says what it was made from and inverts its images.
COMMAND = """
import numpy as np
from srn_tf.common import cli
from srn_tf import deblur
from srn_tf.inference.deblurrer import Deblurrer

def load(*arguments, **options):
    print(arguments, options)
    return lambda image, on_progress: np.iinfo(image.dtype).max - image

Deblurrer.from_run_dir = load
cli.run(deblur.main)
"""


def test_the_command_hands_its_flags_on(tmp_path):
    image = random_image(5, 8, 3)
    write_image(tmp_path / "a.png", image)
    flags = [f"--input={tmp_path}/a.png", f"--output={tmp_path}/out/b.png", "--run_dir=runs/X"]
    flags += ["--checkpoint=best", "--tile=64", "--halo=8", "--precision=float32", "--compare"]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", COMMAND, *flags]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    options = {"tile": 64, "halo": 8, "precision": "float32"}
    assert f"('runs/X', 'best') {options}" in result.stdout
    shown = read_image(tmp_path / "out/b.png")
    np.testing.assert_array_equal(shown, np.hstack([image, 255 - image]))
