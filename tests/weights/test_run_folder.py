"""The run folder: its description, and folders that are none."""

import pytest
import tensorflow as tf
from networks import lively_model, write_run

from srn_tf.common.errors import InputError
from srn_tf.common.keras import keras
from srn_tf.network.variants import get_variant
from srn_tf.weights.run_folder import (
    Checkpoints,
    checkpoint_folder,
    load_model,
    read_config,
    write_config,
)


@pytest.mark.parametrize("text", [None, "no json", "[]", "{}", '{"variant": {"depth": 12}}'])
def test_a_folder_of_something_else_is_no_run_folder(tmp_path, text):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="is not a run folder of srn_tf"):
        read_config(tmp_path)


def test_earlier_calls_are_kept(tmp_path, monkeypatch):
    for steps in (1, 2, 3):
        monkeypatch.setattr("sys.argv", ["train", f"--max_steps={steps}"])
        write_config(tmp_path, get_variant("SS"), options={"max_steps": steps})
    config = read_config(tmp_path)
    assert config["options"] == {"max_steps": 3}
    assert [call["command"][1] for call in config["earlier_calls"]] == [
        "--max_steps=1",
        "--max_steps=2",
    ]


class TestCheckpointsThatLackVariables:
    """Commands read through `load_model`, a training that resumes through `Checkpoints`."""

    @pytest.fixture
    def run_dir(self, tmp_path):
        return write_run(lively_model("SR-EDRB1", width=2), tmp_path)

    def test_some(self, run_dir):
        write_config(run_dir, get_variant("SR-EDRB2,width=2"))
        with pytest.raises(InputError, match=r"step-1 holds no values for .*/block2/conv\d/"):
            load_model(run_dir)

    def test_the_average_that_is_asked_for(self, run_dir):
        write_config(run_dir, get_variant("SR-EDRB1,width=2"), training={"ema_decay": 0.9})
        with pytest.raises(InputError, match=r"step-1 holds no values for .* and \d+ more"):
            load_model(run_dir)

    def test_the_optimizer_to_go_on_with(self, run_dir):
        optimizer = keras.optimizers.Adam()
        optimizer.build([tf.Variable([1.0], name="kernel")])
        with pytest.raises(InputError, match=r"step-1 holds no values for .*m/kernel:0"):
            Checkpoints(checkpoint_folder(run_dir), {"optimizer": optimizer}, 1).restore()
