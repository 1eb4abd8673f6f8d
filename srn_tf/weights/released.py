"""Reads the authors' released TensorFlow 1 checkpoints (`lstm`, `gray`, `color`).

Every variable of the checkpoint must find its place and every variable of the network its value;
optimizer slots and step counters are left out by name.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import check_regular, written_beside
from srn_tf.common.folders import tensorflow_path
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import RELEASED, get_variant
from srn_tf.weights.run_folder import CONFIG, checkpoint_folder, write_config
from srn_tf.weights.starter import check_not_starter

# The authors' names of the first convolution (or deconvolution) of each block.
_BLOCKS = {
    "in_block/conv": "enc1_1",
    "eblock1/conv": "enc2_1",
    "eblock2/conv": "enc3_1",
    "conv_lstm/gates": "convLSTM/LSTM_conv",
    "dblock1/deconv": "dec2_4",
    "dblock2/deconv": "dec1_4",
    "out_block/conv": "dec1_0",
}
# Their ResBlocks count up from 2 in the encoder and down to 1 in the decoder.
_RES_BLOCKS = {
    "in_block": ("enc1_2", "enc1_3", "enc1_4"),
    "eblock1": ("enc2_2", "enc2_3", "enc2_4"),
    "eblock2": ("enc3_2", "enc3_3", "enc3_4"),
    "dblock1": ("dec3_3", "dec3_2", "dec3_1"),
    "dblock2": ("dec2_3", "dec2_2", "dec2_1"),
    "out_block": ("dec1_3", "dec1_2", "dec1_1"),
}
_NOT_WEIGHTS = re.compile(r"(^|/)(beta[12]_power|global_step|step|Variable)$|/Adam(_\d+)?$")


def authors_name(variable_name: str) -> str:
    """The name that a variable of our network has in the released checkpoints.

    "srn/net/eblock1/block2/conv1/kernel:0" -> "g_net/enc2_3/conv1/weights".
    """
    path, _, kind = variable_name.split(":")[0].partition("net/")[2].rpartition("/")
    block = re.fullmatch(r"(\w+)/block(\d)/(conv\d)", path)
    if block:
        stage, number, conv = block.groups()
        path = f"{_RES_BLOCKS[stage][int(number) - 1]}/{conv}"
    else:
        path = _BLOCKS[path]
    return f"g_net/{path}/{'weights' if kind == 'kernel' else 'biases'}"


def import_weights(model: ScaleRecurrentNet, checkpoint: str) -> None:
    """Fills `model` (variant lstm, gray or color) from a TF 1 checkpoint.

    Raises:
      InputError: the checkpoint cannot be read, or a variable is missing, left over or of another
        shape; the message names the variable, and the model that the checkpoint does hold.
    """
    try:
        reader = tf.train.load_checkpoint(tensorflow_path(checkpoint))
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(f"{checkpoint} is not a readable checkpoint: {error}") from None
    shapes = {
        name: tuple(shape)
        for name, shape in reader.get_variable_to_shape_map().items()
        if not _NOT_WEIGHTS.search(name)
    }
    wanted = {authors_name(variable.name): variable for variable in model.variables}
    problem = _first_difference(
        {name: tuple(variable.shape) for name, variable in wanted.items()}, shapes
    )
    if problem:
        raise InputError(f"{checkpoint}: {problem}{_what_it_is(shapes, model.variant.name)}")
    values = [_read(reader, name, checkpoint) for name in wanted]
    for variable, value in zip(wanted.values(), values):
        variable.assign(value)


def _first_difference(wanted: dict[str, tuple], found: dict[str, tuple]) -> str | None:
    for name, shape in wanted.items():
        if name not in found:
            return f"variable {name} is missing"
        if found[name] != shape:
            return f"variable {name} has shape {found[name]}, not {shape}"
    left_over = sorted(set(found) - set(wanted))
    return f"variable {left_over[0]} has no place in the network" if left_over else None


def _what_it_is(found: dict[str, tuple], asked: str) -> str:
    """A remark for the error message, when the checkpoint is that of another released model."""
    recurrent = "conv_lstm" if any("LSTM" in name for name in found) else "none"
    channels = found.get("g_net/dec1_0/biases")
    for variant in RELEASED:
        found_it = (variant.recurrent, (variant.channels,)) == (recurrent, channels)
        if found_it and variant.name != asked:
            return f"; it is a {variant.name!r} checkpoint: pass --model={variant.name}"
    return ""


def _read(reader, name: str, checkpoint: str) -> np.ndarray:
    try:
        return reader.get_tensor(name)
    except (tf.errors.OpError, IndexError) as error:  # IndexError: the file ends too early
        raise InputError(f"{checkpoint}: variable {name} cannot be read: {error}") from None


def convert(checkpoint: str, model_name: str, run_dir: str | Path) -> None:
    """Writes a run folder with the weights of a released checkpoint (its path, or its folder).

    Raises:
      InputError: see `import_weights`; or `run_dir` is there and not empty, or has the name of the
        starter weights.
      RunError: the disk is full or not writable; nothing is left behind.
    """
    check_not_starter(run_dir)
    run_dir = Path(run_dir)
    if (run_dir / CONFIG).exists():
        raise InputError(f"{run_dir} holds a run already: choose another --run_dir")
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise InputError(f"{run_dir} holds something else: choose another --run_dir")
    checkpoint = _found(checkpoint)
    model = build_model(get_variant(model_name))
    import_weights(model, checkpoint)
    step = re.search(r"-(\d+)$", checkpoint)
    with written_beside(run_dir) as temporary:
        folder = checkpoint_folder(temporary)
        folder.mkdir(parents=True)
        try:
            tf.train.Checkpoint(net=model).write(
                tensorflow_path(folder / f"step-{step[1] if step else 0}")
            )
        except tf.errors.OpError as error:
            reason = str(error).strip().splitlines()[0]
            raise RunError(f"{run_dir} could not be written (disk full?): {reason}") from None
        # The authors trained on GoPro's `blur`.
        write_config(temporary, model.variant, imported_from=str(checkpoint), blur_subset="blur")


def _found(checkpoint: str) -> str:
    """The path without ending of a checkpoint that is given by it or by its folder."""
    if Path(checkpoint).is_dir():
        indices = sorted(Path(checkpoint).glob("*.index"))
        if len(indices) != 1:
            raise InputError(
                f"{checkpoint} holds {len(indices)} checkpoints (*.index): pass the path of one"
            )
        checkpoint = str(indices[0].with_suffix(""))
    for path in Path(checkpoint).parent.glob(f"{glob.escape(Path(checkpoint).name)}.*"):
        check_regular(path)
    return checkpoint
