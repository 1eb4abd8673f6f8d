"""The measurements of speed print their tables."""

import commands
import pytest

pytestmark = pytest.mark.robust


def printed_rows(module, *flags):
    """The cells of the table that a command prints, without its header."""
    status, output = commands.run(module, *flags)
    assert status == 0, output
    lines = [line for line in output.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]], output


def test_every_source_of_training_data_is_measured():
    flags = ("--pairs=2", "--batch_size=1", "--runs=1", "--seconds=0.01")
    rows, _ = printed_rows("experiments.data_speed", *flags)
    assert [row[0] for row in rows] == [
        "naive: decode both PNGs for every crop",
        *(f"--cache={cache}" for cache in ("none", "disk", "device")),
    ]
    assert all(float(number) > 0 for row in rows for number in row[1:])


def test_engines_run_the_same_network():
    flags = ("--variant=SR-EDRB1,width=2", "--side=32", "--runs=1")
    rows, output = printed_rows("experiments.inference_speed", *flags)
    assert [row[0] for row in rows][:2] == ["srn_tf, float32", "the same with variables"]
    assert min(float(row[2]) for row in rows) == 1
    for name in ("bfloat16", "ONNX Runtime", "OpenVINO"):  # measured or said to be absent
        assert name in output
