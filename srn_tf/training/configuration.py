"""The configuration of a training run, as it travels through the code and stands in config.json.

`TrainingConfig` holds what shapes the result: a run folder can only be continued with the same
values. `RunOptions` holds what does not (how long, how often, on what): those may change.
"""

from __future__ import annotations

import dataclasses
import math

from srn_tf.common.errors import InputError
from srn_tf.network.variants import Variant

PAPER_EPOCHS = 2000  # of Sec. 4; the released code runs 4000
BLUR_SUBSETS = ("blur", "blur_gamma")
PRECISIONS = ("none", "float16", "bfloat16")
STARTS = ("xavier", "identity")
STRATEGIES = ("auto", "none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What shapes the weights; the defaults are the paper's recipe (Sec. 3.3 and 4).

    Attributes:
      variant: the network.
      data_dir: folder (or list file) of pairs, see `srn_tf.data.find_pairs`.
      blur_subset: "blur" (plain mean of frames) or "blur_gamma", where the data has both.
      batch_size: pairs per step over all devices together.
      crop_size: side of the square training crops in pixels; a multiple of the variant's
        `size_multiple`.
      augment: random flips and quarter turns; the paper has none.
      learning_rate: at step 0.
      end_learning_rate: at `decay_steps` and after.
      decay_power: of the polynomial between the two.
      decay_steps: length of the schedule in steps; the paper's is 2000 epochs.
      adam_epsilon: the paper's; Keras' own default is 1e-7.
      clip_norm: gradients of the recurrent module alone are clipped to this global norm; 0 is off.
      total_variation: weight of that loss, which the paper tried and dropped; 0 is off.
      ema_decay: of the average of weights that is then used for inference, in [0, 1); 0 is off.
      mixed_precision: "none", "float16" (with loss scaling) or "bfloat16"; weights stay float32.
      seed: of the initial weights, the order of the pairs and the crops; in [0, 2^32).
      start: of a new network: "xavier" (the paper's) or "identity", which returns its input and
        suits short schedules, see `srn_tf.network.initialisation`.
      init_from: run folder whose weights the run starts from, or None.
    """

    variant: Variant
    data_dir: str
    blur_subset: str = "blur"
    batch_size: int = 16
    crop_size: int = 256
    augment: bool = False
    learning_rate: float = 1e-4
    end_learning_rate: float = 1e-6
    decay_power: float = 0.3
    decay_steps: int = 262_000
    adam_epsilon: float = 1e-8
    clip_norm: float = 3.0
    total_variation: float = 0.0
    ema_decay: float = 0.0
    mixed_precision: str = "none"
    seed: int = 0
    start: str = "xavier"
    init_from: str | None = None

    def __post_init__(self):
        multiple = self.variant.size_multiple
        if self.crop_size < multiple or self.crop_size % multiple:
            raise InputError(
                f"crop_size must be a multiple of {multiple} for {self.variant.name}, "
                f"not {self.crop_size}"
            )
        positive = ("batch_size", "decay_steps", "learning_rate", "decay_power", "adam_epsilon")
        for field in positive:
            _check_range(self, field, above=0)
        for field in ("clip_norm", "total_variation", "end_learning_rate"):
            _check_range(self, field, least=0)
        _check_range(self, "ema_decay", least=0, below=1)
        _check_range(self, "seed", least=0, below=2**32)
        _check_choice(self, "blur_subset", BLUR_SUBSETS)
        _check_choice(self, "mixed_precision", PRECISIONS)
        _check_choice(self, "start", STARTS)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "variant": self.variant.to_dict()}


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What may change from one call to the next without changing the result.

    Attributes:
      max_steps: the run ends after this many steps; None is the whole schedule.
      accumulate: parts into which a batch is cut to save memory; their gradients are added up.
      cache: "none", "disk" or "device", see `srn_tf.data`.
      strategy: "auto" (mirrored where there are several GPUs, multi_worker where TF_CONFIG names
        several workers), "none", "mirrored" or "multi_worker".
      jit_compile: compile the gradients with XLA.
      deterministic: same bits every time, also after a resume, at some cost in speed on GPUs.
      skip_nonfinite: leave out steps with a loss or gradient that is not finite, and count them,
        instead of stopping. The learning rate follows the steps that were not left out.
      log_every: steps between log lines.
      checkpoint_every: steps between checkpoints.
      keep_checkpoints: how many of the newest are kept, besides the best.
      validate_every: steps between validations on whole images of the test split; 0 is never.
      validation_images: how many images of the test split, evenly spaced, serve for that.
      profile: write a TensorBoard profile of ten steps.
    """

    max_steps: int | None = None
    accumulate: int = 1
    cache: str = "none"
    strategy: str = "auto"
    jit_compile: bool = False
    deterministic: bool = False
    skip_nonfinite: bool = False
    log_every: int = 100
    checkpoint_every: int = 1000
    keep_checkpoints: int = 3
    validate_every: int = 5000
    validation_images: int = 10
    profile: bool = False

    def __post_init__(self):
        _check_choice(self, "strategy", STRATEGIES)
        for field in ("accumulate", "log_every", "checkpoint_every", "keep_checkpoints"):
            _check_range(self, field, least=1)
        for field in ("validate_every", "validation_images"):
            _check_range(self, field, least=0)
        if self.max_steps is not None:
            _check_range(self, "max_steps", least=1)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return dataclasses.asdict(self)


def _check_range(
    fields: object,
    field: str,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    value = getattr(fields, field)
    if not (least <= value and above < value < below):  # true of NaN as well
        wanted = {"at least": least, "above": above, "below": below}
        words = " and ".join(f"{word} {end}" for word, end in wanted.items() if abs(end) < math.inf)
        raise InputError(f"{field} must be {words or 'finite'}, not {value}")


def _check_choice(fields: object, field: str, allowed: tuple[str, ...]) -> None:
    value = getattr(fields, field)
    if value not in allowed:
        raise InputError(f"{field} must be one of {', '.join(allowed)}, not {value!r}")
