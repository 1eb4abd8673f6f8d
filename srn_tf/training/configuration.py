"""The configuration of a training run, as it travels through the code and stands in config.json.

`TrainingConfig` holds what shapes the result: a run folder can only be continued with the same
values. `RunOptions` holds what does not (how long, how often, on what): those may change. The
defaults are the paper's recipe. Flags and their help are made from the descriptions here, which
are the only ones. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.common.options import check_options, option, required_option
from srn_tf.data.caches import CACHES
from srn_tf.network.variants import Variant
from srn_tf.training.recipe import LOSSES, SCHEDULES

PAPER_EPOCHS = 2000  # of Sec. 4; the released code runs 4000
BLUR_SUBSETS = ("blur", "blur_gamma")
PRECISIONS = ("none", "float16", "bfloat16")
STARTS = ("xavier", "identity")
ADVERSARIAL_CROP = 256  # pixels that one judgement of the discriminator takes in
STRATEGIES = ("auto", "none", "mirrored", "multi_worker")

_NETWORK = "Network and data"
_RECIPE = "Recipe (Sec. 3.3 and 4)"
_LENGTH = "Length, log and validation"
_MACHINE = "Memory and speed"
_MOST_STEPS = 10**9


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What shapes the weights; the defaults are the paper's recipe (Sec. 3.3 and 4).

    Raises:
      InputError: a value out of its range, named.
    """

    variant: Variant = required_option(  # noqa: RUF009  (a field, no shared default)
        Variant,
        "Network: a row of Table 1, SRN, SR-EDRB3-GRU, -Deconv, -SubPixel, lstm, gray or color.",
        group=_NETWORK,
    )
    data_dir: str = required_option(Path, "Folder (or list file) of image pairs.", group=_NETWORK)
    blur_subset: str = option(
        str,
        "blur",
        "Which blurred images, where the data has both: blur is the plain mean of frames.",
        group=_NETWORK,
        choices=BLUR_SUBSETS,
    )
    hold_out: str | None = option(
        str,
        None,
        "Training sequences kept for validation, which then chooses the best checkpoint: how many, "
        "or their names joined by commas. The paper trains on all.",
        group=_NETWORK,
    )
    start: str = option(
        str,
        "xavier",
        "Weights of a new network: xavier is the paper's; identity returns its input, which suits "
        "short schedules.",
        group=_NETWORK,
        choices=STARTS,
    )
    init_from: str | None = option(
        Path,
        None,
        'Run folder whose weights the run starts from (fine-tuning), or "starter".',
        group=_NETWORK,
    )
    fork_from: str | None = option(
        Path,
        None,
        "RUN@STEP: a checkpoint of another run from which this one goes on, with its optimizer and "
        "step. Flags that are not given are those of that run.",
        group=_NETWORK,
    )
    seed: int = option(
        int,
        0,
        "Of the initial weights, the order of the pairs and the crops.",
        group=_RECIPE,
        least=0,
        below=2**32,
    )
    batch_size: int = option(
        int, 16, "Pairs per step over all devices together.", group=_RECIPE, least=1, most=2**16
    )
    crop_size: int = option(
        int,
        256,
        "Side of the square training crops in pixels, a multiple of 16 for the paper's network.",
        group=_RECIPE,
        least=1,
        most=2**14,
    )
    augment: bool = option(
        bool, False, "Random flips and quarter turns; the paper has none.", group=_RECIPE
    )
    learning_rate: float = option(float, 1e-4, "At the first step.", group=_RECIPE, above=0, most=1)
    end_learning_rate: float = option(
        float, 1e-6, "At the end of the schedule and after.", group=_RECIPE, least=0, most=1
    )
    schedule: str = option(
        str,
        "polynomial",
        "How the learning rate decays; the paper's is polynomial.",
        group=_RECIPE,
        choices=tuple(SCHEDULES),
    )
    decay_power: float = option(
        float, 0.3, "Power of the polynomial decay.", group=_RECIPE, above=0, most=100
    )
    decay_steps: int = option(
        int,
        262_000,
        "Length of the schedule in steps. If not given it depends on the data and the batch: 2000 "
        "epochs of (pairs // batch_size) steps, which is 262000 for GoPro and batches of 16.",
        group=_RECIPE,
        least=1,
        most=_MOST_STEPS,
    )
    warmup_steps: int = option(
        int,
        0,
        "Steps in which the learning rate rises linearly at first; the paper has none.",
        group=_RECIPE,
        least=0,
        most=_MOST_STEPS,
    )
    adam_epsilon: float = option(
        float, 1e-8, "Adam's epsilon; Keras' own is 1e-7.", group=_RECIPE, least=1e-30, most=1
    )
    clip_norm: float = option(
        float,
        3.0,
        "Global norm to which the gradients of the recurrent module alone are clipped; 0 is off.",
        group=_RECIPE,
        least=0,
        most=1e9,
    )
    loss: str = option(
        str,
        "l2",
        "Of each scale, between prediction and sharp image; the paper's is l2.",
        group=_RECIPE,
        choices=tuple(LOSSES),
    )
    relative_loss: float = option(
        float,
        0.0,
        "Count errors relative to the blurred input's, those below so many gray levels alike; 0 is "
        "off, as in the paper.",
        group=_RECIPE,
        least=0,
        most=255,
    )
    total_variation: float = option(
        float,
        0.0,
        "Weight of the total variation loss, which the paper tried and dropped; 0 is off.",
        group=_RECIPE,
        least=0,
        most=1e9,
    )
    adversarial: float = option(
        float,
        0.0,
        "Weight of the adversarial loss, which the paper tried and dropped (1e-4 in Nah et al.); "
        f"needs crops of {ADVERSARIAL_CROP}; 0 is off.",
        group=_RECIPE,
        least=0,
        most=1e9,
    )
    ema_decay: float = option(
        float,
        0.0,
        "Decay per step of the average of weights that then serves for inference; 0 is off.",
        group=_RECIPE,
        least=0,
        below=1,
    )
    mixed_precision: str = option(
        str,
        "none",
        "Type of the computation; weights stay float32. float16 scales its loss.",
        group=_MACHINE,
        choices=PRECISIONS,
    )

    def __post_init__(self):
        if not isinstance(self.variant, Variant):
            raise InputError(f"variant must be a Variant, not {self.variant!r}")
        check_options(self)
        multiple = self.variant.size_multiple
        if self.crop_size % multiple:
            raise InputError(
                f"crop_size must be a multiple of {multiple} for {self.variant.name}, "
                f"not {self.crop_size}"
            )
        if self.adversarial and self.crop_size < ADVERSARIAL_CROP:
            raise InputError(
                f"adversarial needs a crop_size of {ADVERSARIAL_CROP} or more, all of which its "
                f"discriminator sees at once, not {self.crop_size}"
            )
        if self.fork_from is not None:
            fork_source(self.fork_from)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "variant": self.variant.to_dict()}


def fork_source(fork_from: str) -> tuple[str, int]:
    """The run folder and the step of RUN@STEP. Raises InputError if that is not its form."""
    run, at, step = fork_from.rpartition("@")
    if not (run and at and step.isdecimal()):
        raise InputError(f"fork_from must be RUN@STEP, not {fork_from!r}")
    return run, int(step)


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What may change from one call to the next without changing the result.

    Raises:
      InputError: a value out of its range, named.
    """

    max_steps: int | None = option(
        int,
        None,
        "The run ends after this many steps; by default with the schedule.",
        group=_LENGTH,
        least=1,
        most=_MOST_STEPS,
    )
    log_every: int = option(
        int, 100, "Steps between log lines.", group=_LENGTH, least=1, most=_MOST_STEPS
    )
    checkpoint_every: int = option(
        int, 1000, "Steps between checkpoints.", group=_LENGTH, least=1, most=_MOST_STEPS
    )
    keep_checkpoints: int = option(
        int,
        3,
        "How many of the newest checkpoints are kept, besides the best.",
        group=_LENGTH,
        least=1,
        most=10**6,
    )
    keep_every_hours: float = option(
        float,
        1.0,
        "Of the older checkpoints the last of every so many hours is kept as well; 0 keeps none.",
        group=_LENGTH,
        least=0,
        most=1e6,
    )
    validate_every: int = option(
        int,
        5000,
        "Steps between validations on whole images, those held out or else of the test split; 0 is "
        "never.",
        group=_LENGTH,
        least=0,
        most=_MOST_STEPS,
    )
    validation_images: int = option(
        int,
        10,
        "How many images, evenly spaced, serve for validation and for the report at the end.",
        group=_LENGTH,
        least=0,
        most=10**6,
    )
    skip_nonfinite: bool = option(
        bool,
        False,
        "Leave out (and count) steps with a loss or gradient that is not finite instead of "
        "stopping; the learning rate follows the others.",
        group=_LENGTH,
    )
    accumulate: int = option(
        int,
        1,
        "Parts into which each batch is cut to save memory; their gradients are added up.",
        group=_MACHINE,
        least=1,
        most=2**16,
    )
    cache: str = option(
        str,
        "none",
        "Of decoded images: a file on disk, or the accelerator's memory, which is filled from that "
        "file where there is one.",
        group=_MACHINE,
        choices=CACHES,
    )
    cache_dir: str | None = option(
        Path,
        None,
        "Folder of the disk cache; by default .srn_cache beside the images.",
        group=_MACHINE,
    )
    strategy: str = option(
        str,
        "auto",
        "auto is mirrored where there are several GPUs, multi_worker where TF_CONFIG names "
        "several workers.",
        group=_MACHINE,
        choices=STRATEGIES,
    )
    jit_compile: bool = option(
        bool, False, "Compile the computation of the gradients with XLA.", group=_MACHINE
    )
    tf32: bool = option(
        bool,
        True,
        "Let GPUs multiply float32 with 10 bits of precision, as TensorFlow does by default.",
        group=_MACHINE,
    )
    memory_growth: bool = option(
        bool, False, "Take a GPU's memory as needed instead of all of it at once.", group=_MACHINE
    )
    deterministic: bool = option(
        bool, False, "The same bits every time, also resumed; slower on GPUs.", group=_MACHINE
    )
    dry_run: bool = option(
        bool,
        False,
        "Try data, steps, validation and checkpoint, predict time and disk of the run, and exit.",
        group=_LENGTH,
    )
    profile: bool = option(bool, False, "Write a TensorBoard profile of ten steps.", group=_MACHINE)

    def __post_init__(self):
        check_options(self)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return dataclasses.asdict(self)
