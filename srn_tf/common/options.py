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
default, under the headline by which --help groups them. The annotation, a text by `from __future__
import annotations`, is the type: int, float, bool, str, PathText, list[str] (on a command line with
commas between), tuple[str, ...] (a flag that may be repeated), each also with `| None`.
Nothing here needs TensorFlow.
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


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option beside its default.

    Attributes:
      name: of the field and the flag.
      type: the annotation, without `| None`; of others than those above nothing is checked.
      optional: None is allowed.
      help: its description.
      group: the headline above it.
      choices: the allowed values, or () for all.
      least, most: the smallest and the largest allowed number.
    """

    name: str
    type: str
    optional: bool
    help: str
    group: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def range(self) -> str:
        """In words, "at least 1 and at most 100"; "" where it has none."""
        return "" if self.most is None else f"at least {self.least:g} and at most {self.most:,.12g}"

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
        if self.most is not None and not self.least <= value <= self.most:  # nor is NaN
            raise InputError(f"{self.name} must be {self.range}, not {value}")


def number(default: float | None, least: float = 0, most: float = 10**9) -> Any:
    """A field for a number from `least` to `most`."""
    return dataclasses.field(default=default, metadata={"least": least, "most": most})


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
    fields = {field.name: field for field in dataclasses.fields(configuration)}
    options, group = {}, ""
    for paragraph in re.split(r"\n(?! {4})", inspect.cleandoc(configuration.__doc__)):
        name, _, help = " ".join(paragraph.split()).partition(": ")
        if paragraph.endswith(":"):
            group = paragraph[:-1]
        elif name in fields:
            kind, _, optional = fields[name].type.partition(" | ")
            known = dict(fields[name].metadata)
            help = " ".join([help, known.pop("about", "")]).strip()
            options[name] = Option(name, kind, bool(optional), help, group, **known)
    if options.keys() != fields.keys():
        raise TypeError(f"{configuration} does not describe {fields.keys() - options.keys()}")
    return options


def check_options(configuration: Any) -> None:
    """Checks the value of each option of a dataclass's instance. Raises InputError."""
    for name, described in options_of(type(configuration)).items():
        described.check(getattr(configuration, name))
