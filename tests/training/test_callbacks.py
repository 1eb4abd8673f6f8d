"""What a run's log makes of its steps."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.training.callbacks import RunLog, read_metrics
from srn_tf.training.data_wait import Waiting


def test_a_line_is_written_at_the_first_step_every_few_and_at_the_end(tmp_path, capsys):
    means = iter([7.0, 2.0, 3.0, 5.0])
    taken = []

    def take_logs():
        taken.append(next(means))
        return {
            "loss": taken[-1],
            "loss_scale1": taken[-1],
            "gain_scale1": 0.25,
            "psnr": 20.0,
            "learning_rate": 1e-4,
        }

    log = RunLog(tmp_path, start_step=3, total_steps=10, batch_size=2, every=4)
    log.set_model(SimpleNamespace(skipped=tf.Variable(1), waiting=Waiting(), take_logs=take_logs))
    log.on_train_begin()
    for batch in range(7):
        log.on_train_batch_begin(batch)
        log.on_train_batch_end(batch)
        log.on_train_batch_begin(batch)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [(row["step"], row["loss"]) for row in rows] == [(4, 7.0), (8, 2.0), (10, 3.0)]
    assert all(row["images_per_second"] > 0 and row["skipped"] == 1 for row in rows)
    said = capsys.readouterr().out
    assert "gain +0.25 dB" in said
    assert "skipped 1" in said


@pytest.mark.parametrize(
    "content", [b"step,loss\n1,abc\n", b"loss\n1\n", b"step,loss\n1,2,3\n", b"\xff\xfe\0step"]
)
def test_a_table_of_something_else_is_refused_by_name(tmp_path, content):
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.csv is no"):
        read_metrics(tmp_path / "metrics.csv")
