"""Table 2 and Fig. 5: what is measured stands beside what is published."""

import csv

import commands
import numpy as np
import pytest
from networks import lively_model, write_run

from srn_tf.media.images import write_image

NAMES = [f"GOPR0001_07_00/{i:06}" for i in range(5)]


def pixels(name, folder):
    rng = np.random.default_rng([len(folder), *name.encode()])
    return rng.integers(0, 256, (16, 32, 3), dtype=np.uint8)


@pytest.fixture
def data(tmp_path):
    for name in NAMES:
        sequence, frame = name.split("/")
        for folder in ("blur", "sharp"):
            path = tmp_path / "data/test" / sequence / folder / f"{frame}.png"
            write_image(path, pixels(name, folder))
    return tmp_path / "data"


@pytest.mark.robust
def test_measured_rows_stand_beside_the_published(data, tmp_path):
    run_dir = write_run(lively_model("SR-EDRB1"), tmp_path / "run")
    status, output = commands.run(
        "experiments.comparison",
        f"--data_dir={data}",
        f"--run=ours={run_dir}",
        f"--predictions=nothing={data}/test",
        f"--images={NAMES[2]}",
        f"--output={tmp_path}/out",
    )
    assert status == 0, output
    with (tmp_path / "out/table2.csv").open(newline="") as file:
        rows = {row[0]: row[1:] for row in csv.reader(file)}
    assert list(rows)[1:] == [
        "Kim et al. (published)",
        "Sun et al. (published)",
        "Nah et al. (published)",
        "SRN (published)",
        "ours",
        "nothing",
    ]
    assert rows["SRN (published)"] == ["30.26", "0.9342", "26.75", "0.8370", "1.87 s"]
    errors = [np.mean((pixels(n, "blur").astype(float) - pixels(n, "sharp")) ** 2) for n in NAMES]
    psnr = np.mean(10 * np.log10(255**2 / np.array(errors)))
    assert rows["nothing"][0] == f"{psnr:.2f}"
    assert rows["nothing"][2:] == ["-", "-", "-"]
    with (run_dir / "evaluation/test-blur-latest/results.csv").open(newline="") as file:
        mean = list(csv.DictReader(file))[-1]
    assert rows["ours"][:2] == [f"{float(mean['psnr']):.2f}", f"{float(mean['ssim_matlab']):.4f}"]
    assert rows["ours"][4].endswith(" s")
    text = (tmp_path / "out/table2.md").read_text()
    assert "ours: SR-EDRB1 at step 1, 5 images of data (blur), timed on" in text
    assert "`lstm`, a network for gray images" in text
    assert (tmp_path / "out/comparison.png").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [("--run=starter", "starter is not evaluated"), ("--run=", "must not be empty")],
)
def test_a_method_without_results_is_refused(tmp_path, flag, message):
    status, output = commands.run("experiments.comparison", flag, f"--output={tmp_path}/out")
    assert status == 2
    assert message in output
    assert not (tmp_path / "out").exists()
