"""Whether a run folder belongs to a run: fields that are younger than the folder."""

import dataclasses

import pytest

from srn_tf.common.errors import InputError
from srn_tf.network.variants import VARIANTS
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.identity import check_same_configuration
from srn_tf.weights.run_folder import write_config


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
