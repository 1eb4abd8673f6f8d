"""The run folder: its description, and folders that are none."""

import pytest

from srn_tf.common.errors import InputError
from srn_tf.network.variants import get_variant
from srn_tf.weights.run_folder import read_config, write_config


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
