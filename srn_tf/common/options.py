"""Options: dataclass fields that carry their one description, their type and their range.

Flags and `--help` are made from `Option`, values are checked against it wherever they come from: a
command line, a program or a JSON file. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from srn_tf.common.errors import InputError

_KEY = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option beside its name and default.

    Attributes:
      type: int, float, bool or str.
      help: one sentence or two, with the unit; the default is not repeated in it.
      group: the headline under which `--help` shows it.
      choices: the allowed values, or None for all.
      least: the smallest allowed value, or None.
      above: allowed values are larger than this, or None.
      most: the largest allowed value, or None.
      below: allowed values are smaller than this, or None.
      optional: None is allowed, and the default.
    """

    type: type
    help: str
    group: str
    choices: tuple[str, ...] | None = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    optional: bool = False

    @property
    def range(self) -> str:
        """The allowed numbers in words, "at least 1 and at most 100"; "" for other types."""
        ends = {"at least": self.least, "above": self.above}
        ends.update({"at most": self.most, "below": self.below})
        return " and ".join(f"{word} {end:,.12g}" for word, end in ends.items() if end is not None)

    def check(self, name: str, value: Any) -> None:
        """Raises InputError, which names the option, for a value of another type or range."""
        if value is None and self.optional:
            return
        if self.type is float and type(value) is int:
            value = float(value)
        if type(value) is not self.type:
            raise InputError(f"{name} must be of type {self.type.__name__}, not {value!r}")
        if self.choices and value not in self.choices:
            raise InputError(f"{name} must be one of {', '.join(self.choices)}, not {value!r}")
        inside = (
            (self.least is None or value >= self.least)  # each is false for NaN
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise InputError(f"{name} must be {self.range}, not {value}")


def option(kind: type, default: Any, help: str, *, group: str, **limits) -> Any:
    """A dataclass field of that type, default and description; `limits` as `Option` takes them."""
    described = Option(kind, help, group, optional=default is None, **limits)
    return dataclasses.field(default=default, metadata={_KEY: described})


def required_option(kind: type, help: str, *, group: str) -> Any:
    """The same without a default."""
    return dataclasses.field(metadata={_KEY: Option(kind, help, group)})


def options_of(configuration: type) -> dict[str, Option]:
    """The options among the fields of a dataclass, by name, in their order."""
    fields = dataclasses.fields(configuration)
    return {field.name: field.metadata[_KEY] for field in fields if _KEY in field.metadata}


def check_options(configuration: Any) -> None:
    """Checks the value of each option of a dataclass's instance. Raises InputError."""
    for name, described in options_of(type(configuration)).items():
        described.check(name, getattr(configuration, name))


_JSON_TYPES = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def checked_fields(configuration: type, fields: Any, where: str) -> dict:
    """Fields of a dataclass as they were read from JSON, of which some may be missing.

    Args:
      configuration: the dataclass; fields annotated with other than plain types may hold anything.
      fields: what was read.
      where: names the file and the place in it, for messages.

    Raises:
      InputError: it is no object, has unknown fields, which are named, or values of wrong types.
    """
    if not isinstance(fields, dict):
        raise InputError(f"{where} is no JSON object: {fields!r}")
    known = {
        field.name: str(field.type).split(" | ") for field in dataclasses.fields(configuration)
    }
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InputError(f"{where} has unknown fields: {', '.join(unknown)}")
    for name, value in fields.items():
        kinds = [_JSON_TYPES.get(kind) for kind in known[name] if kind != "None"]
        is_none = value is None and "None" in known[name]
        if None not in kinds and not is_none and type(value) not in sum(kinds, ()):
            raise InputError(
                f"{where}: {name} must be of type {' or '.join(known[name])}, not {value!r}"
            )
    return fields
