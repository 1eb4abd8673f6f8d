"""What each network of the paper is: one frozen dataclass and one table (Table 1, Sec. 4).

`SR-EDRB3` is the base; every other row replaces exactly the fields it is about. `SRN` is the
paper's final model (Table 2): the same network with 5x5 kernels. `lstm`, `gray` and `color` are
the forms in which the authors released weights.

Any field can be changed by its name: `SRN,scales=4,resize=legacy`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple

from srn_tf.common.errors import InputError


class Published(NamedTuple):
    """What the paper prints beside a variant, on the GoPro test set (Table 1; SRN: Table 2).

    Of SRN: the authors got that number with the network that they released as `lstm`, on gray
    images and with the legacy rule of resizing.
    """

    parameters: str
    psnr: float
    ssim: float


# What stands in the bottleneck, and its class in recurrent.py.
RECURRENT = {
    "conv_lstm": "ConvLSTM2D",
    "conv_rnn": "ConvRNN2D",
    "conv_gru": "ConvGRU2D",
    "conv": "ConvCell",
    "none": "NoCell",
}
# Fields that take one of few values, and fields that are numbers from 1 up to a largest.
_ALLOWED = {
    "recurrent": tuple(RECURRENT),
    "upsampling": ("bilinear", "deconvolution", "sub_pixel"),
    "block": ("residual", "plain"),
    "channels": (3, 1),
    "resize": ("half_pixel", "legacy"),
    "shared_weights": (True, False),
    "encoder_decoder": (True, False),
}
_LARGEST = {"scales": 8, "blocks": 64, "kernel_size": 31, "width": 1024}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A scale-recurrent network.

    Attributes:
      name: as in the paper.
      scales: number of pyramid levels, 1 to 8; the paper's net has 3.
      shared_weights: one network for all scales (Eq. 1), or an independent one for each.
      recurrent: the bottleneck: "conv_lstm", "conv_rnn" or "conv_gru" hand their state to the
        next finer scale; "conv" is one convolution in their place, "none" nothing at all.
      upsampling: of prediction and state between scales: "bilinear" (the paper's), or learned with
        the network: "deconvolution" or "sub_pixel" (convolution).
      block: "residual" (ResBlock) or "plain" (two convolutions without the skip inside).
      blocks: number of such blocks in each InBlock, EBlock, DBlock and OutBlock, 1 to 64.
      encoder_decoder: strides, deconvolutions and long skips; False keeps every feature map at
        the size of the image (Sec. 4.2, SR-Flat and SR-RB).
      kernel_size: of the convolutions in pixels, odd, up to 31; 3 in Table 1, 5 in the final
        model. Those of the recurrent module are always 3x3, the deconvolutions 4x4.
      width: channels of the InBlock and the OutBlock; each EBlock doubles them.
      channels: 3 (RGB) or 1 (gray; R, G and B of a photograph are deblurred as three images).
      resize: "half_pixel" (TensorFlow 2) or "legacy" (TensorFlow 1.4, the released weights): the
        rule of bilinear resizing, by which images are halved and, if `upsampling` is, doubled.
      published: the paper's numbers, or None.

    Raises:
      InputError: a field has an impossible value.
    """

    name: str
    scales: int = 3
    shared_weights: bool = True
    recurrent: str = "conv_lstm"
    upsampling: str = "bilinear"
    block: str = "residual"
    blocks: int = 3
    encoder_decoder: bool = True
    kernel_size: int = 3
    width: int = 32
    channels: int = 3
    resize: str = "half_pixel"
    published: Published | None = None

    def __post_init__(self):
        for field, choices in _ALLOWED.items():
            value = getattr(self, field)
            if value not in choices:
                names = ", ".join(map(str, choices))
                raise InputError(f"{field}={value} of {self.name}: must be one of {names}")
        for field, largest in _LARGEST.items():
            value = getattr(self, field)
            if not (isinstance(value, int) and 1 <= value <= largest):
                raise InputError(f"{field}={value} of {self.name}: must be from 1 to {largest}")
        if self.kernel_size % 2 == 0:
            raise InputError(f"kernel_size={self.kernel_size} of {self.name}: must be odd")

    def to_dict(self) -> dict:
        """The fields as plain JSON types, without the paper's numbers."""
        fields = dataclasses.asdict(self)
        del fields["published"]
        return fields

    @classmethod
    def from_dict(cls, fields: dict) -> Variant:
        """The inverse of `to_dict`; the paper's numbers are those of the variant of that name."""
        known = VARIANTS.get(fields.get("name"))
        return cls(**fields, published=known.published if known else None)

    @property
    def stride(self) -> int:
        """By which each EBlock reduces and each DBlock enlarges: 2 or 1."""
        return 2 if self.encoder_decoder else 1

    @property
    def downsampling(self) -> int:
        """How many image pixels one bottleneck pixel spans at the same scale: 4 or 1."""
        return self.stride**2

    @property
    def size_multiple(self) -> int:
        """Height and width of an input must be multiples of this: 16 for the paper's network."""
        return self.downsampling * 2 ** (self.scales - 1)


def _replaced(base: Variant, name: str, published: tuple | None = None, **fields) -> Variant:
    published = Published(*published) if published else None
    return dataclasses.replace(base, name=name, published=published, **fields)


_BASE = Variant("SR-EDRB3", published=Published("3.76M", 29.98, 0.9254))
_SR_RB = _replaced(
    _BASE, "SR-RB", ("2.66M", 28.11, 0.8991), recurrent="conv", encoder_decoder=False
)
_SRN = _replaced(_BASE, "SRN", ("-", 30.26, 0.9342), kernel_size=5)

TABLE1: tuple[Variant, ...] = (
    _replaced(_BASE, "SS", ("2.73M", 28.40, 0.9045), recurrent="conv", scales=1),
    _replaced(_BASE, "SC", ("8.19M", 29.05, 0.9166), recurrent="conv", shared_weights=False),
    _replaced(_BASE, "w/o R", ("2.73M", 29.26, 0.9197), recurrent="conv"),
    _replaced(_BASE, "RNN", ("3.03M", 29.35, 0.9210), recurrent="conv_rnn"),
    _replaced(_SR_RB, "SR-Flat", ("2.66M", 27.53, 0.8886), block="plain"),
    _SR_RB,
    _replaced(_BASE, "SR-ED", ("3.76M", 29.06, 0.9170), block="plain"),
    _replaced(_BASE, "SR-EDRB1", ("2.21M", 28.60, 0.9082), blocks=1),
    _replaced(_BASE, "SR-EDRB2", ("2.99M", 29.32, 0.9204), blocks=2),
    _BASE,
)

# What Sec. 3.1 names besides: a cell and two operators for upsampling. The paper prints no numbers.
ALTERNATIVES: tuple[Variant, ...] = (
    _replaced(_BASE, "SR-EDRB3-GRU", recurrent="conv_gru"),
    _replaced(_BASE, "SR-EDRB3-Deconv", upsampling="deconvolution"),
    _replaced(_BASE, "SR-EDRB3-SubPixel", upsampling="sub_pixel"),
)

RELEASED: tuple[Variant, ...] = (
    _replaced(_SRN, "lstm", channels=1, resize="legacy"),
    _replaced(_SRN, "gray", channels=1, resize="legacy", recurrent="none"),
    _replaced(_SRN, "color", resize="legacy", recurrent="none"),
)

VARIANTS: dict[str, Variant] = {
    variant.name: variant for variant in (*TABLE1, _SRN, *ALTERNATIVES, *RELEASED)
}
FIELDS: dict[str, Any] = {
    field: default for field, default in _BASE.to_dict().items() if field != "name"
}


def slug(name: str) -> str:
    """A variant's name as a folder name: "w/o R" is "wo-R", "SRN,scales=4" is "SRN-scales-4"."""
    return re.sub(r"[ ,=]", "-", name.replace("/", ""))


def get_variant(name: str) -> Variant:
    """The variant of that name; the slug of a name ("wo-R") serves as well.

    Fields that are to differ follow behind commas, as in "SRN,scales=4,resize=legacy"; what they
    make has no published numbers.

    Raises:
      InputError: no such variant or field; the message lists the known ones.
    """
    base, *changes = name.split(",")
    found = [known for known in VARIANTS.values() if base in (known.name, slug(known.name))]
    if not found:
        raise InputError(f"unknown variant {base!r}; known are: {', '.join(VARIANTS)}")
    fields = {}
    for change in changes:
        field, _, value = change.partition("=")
        if field not in FIELDS:
            raise InputError(f"{name}: no field {field!r}; fields are: {', '.join(FIELDS)}")
        fields[field] = _parsed(value, type(FIELDS[field]))
    if not fields:
        return found[0]
    return _replaced(found[0], ",".join([found[0].name, *changes]), **fields)


def _parsed(value: str, kind: type) -> Any:
    """The value as its field's type, or as it is, which `Variant` then refuses by name."""
    if kind is bool:
        return {"true": True, "false": False}.get(value.lower(), value)
    return int(value) if kind is int and re.fullmatch(r"\d{1,9}", value) else value
