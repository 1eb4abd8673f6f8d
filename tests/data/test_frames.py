"""The caches: shared, renewed and refused as promised; and their stage fits a GPU."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from pair_folders import coordinates, write_pairs
from tensorflow.python.framework import kernels  # private: the only way to ask without a GPU

from srn_tf.common.errors import InputError
from srn_tf.data import CACHES, TrainingBatches, caches, frames
from srn_tf.data.frames import DeviceFrames, DiskFrames

SIZES = [(20, 24), (17, 19)]
CROP = 16


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path, SIZES)


def _load(source, index=1, y=1, x=2):
    return source.load(tf.constant(index, tf.int64), tf.constant(y), tf.constant(x))


def _cache_files(pairs):
    return sorted((pairs[0].blurred.parents[1] / ".srn_cache").iterdir())


def test_disk_cache_reads_the_window_alone(pairs):
    place, windows = _load(DiskFrames(pairs, CROP))
    expected = coordinates(*SIZES[1], 1)[1:17, 2:18]
    np.testing.assert_array_equal(windows, [expected, 255 - expected])
    assert place == (0, CROP, CROP, 0, 0)


def test_disk_cache_is_made_once_and_serves_the_device_cache_too(pairs, monkeypatch, capsys):
    DiskFrames(pairs, CROP)
    (path,) = _cache_files(pairs)
    assert f"making the disk cache {path}" in capsys.readouterr().out
    assert path.stat().st_size == 128 + sum(2 * 3 * h * w for h, w in SIZES)
    monkeypatch.setattr(caches, "read_pair", None)  # decoding again would fail
    _load(DiskFrames(pairs, CROP))
    found = DeviceFrames(pairs, [None]).gather(tf.range(2 * SIZES[0][0] * SIZES[0][1]))
    expected = coordinates(*SIZES[0], 0).reshape(-1, 3)
    np.testing.assert_array_equal(found, np.concatenate([expected, 255 - expected]))
    assert _cache_files(pairs) == [path]


def test_changed_image_and_other_pairs_lead_to_another_disk_cache(pairs):
    DiskFrames(pairs, CROP)
    shutil.copy(pairs[1].sharp, pairs[1].blurred)
    _, windows = _load(DiskFrames(pairs, CROP))
    np.testing.assert_array_equal(windows[0], windows[1])
    assert len(_cache_files(pairs)) == 2
    DiskFrames(pairs[1:], CROP)
    assert len(_cache_files(pairs)) == 3


def test_damaged_disk_cache_is_named(pairs):
    DiskFrames(pairs, CROP)
    (path,) = _cache_files(pairs)
    for content in (path.read_bytes()[:4000], b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"the disk cache {path} is damaged .*: delete it"):
            DiskFrames(pairs, CROP)


def test_disk_cache_goes_where_it_is_told_and_that_of_read_only_data_home(
    pairs, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for cache_dir, place in ((tmp_path / "told", "told"), (None, "home/.cache/srn_tf")):
        DiskFrames(pairs, CROP, cache_dir)
        assert len(list((tmp_path / place).iterdir())) == 1
    assert not (pairs[0].blurred.parents[1] / ".srn_cache").exists()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/.*npy cannot be written .*--cache_dir"):
        DiskFrames(pairs, CROP, tmp_path / "file")


def test_full_disk_is_refused(pairs, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=r"needs 5\.76e-06 GB, but .*\.srn_cache has 5e-06 GB"):
        DiskFrames(pairs[:1] * 2, CROP)


def test_unreadable_image_leaves_no_cache(pairs):
    pairs[0].sharp.write_bytes(pairs[0].sharp.read_bytes()[:-40])
    for make in (lambda: DiskFrames(pairs, CROP), lambda: DeviceFrames(pairs, [None])):
        with pytest.raises(InputError, match=r"sharp/000000\.png is cut off"):
            make()
    assert _cache_files(pairs) == []


def test_device_cache_holds_all_pixels_and_sends_integers(pairs):
    source = DeviceFrames(pairs, ["CPU:1"])
    first = 0
    for index, (height, width) in enumerate(SIZES):
        (place,) = _load(source, index)
        assert [int(value) for value in place] == [first, height, width, 1, 2]
        places = first + np.arange(2 * height * width).reshape(2, height, width)
        expected = coordinates(height, width, index)
        np.testing.assert_array_equal(source.gather(places), [expected, 255 - expected])
        first += 2 * height * width


def test_device_cache_stays_on_its_device(pairs):
    source = DeviceFrames(pairs, ["CPU:1"])
    stage = tf.function(source.gather).get_concrete_function(tf.zeros([1], tf.int64))
    (captured,) = stage.captured_inputs
    assert captured.dtype == tf.resource  # not the frames themselves, which would travel
    assert "CPU:1" in captured.device


def _exhausted(**kwargs):
    raise tf.errors.ResourceExhaustedError(None, None, "OOM")


@pytest.mark.parametrize(
    ("module", "name", "fake"),
    [(frames, "available_memory", lambda: 4000), (tf.raw_ops, "Empty", _exhausted)],
)
def test_device_without_the_memory_is_refused(pairs, monkeypatch, module, name, fake):
    monkeypatch.setattr(module, name, fake)
    with pytest.raises(InputError, match=r"needs 4\.82e-06 GB of memory on CPU:1.*--cache=disk"):
        DeviceFrames(pairs, ["CPU:1"])


def _without_gpu_kernel(function):
    """The operations in a concrete function, also in nested ones, that no GPU kernel takes."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return [f"{node.op} {node.name}" for node in nodes if not _has_gpu_kernel(node)]


def _has_gpu_kernel(node):
    return any(
        kernel.device_type in ("GPU", "DEFAULT")
        and all(
            node.attr[constraint.name].type in constraint.allowed_values.list.type
            for constraint in kernel.constraint
        )
        for kernel in kernels.get_registered_kernels_for_op(node.op).kernel
    )


def _on_the_host(function):
    """The operations on whole windows whose GPU kernels would work in the host's memory."""
    found = []
    for op in function.graph.get_operations():
        large = any(output.shape.rank and output.shape.rank > 2 for output in op.outputs)
        if large and not any(
            kernel.device_type in ("GPU", "DEFAULT")
            and not set(kernel.host_memory_arg) & {"output", "z", "y"}
            for kernel in kernels.get_registered_kernels_for_op(op.type).kernel
        ):
            found.append(op.type)
    return found


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augment", [False, True])
def test_every_operation_of_the_crop_has_a_gpu_kernel(pairs, cache, channels, augment):
    options = {"channels": channels, "augment": augment, "cache": cache}
    batches = TrainingBatches(pairs, batch_size=2, crop_size=CROP, seed=0, **options)
    function = tf.function(batches.crop).get_concrete_function(*batches.dataset().element_spec)
    types = {op.type for op in function.graph.get_operations()}
    assert {"Cast", "Mul", "AddV2"} <= types
    assert types & {"GatherV2", "ResourceGather"}
    assert _without_gpu_kernel(function) == []
    assert _on_the_host(function) == []


def test_operation_without_a_gpu_kernel_would_be_found():
    image = tf.TensorSpec([None, None, 3], tf.uint8)
    cut = tf.function(lambda image: tf.slice(image, [0, 0, 0], [16, 16, 3]))
    nested = tf.function(lambda image: cut(image) if tf.size(image) > 0 else image)
    for function in (cut, nested):
        (found,) = _without_gpu_kernel(function.get_concrete_function(image))
        assert found.startswith("Slice ")
