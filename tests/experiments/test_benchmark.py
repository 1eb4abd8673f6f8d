"""The benchmarks print their tables."""

import commands
import pytest


@pytest.mark.robust
def test_table_has_a_row_for_every_source():
    options = ("--pairs=2", "--batch_size=1", "--runs=1", "--seconds=0.01", "--steps=2")
    status, output = commands.run("experiments.benchmark", "data", *options)
    assert status == 0, output
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in output.splitlines()
        if line.startswith("| ")
    ]
    speeds, demand = rows[1:5], rows[6:]
    assert [row[0] for row in speeds] == [
        "naive: decode both PNGs for every crop",
        "--cache=none",
        "--cache=disk",
        "--cache=device",
    ]
    assert all(float(number) > 0 for row in speeds for number in row[1:5])
    assert speeds[0][5] == "-"  # the authors' way feeds no training step here
    assert all(0 <= float(row[5].rstrip("%")) <= 100 for row in speeds[1:])
    assert ["100", "185"] in demand  # 100 TFLOP/s over three times 179.7 GFLOP


@pytest.mark.robust
def test_engines_run_the_same_network(tmp_path):
    options = ("--variant=SR-EDRB1,width=2", "--side=32", "--runs=1")
    status, output = commands.run("experiments.benchmark", "inference", *options)
    assert status == 0, output
    rows = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows][:3] == [
        "Engine",
        "srn_tf, float32",
        "the same with variables",
    ]
    assert min(float(row[2]) for row in rows[1:]) == 1
    for name in ("bfloat16", "ONNX Runtime", "OpenVINO"):  # measured or said to be absent
        assert name in output


@pytest.mark.robust
def test_time_and_memory_are_drawn_by_size(tmp_path):
    options = ("--variant=SS,width=2,blocks=1", "--largest=1", "--runs=1")
    picture = tmp_path / "scaling.png"
    options += (f"--output={picture}",)
    status, output = commands.run("experiments.benchmark", "scaling", *options)
    assert status == 0, output
    rows = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    assert [float(row[0]) for row in rows[1:]] == pytest.approx([0.25, 1.0], rel=0.03)
    assert all(float(cell) > 0 for row in rows[1:] for cell in row)
    assert picture.read_bytes().startswith(b"\x89PNG")
