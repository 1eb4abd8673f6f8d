"""Options: the fields of a dataclass, from which flags, --help and checks are made.

    @dataclasses.dataclass(frozen=True)
    class Flags:
        \"\"\"What is asked for.

        Files:
          input: Photograph, or folder of them.
        Size:
          side: Of the tiles in pixels.
        \"\"\"

        input: PathText
        side: int = number(256, least=16)

The docstring holds the one description of each: a sentence or two, with the unit, without the
default, under the headline by which --help groups them. The annotation is the type: int, float,
bool, str, PathText, list[str] (on a command line with commas between), tuple[str, ...] (a flag that
may be repeated), each also with `| None`. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import re
from collections.abc import Iterable
from typing import Any

from srn_tf.common.errors import InputError

PathText = str  # that names a file or folder; its leading ~ on a command line is the home folder
_TYPES = {
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "str": ((str,), "a text"),
    "PathText": ((str,), "a text"),
}
_LARGEST = 10**9  # of numbers for which nothing else is said


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option beside its default.

    Attributes:
      name: of the field and the flag.
      type: the annotation, without `| None`; of others than those above nothing is checked.
      help: its description.
      group: the headline above it.
      choices: the allowed values, or () for all.
      least: the smallest allowed value, or None.
      above: allowed values are larger than this, or None.
      most: the largest allowed value, or None.
      below: allowed values are smaller than this, or None.
      optional: None is allowed.
    """

    name: str
    type: str
    help: str
    group: str
    choices: tuple[str, ...] = ()
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
        """The value, or one of several, that `text` on a command line stands for.

        Raises:
          InputError: it cannot be one.
        """
        if not text:  # an unset variable of a shell script, which must not mean the default
            raise InputError("it must not be empty")
        value = text if self.type == "str" else os.path.expanduser(text)
        if self.type in ("int", "float"):
            try:
                value = int(text) if self.type == "int" else float(text)
            except ValueError:
                raise InputError(f"it must be {_TYPES[self.type][1]}, not {text!r}") from None
        self.check(value)
        return value

    def check(self, value: Any) -> None:
        """Raises InputError, which names the option, for a value of another type or range."""
        if value is None and self.optional:
            return
        types, noun = _TYPES.get(self.type, ((type(value),), ""))
        if type(value) not in types:
            raise InputError(f"{self.name} must be {noun}, not {value!r}")
        if self.choices and value not in self.choices:
            raise InputError(f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}")
        inside = (
            (self.least is None or value >= self.least)  # each is false for NaN
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise InputError(f"{self.name} must be {self.range}, not {value}")


def number(default: float | None, **limits: float) -> Any:
    """A field for a number; `limits` are least, above, most and below, as in `Option`.

    Without most or below the number is at most 1e9.
    """
    return dataclasses.field(default=default, metadata=limits)


def one_of(
    choices: Iterable[str], default: str | None = dataclasses.MISSING, about: str = ""
) -> Any:
    """A field for one of several texts, with a default if one is given.

    `about` follows the description, where a table knows what the choices are.
    """
    known = {"choices": tuple(choices), "about": about}
    return dataclasses.field(default=default, metadata=known)


@functools.cache
def options_of(configuration: type) -> dict[str, Option]:
    """The options of a dataclass by name, in the order of its docstring."""
    described, group, name = {}, "", None
    for line in inspect.cleandoc(configuration.__doc__).splitlines():
        entry = re.fullmatch(r"  (\w+): (.*)", line)
        if entry:
            name = entry[1]
            described[name] = {"group": group, "help": entry[2]}
        elif line.startswith("    ") and name:
            described[name]["help"] += f" {line.strip()}"
        elif line.endswith(":"):
            group = line[:-1]
    options, order = {}, list(described)
    for field in sorted(dataclasses.fields(configuration), key=lambda f: order.index(f.name)):
        kind, _, optional = field.type.partition(" | ")
        known = {**described[field.name], **field.metadata}
        about = known.pop("about", "")
        if about:
            known["help"] += f" {about}."
        if kind in ("int", "float") and not {"most", "below"} & known.keys():
            known["most"] = _LARGEST
        options[field.name] = Option(field.name, kind, optional=bool(optional), **known)
    return options


def check_options(configuration: Any) -> None:
    """Checks the value of each option of a dataclass's instance. Raises InputError."""
    for name, described in options_of(type(configuration)).items():
        described.check(getattr(configuration, name))
