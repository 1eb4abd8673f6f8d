"""The configuration of a training run, as it travels through the code and stands in config.json.

`TrainingConfig` holds what shapes the result: a run folder can only be resumed with the same
values. `RunOptions` holds what does not (how long, how often, on what): those may change. The
defaults are the paper's recipe. Flags and their help are made from the two docstrings, see
`srn_tf.common.options`. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import dataclasses

from srn_tf.common.errors import InputError
from srn_tf.common.options import PathText, check_options, number, one_of
from srn_tf.data.caches import CACHES
from srn_tf.network.variants import Variant
from srn_tf.training.recipe import LOSSES, SCHEDULES

PAPER_EPOCHS = 2000  # of Sec. 4; the released code runs 4000
BLUR_SUBSETS = ("blur", "blur_gamma")
PRECISIONS = ("none", "float16", "bfloat16")
STARTS = ("xavier", "identity")
ADVERSARIAL_CROP = 256  # pixels that one judgement of the discriminator takes in
STRATEGIES = ("auto", "none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What shapes the weights; the defaults are the paper's recipe (Sec. 3.3 and 4).

    Network and data:
      variant: A row of Table 1, SRN, SR-EDRB3-GRU, -Deconv, -SubPixel, lstm, gray or color. Its
        fields may follow, as in SRN,scales=4,resize=legacy: scales, shared_weights, recurrent,
        upsampling, block, blocks, encoder_decoder, kernel_size, width, channels, resize. Required
        but with --init_from and --fork_from.
      data_dir: Folder (or list file) of image pairs. Required but with --fork_from.
      blur_subset: Which blurred images, where the data has both: blur is the plain mean of frames.
      hold_out: Training sequences kept for validation, which then chooses the best checkpoint: how
        many, or their names joined by commas. The paper trains on all.
      start: Weights of a new network: xavier is the paper's; identity returns its input, which
        suits short schedules.
      init_from: Run folder whose weights the run starts from (fine-tuning), or "starter".
      fork_from: RUN@STEP: a checkpoint of another run from which this one continues, with its
        optimizer and step. Flags that are not given are those of that run.

    Recipe (Sec. 3.3 and 4):
      seed: Of the initial weights, the order of the pairs and the crops.
      batch_size: Pairs per step over all devices together.
      crop_size: Side of the square training crops in pixels, a multiple of 16 for the paper's
        network.
      augment: Random flips and quarter turns; the paper has none.
      learning_rate: At the first step.
      end_learning_rate: At the end of the schedule and after.
      schedule: How the learning rate decays; the paper's is polynomial.
      decay_power: Power of the polynomial decay.
      decay_steps: Length of the schedule in steps. Default: 2000 epochs of (pairs // batch_size)
        steps, which is 262000 for GoPro and batches of 16.
      warmup_steps: Steps in which the learning rate rises linearly at first; the paper has none.
      adam_epsilon: Adam's epsilon; Keras' own is 1e-7.
      clip_norm: Global norm to which the gradients of the recurrent module alone are clipped; 0 is
        off.
      loss: Of each scale, between prediction and sharp image; the paper's is l2.
      relative_loss: Count errors relative to the blurred input's, those below so many gray levels
        alike; 0 is off, as in the paper.
      total_variation: Weight of the total variation loss, which the paper tried and dropped; 0 is
        off.
      adversarial: Weight of the adversarial loss, which the paper tried and dropped (1e-4 in Nah et
        al.); needs crops of 256; 0 is off.
      ema_decay: Decay per step of the average of weights that then serves for inference; 0 is off.

    Memory and speed:
      mixed_precision: Type of the computation; weights stay float32. float16 scales its loss.

    Raises:
      InputError: a value out of its range, named.
    """

    variant: Variant
    data_dir: PathText
    blur_subset: str = one_of(BLUR_SUBSETS, "blur")
    hold_out: str | None = None
    start: str = one_of(STARTS, "xavier")
    init_from: PathText | None = None
    fork_from: PathText | None = None
    seed: int = number(0, most=2**32 - 1)
    batch_size: int = number(16, least=1, most=2**16)
    crop_size: int = number(256, least=1, most=2**14)
    augment: bool = False
    learning_rate: float = number(1e-4, least=1e-12, most=1)
    end_learning_rate: float = number(1e-6, most=1)
    schedule: str = one_of(SCHEDULES, "polynomial")
    decay_power: float = number(0.3, least=1e-3, most=100)
    decay_steps: int = number(262_000, least=1)
    warmup_steps: int = number(0)
    adam_epsilon: float = number(1e-8, least=1e-30, most=1)
    clip_norm: float = number(3.0)
    loss: str = one_of(LOSSES, "l2")
    relative_loss: float = number(0.0, most=255)
    total_variation: float = number(0.0)
    adversarial: float = number(0.0)
    ema_decay: float = number(0.0, most=0.999999)
    mixed_precision: str = one_of(PRECISIONS, "none")

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

    Length, log and validation:
      max_steps: The run ends after this many steps. Default: those of the schedule.
      log_every: Steps between log lines.
      checkpoint_every: Steps between checkpoints.
      keep_checkpoints: How many of the newest checkpoints are kept, besides the best.
      keep_every_hours: Of the older checkpoints the last of every so many hours is kept as well; 0
        keeps none.
      validate_every: Steps between validations on whole images, those held out or else of the test
        split; 0 is never.
      validation_images: How many images, evenly spaced, serve for validation and for the report at
        the end.
      skip_nonfinite: Leave out (and count) steps with a loss or gradient that is not finite instead
        of stopping; the learning rate follows the others.
      dry_run: Try data, steps, validation and checkpoint, predict time and disk of the run, and
        exit.

    Memory and speed:
      accumulate: Parts into which each batch is cut to save memory; their gradients are added up.
      cache: Of decoded images: a file on disk, or the accelerator's memory, which is filled from
        that file where there is one.
      cache_dir: Folder of the disk cache. Default: .srn_cache beside the images.
      strategy: auto is mirrored where there are several GPUs, multi_worker where TF_CONFIG names
        several workers.
      jit_compile: Compile the computation of the gradients with XLA.
      tf32: Let GPUs multiply float32 with 10 bits of precision, as TensorFlow does by default.
      memory_growth: Take a GPU's memory as needed instead of all of it at once.
      deterministic: The same bits every time, also resumed; slower on GPUs.
      profile: Write a TensorBoard profile of ten steps.

    Raises:
      InputError: a value out of its range, named.
    """

    max_steps: int | None = number(None, least=1)
    log_every: int = number(100, least=1)
    checkpoint_every: int = number(1000, least=1)
    keep_checkpoints: int = number(3, least=1)
    keep_every_hours: float = number(1.0)
    validate_every: int = number(5000)
    validation_images: int = number(10)
    skip_nonfinite: bool = False
    dry_run: bool = False
    accumulate: int = number(1, least=1, most=2**16)
    cache: str = one_of(CACHES, "none")
    cache_dir: PathText | None = None
    strategy: str = one_of(STRATEGIES, "auto")
    jit_compile: bool = False
    tf32: bool = True
    memory_growth: bool = False
    deterministic: bool = False
    profile: bool = False

    def __post_init__(self):
        check_options(self)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return dataclasses.asdict(self)
