"""Whether a run folder belongs to a run: fields that are younger than the folder."""

import dataclasses
import json

import pytest
from pair_folders import write_pairs

from srn_tf.common.errors import InputError
from srn_tf.network.variants import VARIANTS
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.identity import check_same_configuration, identity
from srn_tf.training.splits import RunData
from srn_tf.weights.run_folder import read_config, write_config


def test_sections_that_are_null_are_as_none(tmp_path):
    config = TrainingConfig(VARIANTS["SR-EDRB1"], "/data")
    write_config(tmp_path, config.variant, training=config.to_dict())
    path = tmp_path / "config.json"
    nothing = {"data": None, "earlier_calls": None, "options": None}
    path.write_text(json.dumps({**json.loads(path.read_text()), **nothing}))
    identity(tmp_path, config, RunData(write_pairs(tmp_path / "data", [(16, 16)]), [], []))
    write_config(tmp_path, config.variant, training=config.to_dict())
    assert len(read_config(tmp_path)["earlier_calls"]) == 1


def test_a_folder_from_before_a_field_had_its_default(tmp_path):
    config = TrainingConfig(VARIANTS["SR-EDRB1"], "/data")
    older = config.to_dict()
    del older["adversarial"], older["variant"]["upsampling"]
    write_config(tmp_path, config.variant, training=older)
    check_same_configuration(tmp_path, config)
    other = dataclasses.replace(config.variant, upsampling="sub_pixel")
    with pytest.raises(InputError, match="was made with variant"):
        check_same_configuration(tmp_path, dataclasses.replace(config, variant=other))
    with pytest.raises(InputError, match=r"was made with adversarial 0.0, not 0.1"):
        check_same_configuration(tmp_path, dataclasses.replace(config, adversarial=0.1))
