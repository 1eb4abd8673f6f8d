"""What a run's log makes of its steps."""

import numpy as np
import pytest

from srn_tf.common.errors import InputError
from srn_tf.training.log import TrainingLog, read_metrics

MEANS = {"loss": 1.0, "loss_scale1": 1.0, "gain_scale1": 0.25, "psnr": 20.0, "learning_rate": 1e-4}


def new_log(folder, start_step=0, on_log=None):
    columns = [*MEANS, "skipped", "recurrent_gradient_norm", "images_per_second", "data_wait"]
    return TrainingLog(folder, columns, start_step, 1000, 2, on_log)


def write(log, steps, **values):
    for step in steps:
        log.count(0.5, 0.1)
        log.write(step, {**MEANS, "skipped": 0.0, **values})


def test_rows_are_appended_told_to_the_hook_and_dropped_beyond_the_step_resumed(tmp_path, capsys):
    rows = []
    write(new_log(tmp_path, on_log=rows.append), (1, 4, 8), skipped=1.0)
    assert [row["step"] for row in rows] == [1, 4, 8]
    assert rows[1]["images_per_second"] == 12  # three steps of two images in half a second
    assert rows[1]["data_wait"] == pytest.approx(0.2)
    said = capsys.readouterr().out
    assert "gain +0.25 dB" in said
    assert "skipped 1" in said
    table = tmp_path / "metrics.csv"
    table.write_text(table.read_text() + "9,1.0,0.1")  # what a kill has left of a line
    log = new_log(tmp_path, start_step=4)
    write(log, (6,), loss=0.5)
    assert [(row["step"], row["loss"]) for row in read_metrics(table)] == [(1, 1), (4, 1), (6, 0.5)]


def test_a_recurrent_module_whose_gradient_has_died_raises_the_alarm(tmp_path, capsys):
    log = new_log(tmp_path)
    for step, norm in enumerate([5.0, *np.geomspace(1e-4, 1e-8, 20)], start=1):
        write(log, (100 * step,), recurrent_gradient_norm=norm)
    assert capsys.readouterr().out.count("warning: at step 1800 the gradient") == 1
    assert "three powers of ten" in log.close()
    assert "three powers" not in new_log(tmp_path, start_step=1700).alarm


def test_gradients_that_fall_with_the_loss_or_once_raise_no_alarm(tmp_path):
    log = new_log(tmp_path)
    for step in range(1, 30):  # from 10 to 1e-3, and the gradient with its root
        loss = 10 ** (1 - step / 7)
        write(log, (step,), loss=loss, recurrent_gradient_norm=loss**0.5)
    write(log, (31,), recurrent_gradient_norm=1e3)  # one wild step
    write(log, (32, 33, 34), recurrent_gradient_norm=0.05)
    assert log.close() == ""


def test_networks_without_a_recurrent_module_have_no_alarm(tmp_path):
    log = new_log(tmp_path)
    write(log, range(1, 9), recurrent_gradient_norm=0.0)
    assert log.close() == ""


@pytest.mark.parametrize(
    "content", [b"step,loss\n1,abc\n", b"loss\n1\n", b"step,loss\n1,2,3\n", b"\xff\xfe\0step"]
)
def test_a_table_of_something_else_is_refused_by_name(tmp_path, content):
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.csv is no"):
        read_metrics(tmp_path / "metrics.csv")
