"""Options: dataclass fields that carry their one description, their type and their range.

Flags and `--help` are made from `Option`. Values are checked against it wherever they come from: a
command line or a program. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from srn_tf.common.errors import InputError

_KEY = "option"
_NOUNS = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option beside its name and default.

    Attributes:
      type: int, float, bool, str, or Path for a text that names a file or folder, whose leading ~
        on a command line is the home folder.
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

    def parse(self, text: str) -> Any:
        """The value that `text` on a command line stands for. Raises InputError."""
        if not text:  # an unset variable of a shell script, which must not mean the default
            raise InputError("it must not be empty")
        if self.type is Path:
            return os.path.expanduser(text)
        try:
            return self.type(text)
        except ValueError:
            raise InputError(f"it must be {_NOUNS[self.type]}, not {text!r}") from None

    def check(self, name: str, value: Any) -> None:
        """Raises InputError, which names the option, for a value of another type or range."""
        if value is None and self.optional:
            return
        kind = str if self.type is Path else self.type
        if type(value) not in ((int, float) if kind is float else (kind,)):
            raise InputError(f"{name} must be {_NOUNS.get(kind, kind.__name__)}, not {value!r}")
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
