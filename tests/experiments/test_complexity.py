"""Floating-point operations, against counts by hand."""

import dataclasses

import pytest

from experiments.report import gflops
from srn_tf.network.model import build_model
from srn_tf.network.variants import TABLE1, Variant


def test_gflops_equal_a_count_by_hand():
    # SS with one block: the pixels of a feature map times the weights that make it, times two.
    variant = Variant("tiny", scales=1, recurrent="conv", blocks=1)
    full, half, quarter = 32 * 48, 16 * 24, 8 * 12
    multiply_adds = (
        full * 9 * (6 * 32 + 2 * 32 * 32)  # InBlock
        + half * 9 * (32 * 64 + 2 * 64 * 64)  # EBlocks
        + quarter * 9 * (64 * 128 + 2 * 128 * 128)
        + quarter * 9 * 128 * 128  # bottleneck
        + quarter * (9 * 2 * 128 * 128 + 16 * 128 * 64)  # DBlocks, 4x4 deconvolutions
        + half * (9 * 2 * 64 * 64 + 16 * 64 * 32)
        + full * 9 * (2 * 32 * 32 + 32 * 3)  # OutBlock
    )
    assert gflops(build_model(variant), 32, 48) == pytest.approx(2e-9 * multiply_adds)


def test_gflops_of_the_final_model():
    assert gflops(build_model("SRN"), 256, 256) == pytest.approx(179.7, abs=0.05)


def test_three_scales_cost_21_16ths_of_one():
    one, three = (dataclasses.replace(TABLE1[2], scales=scales, blocks=1) for scales in (1, 3))
    ratio = gflops(build_model(three), 64, 64) / gflops(build_model(one), 64, 64)
    assert ratio == pytest.approx(21 / 16)
