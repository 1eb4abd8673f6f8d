"""Reads the authors' released TensorFlow 1 checkpoints (`lstm`, `gray`, `color`).

Every variable of the checkpoint must find its place and every variable of the network its value;
optimizer slots and step counters are left out by name.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import check_regular, reading, reason, written_beside
from srn_tf.common.folders import tensorflow_path
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import RELEASED, get_variant
from srn_tf.weights.run_folder import CHECKPOINT_NAME, CONFIG, checkpoint_folder, write_config
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
# SHA-256 of the index files that the authors published. An index holds a checksum of each tensor,
# which TensorFlow verifies, so that it stands for the values as well.
INDEX_SHA256 = {
    "color": "41fa0d804a8103b5951d17d0fbdf97bc3b3e1932dfb85eeaf69427f42aa952ff",
    "gray": "fe4da7770f5c8d38307cc688df5bf5d3faa506486670c64cc4c465a5458a4cc4",
    "lstm": "dec84132aaa4ce9f4799030c63ea983e89dcb372488831a4351fa1bbcfb2324b",
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
        names = [n for n in reader.get_variable_to_shape_map() if not _NOT_WEIGHTS.search(n)]
        values = {name: reader.get_tensor(name) for name in names}
    except (tf.errors.OpError, ValueError, IndexError) as error:  # IndexError: cut short
        raise InputError(f"{checkpoint} is not a readable checkpoint: {reason(error)}") from None
    found = {name: value.shape for name, value in values.items()}
    wanted = {authors_name(variable.name): variable for variable in model.variables}
    for name in [*wanted, *sorted(found)]:
        if name not in found:
            problem = f"variable {name} is missing"
        elif name not in wanted:
            problem = f"variable {name} has no place in the network"
        elif found[name] != tuple(wanted[name].shape):
            problem = f"variable {name} has shape {found[name]}, not {tuple(wanted[name].shape)}"
        else:
            continue
        raise InputError(f"{checkpoint}: {problem}{_what_it_is(found, model.variant.name)}")
    for name, variable in wanted.items():
        variable.assign(values[name])


def _what_it_is(found: dict[str, tuple], asked: str) -> str:
    """A remark for the error message, when the checkpoint is that of another released model."""
    recurrent = "conv_lstm" if any("LSTM" in name for name in found) else "none"
    channels = found.get("g_net/dec1_0/biases")
    for variant in RELEASED:
        found_it = (variant.recurrent, (variant.channels,)) == (recurrent, channels)
        if found_it and variant.name != asked:
            return f"; it is a {variant.name!r} checkpoint: pass --model={variant.name}"
    return ""


def convert(checkpoint: str, model_name: str, run_dir: str | Path) -> bool:
    """Writes a run folder with the weights of a TF 1 checkpoint (its path, or its folder).

    Returns:
      Whether these are the weights that the authors released, not another training of the network.

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
    if Path(checkpoint).is_dir():
        indices = sorted(Path(checkpoint).glob("*.index"))
        if len(indices) != 1:
            count = len(indices) or "no"
            raise InputError(f"{checkpoint} holds {count} checkpoints: pass the path of one")
        checkpoint = str(indices[0].with_suffix(""))
    index = Path(f"{checkpoint}.index")
    for path in (index, *index.parent.glob("*.data-*")):
        check_regular(path)
    with reading(index):
        is_released = hashlib.sha256(index.read_bytes()).hexdigest() == INDEX_SHA256[model_name]
    model = build_model(get_variant(model_name))
    import_weights(model, checkpoint)
    step = re.search(r"-(\d+)$", checkpoint)
    with written_beside(run_dir) as temporary:
        folder = checkpoint_folder(temporary)
        folder.mkdir(parents=True)
        try:
            path = tensorflow_path(folder / f"{CHECKPOINT_NAME}-{step[1] if step else 0}")
            tf.train.Checkpoint(net=model).write(path)
        except tf.errors.OpError as error:
            raise RunError(
                f"{run_dir} could not be written (disk full?): {reason(error)}"
            ) from None
        # The authors trained on GoPro's `blur`.
        write_config(temporary, model.variant, imported_from=str(checkpoint), blur_subset="blur")
    return is_released
