"""Training batches: what they hold, in which order, and on which device they are made."""

import collections
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from pair_folders import coordinates, write_pairs

from srn_tf.common.errors import InputError
from srn_tf.data import CACHES, find_pairs, input_error, steps_per_epoch, training_batches
from srn_tf.data.order import sample_at

SIZES = [(20, 24), (17, 18), (24, 20), (16, 30), (16, 16), (33, 17), (20, 20)]
CROP = 16


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"), SIZES)


def _batches(pairs, steps, **changes):
    options = {"batch_size": 3, "crop_size": CROP, "channels": 3, "seed": 7, **changes}
    dataset = training_batches(pairs, **options)
    return [[np.asarray(part) for part in batch] for batch in dataset.take(steps)]


def _equal(some, others):
    assert len(some) == len(others)
    return all(
        np.array_equal(one, other)
        for batch, other_batch in zip(some, others)
        for one, other in zip(batch, other_batch)
    )


@pytest.mark.parametrize("cache", CACHES)
def test_same_window_of_both_images(pairs, cache, tmp_path):
    for blurred, sharp, index in _batches(pairs, 20, cache=cache, cache_dir=tmp_path):
        assert blurred.shape == sharp.shape == (3, CROP, CROP, 3)
        assert blurred.dtype == sharp.dtype == np.float32
        for b, s, i in zip(blurred, sharp, index):
            y, x = np.rint(b[0, 0, :2] * 255).astype(int)
            expected = coordinates(*SIZES[i], i)[y : y + CROP, x : x + CROP] / 255
            np.testing.assert_allclose(b, expected, atol=1e-6)
            np.testing.assert_allclose(s, 1 - expected, atol=1e-6)


def test_every_window_of_every_pair_occurs(pairs):
    seen = set()
    for blurred, _, index in _batches(pairs[:2], 1000, batch_size=1):
        y, x = np.rint(blurred[0, 0, 0, :2] * 255).astype(int).tolist()
        seen.add((*SIZES[index[0]], y, x))
    rows_and_columns = {(20, 24): (5, 9), (17, 18): (2, 3)}  # places for a window of 16x16
    assert seen == {
        (*size, y, x)
        for size, (rows, columns) in rows_and_columns.items()
        for y in range(rows)
        for x in range(columns)
    }


def test_gray_is_the_weighted_sum_of_the_channels(pairs):
    colour, gray = (_batches(pairs, 3, channels=channels) for channels in (3, 1))
    for (blurred, sharp, _), (gray_blurred, gray_sharp, _) in zip(colour, gray):
        weights = np.array([[0.2989], [0.5870], [0.1140]])
        np.testing.assert_allclose(gray_blurred, blurred @ weights, atol=1e-6)
        np.testing.assert_allclose(gray_sharp, sharp @ weights, atol=1e-6)


def test_same_seed_gives_the_same_batches(pairs):
    batches = _batches(pairs, 100)
    assert _equal(batches, _batches(pairs, 100))
    assert not _equal(batches, _batches(pairs, 100, seed=8))


def test_resumed_run_sees_what_an_uninterrupted_one_sees(pairs):
    assert _equal(_batches(pairs, 100)[50:], _batches(pairs, 50, start_step=50))


def test_epochs_are_different_permutations_without_remainder(pairs):
    steps = steps_per_epoch(len(pairs), 3)
    assert steps == 2
    index = np.stack([index for *_, index in _batches(pairs, 40 * steps)]).reshape(40, 3 * steps)
    assert all(len(set(epoch)) == 6 for epoch in index.tolist())
    assert len({tuple(epoch) for epoch in index.tolist()}) > 35
    left_out = [set(range(7)).difference(epoch).pop() for epoch in index.tolist()]
    assert len(set(left_out)) == 7


def test_order_of_an_epoch_hardly_ever_comes_back():
    sizes = np.full([100, 2], 16, np.int64)
    epochs = tf.data.Dataset.range(600).flat_map(
        lambda epoch: tf.data.Dataset.range(100 * epoch, 100 * epoch + 8)
    )
    samples = epochs.map(lambda k: sample_at(k, sizes, seed=0, batch_size=10, crop_size=16).index)
    assert len({tuple(epoch) for epoch in samples.batch(8).as_numpy_iterator()}) > 580


def test_gopro_has_131_steps_per_epoch():
    assert steps_per_epoch(2103, 16) == 131


@pytest.mark.parametrize(("workers", "replicas"), [(2, 2), (1, 2), (2, 4)])
def test_shards_make_up_the_whole_batch(pairs, workers, replicas):
    whole = _batches(pairs, 10, batch_size=4)
    local = replicas // workers
    contexts = [tf.distribute.InputContext(workers, i, replicas) for i in range(workers)]
    shards = [_batches(pairs, 10 * local, batch_size=4, context=context) for context in contexts]
    joined = []
    for step in range(10):
        parts = [b for shard in shards for b in shard[step * local : (step + 1) * local]]
        joined.append([np.concatenate(part) for part in zip(*parts)])
    assert _equal(joined, whole)


@pytest.mark.parametrize("cache", ["disk", "device"])
@pytest.mark.parametrize("augment", [False, True])
def test_caches_change_nothing(pairs, cache, augment, tmp_path):
    whole = _batches(pairs, 20, augment=augment)
    cached = _batches(pairs, 20, augment=augment, cache=cache, cache_dir=tmp_path, device="CPU:1")
    assert _equal(whole, cached)


def test_augmentation_turns_both_images_alike(pairs):
    turns = collections.Counter()
    for plain, turned in zip(_batches(pairs, 40), _batches(pairs, 40, augment=True)):
        for b, s, turned_b, turned_s in zip(*plain[:2], *turned[:2]):
            flips = [f(np.rot90(b, r)) for r in range(4) for f in (np.asarray, np.fliplr)]
            (turn,) = (i for i, flip in enumerate(flips) if np.array_equal(flip, turned_b))
            turns[turn] += 1
            np.testing.assert_allclose(turned_s, 1 - turned_b, atol=1e-6)
            assert not np.array_equal(b, s)
    assert set(turns) == set(range(8))


def test_same_image_twice_gives_equal_crops(tmp_path):
    for folder in ("blur", "sharp"):
        (tmp_path / folder).mkdir()
        image = np.random.default_rng(1).integers(0, 256, (24, 28, 3), np.uint8)
        assert cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    for blurred, sharp, _ in _batches(
        find_pairs(tmp_path, "train"), 30, batch_size=1, augment=True
    ):
        np.testing.assert_array_equal(blurred, sharp)


def test_batches_are_prefetched_to_the_device(pairs):
    dataset = training_batches(
        pairs, batch_size=2, crop_size=CROP, channels=3, seed=1, device="CPU:1"
    )
    assert "CPU:1" in next(iter(dataset))[0].device


def test_mirrored_strategy_gets_the_same_batches(pairs):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    dataset = strategy.distribute_datasets_from_function(
        lambda context: training_batches(
            pairs, batch_size=4, crop_size=CROP, channels=3, seed=7, context=context
        )
    )
    iterator = iter(dataset)
    for blurred, sharp, index in _batches(pairs, 5, batch_size=4):
        for whole, parts in zip((blurred, sharp, index), next(iterator)):
            parts = strategy.experimental_local_results(parts)
            np.testing.assert_array_equal(np.concatenate(parts), whole)


_RUN_ON_SECOND_DEVICE = """
import sys
import conftest
import tensorflow as tf
from srn_tf.data import find_pairs, training_batches
tf.debugging.set_log_device_placement(True)
for cache in ("none", "device"):
    batches = training_batches(
        find_pairs(sys.argv[1], "train"), batch_size=2, crop_size=16, channels=1, seed=1,
        augment=True, cache=cache, device="CPU:1")
    next(iter(batches))
"""


def test_stage_runs_on_the_second_device(pairs):
    log = subprocess.run(
        [sys.executable, "-c", _RUN_ON_SECOND_DEVICE, pairs[0].blurred.parents[2]],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout
    placed = collections.defaultdict(set)
    for op, device in re.findall(r": \((\w+)\): \S*device:(\w+:\d)", log):
        placed[op].add(device)
    # Slices and casts are also part of the drawing of samples, on the host.
    assert "CPU:1" in placed["StridedSlice"] & placed["Cast"]
    for op in ("EnsureShape", "RealDiv", "Transpose", "MatMul", "Unpack", "ReadVariableOp"):
        assert placed[op] == {"CPU:1"}, op


def test_crop_larger_than_an_image_is_refused(pairs):
    with pytest.raises(InputError, match=r"000001\.png is 18x17 pixels, .* crop of 32x32"):
        training_batches(pairs[1:], batch_size=1, crop_size=32, channels=3, seed=0)


def test_batch_that_cannot_be_filled_is_refused(pairs):
    with pytest.raises(InputError, match="batch of 8 cannot be filled from 7 pairs"):
        _batches(pairs, 1, batch_size=8)


def test_batch_that_cannot_be_divided_is_refused(pairs):
    with pytest.raises(InputError, match="batch of 3 cannot be divided among 2 replicas"):
        _batches(pairs, 1, context=tf.distribute.InputContext(1, 0, 2))


def test_unknown_cache_is_refused(pairs):
    with pytest.raises(InputError, match="unknown cache 'ram'; known are: none, disk, device"):
        _batches(pairs, 1, cache="ram")


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def _with_alpha(path):
    assert cv2.imwrite(str(path), np.zeros((20, 24, 4), np.uint8))


def _with_16_bits(path):
    assert cv2.imwrite(str(path), np.zeros((20, 24, 3), np.uint16))


def _of_another_size(path):
    assert cv2.imwrite(str(path), np.zeros((30, 24, 3), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_truncate, "is unreadable or truncated"),
        (_with_alpha, "has an alpha channel"),
        (_with_16_bits, "has 16 bits"),
        (_of_another_size, "was replaced by an image of another size"),
    ],
)
def test_unusable_image_is_named_while_training(tmp_path, spoil, message):
    pairs = write_pairs(tmp_path, SIZES[:1])
    spoil(pairs[0].sharp)
    with pytest.raises(tf.errors.OpError) as caught:
        _batches(pairs, 1, batch_size=1)
    error = input_error(caught.value)
    assert isinstance(error, InputError)
    assert str(error).startswith(f"{pairs[0].sharp} {message}")
    assert "\n" not in str(error)


def test_other_errors_are_no_input_errors():
    assert input_error(tf.errors.ResourceExhaustedError(None, None, "out of memory")) is None


def test_gray_and_jpeg_images_are_handled(tmp_path):
    for folder in ("blur", "sharp"):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "a.jpg"), np.full((16, 16), 51, np.uint8))
    ((blurred, sharp, _),) = _batches(find_pairs(tmp_path, "train"), 1, batch_size=1)
    for image in (blurred, sharp):
        np.testing.assert_allclose(image, np.full((1, 16, 16, 3), 0.2), atol=1 / 255)
