"""What a run's log makes of its steps."""

from types import SimpleNamespace

import tensorflow as tf

from srn_tf.training.callbacks import RunLog, read_metrics


def test_means_leave_out_the_steps_that_were_left_out(tmp_path):
    log = RunLog(tmp_path, start_step=0, total_steps=4, batch_size=2, every=4)
    log.set_model(SimpleNamespace(skipped=tf.Variable(1), data_seconds=0.0))
    log.on_train_begin()
    for batch, loss in enumerate([7.0, 1.0, float("nan"), 3.0]):
        log.on_train_batch_begin(batch)
        log.on_train_batch_end(batch, {"loss": loss, "psnr": 20.0, "learning_rate": 1e-4})
    first, last = read_metrics(tmp_path / "metrics.csv")
    assert (first["step"], first["loss"]) == (1, 7.0)
    assert (last["step"], last["loss"], last["skipped"]) == (4, 2.0, 1)
