"""Table 1: what each variant is, and that its network has exactly the published size."""

import dataclasses
import json

import pytest
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.network.model import ScaleNet, build_model
from srn_tf.network.variants import TABLE1, VARIANTS, Variant, get_variant, slug

PARAMETERS = {
    "SS": 2_731_619,
    "SC": 3 * 2_731_619,
    "w/o R": 2_731_619,
    "RNN": 3_026_787,
    "SR-Flat": 2_659_939,
    "SR-RB": 2_659_939,
    "SR-ED": 3_764_195,
    "SR-EDRB1": 2_214_115,
    "SR-EDRB2": 2_989_155,
    "SR-EDRB3": 3_764_195,
    "SRN": 8_061_411,
    "SR-EDRB3-GRU": 3_469_155,
    "SR-EDRB3-Deconv": 4_288_886,
    "SR-EDRB3-SubPixel": 4_945_203,
    "lstm": 8_056_609,
    "gray": 6_876_449,
    "color": 6_881_251,
}

# Parameters in millions, PSNR in dB and SSIM as printed in Table 1 and Table 2.
PUBLISHED = {
    "SS": ("2.73M", 28.40, 0.9045),
    "SC": ("8.19M", 29.05, 0.9166),
    "w/o R": ("2.73M", 29.26, 0.9197),
    "RNN": ("3.03M", 29.35, 0.9210),
    "SR-Flat": ("2.66M", 27.53, 0.8886),
    "SR-RB": ("2.66M", 28.11, 0.8991),
    "SR-ED": ("3.76M", 29.06, 0.9170),
    "SR-EDRB1": ("2.21M", 28.60, 0.9082),
    "SR-EDRB2": ("2.99M", 29.32, 0.9204),
    "SR-EDRB3": ("3.76M", 29.98, 0.9254),
    "SRN": ("-", 30.26, 0.9342),
}

# What each variant changes of SR-EDRB3, the paper's base.
CHANGES = {
    "SS": {"recurrent": "conv", "scales": 1},
    "SC": {"recurrent": "conv", "shared_weights": False},
    "w/o R": {"recurrent": "conv"},
    "RNN": {"recurrent": "conv_rnn"},
    "SR-Flat": {"recurrent": "conv", "encoder_decoder": False, "block": "plain"},
    "SR-RB": {"recurrent": "conv", "encoder_decoder": False},
    "SR-ED": {"block": "plain"},
    "SR-EDRB1": {"blocks": 1},
    "SR-EDRB2": {"blocks": 2},
    "SR-EDRB3": {},
    "SRN": {"kernel_size": 5},
    "SR-EDRB3-GRU": {"recurrent": "conv_gru"},
    "SR-EDRB3-Deconv": {"upsampling": "deconvolution"},
    "SR-EDRB3-SubPixel": {"upsampling": "sub_pixel"},
    "lstm": {"kernel_size": 5, "channels": 1, "resize": "legacy"},
    "gray": {"kernel_size": 5, "channels": 1, "resize": "legacy", "recurrent": "none"},
    "color": {"kernel_size": 5, "resize": "legacy", "recurrent": "none"},
}

CONVOLUTIONS = {
    "SR-EDRB3": 43,
    "SR-Flat": 43,
    "SR-RB": 43,
    "SS": 43,
    "RNN": 45,
    "gray": 42,
    "color": 42,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_counted_exactly(name):
    assert build_model(name).count_params() == PARAMETERS[name]


@pytest.mark.parametrize("variant", TABLE1, ids=lambda variant: variant.name)
def test_count_is_the_published_one_to_two_decimals(variant):
    assert f"{PARAMETERS[variant.name] / 1e6:.2f}M" == variant.published.parameters


@pytest.mark.parametrize("name", PUBLISHED)
def test_paper_s_numbers_stand_beside_the_variant(name):
    assert VARIANTS[name].published == PUBLISHED[name]


@pytest.mark.parametrize("name", CHANGES)
def test_ablation_replaces_only_the_fields_it_is_about(name):
    base = dataclasses.asdict(VARIANTS["SR-EDRB3"])
    fields = dataclasses.asdict(VARIANTS[name])
    differing = {field: value for field, value in fields.items() if value != base[field]}
    differing.pop("name", None)
    differing.pop("published", None)
    assert differing == CHANGES[name]


def test_base_is_the_paper_s_network():
    base = VARIANTS["SR-EDRB3"]
    assert (base.scales, base.shared_weights, base.recurrent) == (3, True, "conv_lstm")
    assert (base.block, base.blocks, base.encoder_decoder) == ("residual", 3, True)
    assert (base.kernel_size, base.width, base.channels, base.resize) == (3, 32, 3, "half_pixel")


def test_table_1_has_the_ten_rows_of_the_paper_in_its_order():
    assert [variant.name for variant in TABLE1] == list(PARAMETERS)[:10]


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_run_at_one_scale(name):
    variant = VARIANTS[name]
    image = tf.TensorSpec([1, 16, 16, 2 * variant.channels])
    graph = tf.function(ScaleNet(variant)).get_concrete_function(image).graph
    kinds = [operation.type for operation in graph.get_operations()]
    deconvolutions = kinds.count("Conv2DBackpropInput")
    assert deconvolutions == (2 if variant.encoder_decoder else 0)
    assert kinds.count("Conv2D") + deconvolutions == CONVOLUTIONS[name]


@pytest.mark.parametrize(("name", "multiple"), [("SR-EDRB3", 16), ("SS", 4), ("SR-RB", 4)])
def test_sizes_are_multiples_of_what_strides_and_scales_halve(name, multiple):
    assert VARIANTS[name].size_multiple == multiple


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_is_found_by_its_name_and_by_its_slug(name):
    assert get_variant(name) is VARIANTS[name]
    assert get_variant(slug(name)) is VARIANTS[name]


def test_fields_are_changed_behind_the_name():
    variant = get_variant("SRN,scales=4,resize=legacy,shared_weights=false")
    changed = {"scales": 4, "resize": "legacy", "shared_weights": False, "published": None}
    name = "SRN,scales=4,resize=legacy,shared_weights=false"
    assert variant == dataclasses.replace(VARIANTS["SRN"], name=name, **changed)
    assert build_model(variant).count_params() == 4 * PARAMETERS["SRN"]
    assert get_variant("wo-R,width=8").recurrent == "conv"


def test_slug_serves_as_a_folder_name():
    assert slug("w/o R") == "wo-R"
    assert slug("SR-EDRB3") == "SR-EDRB3"
    assert slug("SRN,scales=4,resize=legacy") == "SRN-scales-4-resize-legacy"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("SR-EDRB9", ["'SR-EDRB9'", *VARIANTS]),
        ("SRN,depth=4", ["'depth'", "scales, shared_weights, recurrent"]),
        ("SRN,name=mine", ["no field 'name'"]),
        ("SRN,scales=many", ["scales=many", "from 1 to 8"]),
        ("SRN,encoder_decoder=maybe", ["encoder_decoder=maybe", "True, False"]),
        ("SRN,resize", ["resize= of", "half_pixel, legacy"]),
        ("SRN,", ["no field ''"]),
    ],
)
def test_unknown_names_fields_and_values_are_refused_with_the_known_ones(name, parts):
    with pytest.raises(InputError) as caught:
        get_variant(name)
    assert [part for part in parts if part not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_survives_json(name):
    fields = json.loads(json.dumps(VARIANTS[name].to_dict()))
    assert Variant.from_dict(fields) == VARIANTS[name]


def test_variant_of_one_s_own_survives_json():
    own = Variant("mine", scales=2, recurrent="conv_gru", kernel_size=7, channels=1)
    assert Variant.from_dict(json.loads(json.dumps(own.to_dict()))) == own


@pytest.mark.parametrize(
    "fields",
    [
        {"recurrent": "lstm"},
        {"upsampling": "nearest"},
        {"block": "dense"},
        {"channels": 2},
        {"resize": "bicubic"},
        {"scales": 0},
        {"blocks": 0},
        {"kernel_size": 4},
        {"kernel_size": -1},
        {"kernel_size": 10**9 + 1},
        {"scales": 10**9},
        {"blocks": 10**400},
    ],
)
def test_impossible_field_is_refused_by_name(fields):
    with pytest.raises(InputError, match=next(iter(fields))):
        Variant("mine", **fields)


def test_variants_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIANTS["SRN"].scales = 2
