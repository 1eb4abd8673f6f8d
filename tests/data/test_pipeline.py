"""Training batches: what they hold, in which order, and on which device they are made."""

import collections
import hashlib
import time

import cv2
import numpy as np
import pytest
import tensorflow as tf
from pair_folders import coordinates, write_pairs

from srn_tf.common.errors import InputError
from srn_tf.data import CACHES, TrainingBatches, find_pairs, frames, input_error, steps_per_epoch
from srn_tf.data.order import sample_at

SIZES = [(20, 24), (17, 18), (24, 20), (16, 30), (16, 16), (33, 17), (20, 20)]
CROP = 16


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"), SIZES)


def _opened(pairs, **changes):
    options = {"batch_size": 3, "crop_size": CROP, "channels": 3, "seed": 7, **changes}
    return TrainingBatches(pairs, **options)


def _batches(pairs, steps, start_step=0, context=None, **changes):
    batches = _opened(pairs, **changes)
    crop = tf.function(batches.crop)
    with tf.device(changes.get("devices", [None])[0]):
        return [
            [*(images.numpy() for images in crop(*element)), element[0][:, -1].numpy()]
            for element in batches.dataset(start_step, context).take(steps)
        ]


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
    for blurred, _, index in _batches(pairs[:2], 500, batch_size=2):
        for i, corner in zip(index, np.rint(blurred[:, 0, 0, :2] * 255).astype(int).tolist()):
            seen.add((*SIZES[i], *corner))
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
    batches = _batches(pairs, 20)
    assert _equal(batches, _batches(pairs, 20))
    assert not _equal(batches, _batches(pairs, 20, seed=8))


def test_resumed_run_sees_what_an_uninterrupted_one_sees(pairs):
    assert _equal(_batches(pairs, 20)[10:], _batches(pairs, 10, start_step=10))


def test_epochs_are_different_permutations_and_a_batch_may_lie_in_two(pairs):
    index = np.concatenate([index for *_, index in _batches(pairs, 70)]).reshape(30, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in index.tolist())
    assert len({tuple(epoch) for epoch in index.tolist()}) > 25


def test_order_of_an_epoch_hardly_ever_comes_back():
    sizes = np.full([100, 2], 16, np.int64)
    epochs = tf.data.Dataset.range(600).flat_map(
        lambda epoch: tf.data.Dataset.range(100 * epoch, 100 * epoch + 8)
    )
    samples = epochs.map(lambda k: sample_at(k, sizes, seed=0, crop_size=16).index)
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


# What the pipeline of per-sample crops gave, for six pairs and these seeds: SHA-256 over 100 steps.
DIGESTS = {
    "plain": ({}, "89c44f8bd4ac97c8"),
    "turned": ({"augment": True}, "215435281bd7fd08"),
    "resumed": ({"start_step": 50, "seed": 2**31 + 5}, "0960445cc8697842"),
}


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("case", DIGESTS)
def test_a_hundred_batches_are_those_of_the_recording(pairs, cache, case, tmp_path):
    changes, expected = DIGESTS[case]
    digest = hashlib.sha256()
    six = pairs[:6]  # two whole batches an epoch: a remainder was dropped then
    batches = _batches(six, 100, cache=cache, cache_dir=tmp_path, devices=["CPU:1"], **changes)
    for blurred, sharp, _ in batches:
        digest.update(blurred.tobytes())
        digest.update(sharp.tobytes())
    assert digest.hexdigest()[:16] == expected


@pytest.mark.parametrize(
    ("cache", "pixels_per_pair"), [("none", 2 * 33 * 30), ("disk", 2 * CROP * CROP), ("device", 0)]
)
def test_little_crosses_to_the_device(pairs, cache, pixels_per_pair, tmp_path):
    specs = _opened(pairs, cache=cache, cache_dir=tmp_path).dataset().element_spec
    travels = sum(spec.shape.num_elements() * spec.dtype.size for spec in specs)
    assert travels == 3 * (9 * 8 + 3 * pixels_per_pair)


def test_the_sequence_is_endless_and_known_to_be(pairs):
    assert _opened(pairs).dataset().cardinality() == tf.data.INFINITE_CARDINALITY


def test_pairs_of_a_step_are_told_without_reading_any(pairs):
    batches = _opened(pairs)
    expected = [index.tolist() for *_, index in _batches(pairs, 5)]
    assert [batches.pairs_of_step(step) for step in range(5)] == expected


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
    pairs = find_pairs(tmp_path, "train")
    for blurred, sharp, _ in _batches(pairs, 30, batch_size=1, augment=True):
        np.testing.assert_array_equal(blurred, sharp)


def test_what_travels_is_prefetched_to_the_device(pairs):
    batches = _opened(pairs, devices=["CPU:1"])
    assert all("CPU:1" in part.device for part in next(iter(batches.dataset())))


@pytest.mark.parametrize("devices", [(), ("CPU:1",)])
def test_few_batches_are_decoded_ahead_of_a_training_that_pauses(pairs, monkeypatch, devices):
    decoded = []
    original = frames.read_pair
    monkeypatch.setattr(frames, "read_pair", lambda pair: decoded.append(pair) or original(pair))
    batches = _opened(pairs, batch_size=2, devices=devices)
    elements, drawn = iter(batches.dataset()), 0
    for _ in range(6):
        time.sleep(0.3)  # the buffers fill ...
        for _ in range(40):  # ... and are emptied faster than anything is decoded
            next(elements)
            drawn += 1
    time.sleep(0.5)
    assert len(decoded) / 2 - drawn <= 20  # buffers that double would hold 60 and more


@pytest.mark.parametrize("cache", ["none", "device"])
def test_every_mirrored_replica_crops_its_own_share(pairs, cache):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    devices = strategy.extended.worker_devices
    batches = _opened(pairs, batch_size=4, cache=cache, devices=devices)
    dataset = strategy.distribute_datasets_from_function(
        lambda context: batches.dataset(0, context)
    )
    crop = tf.function(lambda element: strategy.run(batches.crop, args=element))
    iterator = iter(dataset)
    for blurred, sharp, _ in _batches(pairs, 5, batch_size=4):
        element = next(iterator)
        for whole, parts in zip((blurred, sharp), crop(element)):
            here = strategy.experimental_local_results(parts)
            np.testing.assert_array_equal(np.concatenate(here), whole)
    operations = crop.get_concrete_function(element).graph.get_operations()
    gathers = [op for op in operations if op.type in ("GatherV2", "ResourceGather")]
    places = [tf.DeviceSpec.from_string(op.device).device_index for op in gathers]
    assert sorted(places) == [0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_size": 20}, r"000001\.png is 18x17 pixels, .* crop of 20x20"),
        ({"batch_size": 8}, "batch of 8 cannot be filled from 7 pairs"),
        (
            {"context": tf.distribute.InputContext(1, 0, 2)},
            "batch of 3 cannot be divided among 2 replicas",
        ),
        ({"cache": "ram"}, "unknown cache 'ram'; known are: none, disk, device"),
    ],
)
def test_what_cannot_be_done_is_refused(pairs, changes, message):
    with pytest.raises(InputError, match=message):
        _batches(pairs, 1, **changes)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def _with_16_bits(path):
    assert cv2.imwrite(str(path), np.zeros((20, 24, 3), np.uint16))


def _of_another_size(path):
    assert cv2.imwrite(str(path), np.zeros((30, 24, 3), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_truncate, "is cut off"),
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
