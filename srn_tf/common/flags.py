"""Flags of the commands, made from the options of a dataclass, and the text of --help."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from absl import flags

from srn_tf.common.options import Option, options_of

_WIDTH = 79  # columns
_PLACEHOLDERS = {
    "int": "INTEGER",
    "float": "NUMBER",
    "PathText": "PATH",
    "list[str]": "A,B,...",
}  # others are a TEXT
OPTIONS: dict[str, Option] = {}  # of all flags that are defined here, in that order
T = TypeVar("T")


class _Parser(flags.ArgumentParser):
    """Turns a text of the command line, or a default, into the value of a flag."""

    def __init__(self, option: Option):
        super().__init__()
        self.option = option

    def parse(self, argument):
        if not isinstance(argument, str):
            return argument  # a default
        if self.option.type == "list[str]":
            return [self.option.parse(text) for text in argument.split(",")]
        return self.option.parse(argument)


def define_flags(
    configuration: type,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
    required: bool = True,
) -> None:
    """Defines a flag for each option of a dataclass.

    Args:
      configuration: the dataclass.
      without: options that have no flag.
      defaults: in place of those of the dataclass.
      required: whether an option without default has a flag that must be given.
    """
    fields = {field.name: field for field in dataclasses.fields(configuration)}
    for name, option in options_of(configuration).items():
        if name in without:
            continue
        default, is_required = (defaults or {}).get(name, fields[name].default), False
        if default is dataclasses.MISSING:
            default, is_required = None, required
        if is_required:
            option = dataclasses.replace(option, help=f"{option.help} Required.")
        OPTIONS[name] = option
        parser, serializer = _Parser(option), flags.ArgumentSerializer()
        if option.type == "bool":
            flags.DEFINE_bool(name, default, option.help)
        elif option.type == "tuple[str, ...]":
            flags.DEFINE_multi(parser, serializer, name, list(default), option.help)
        else:
            flags.DEFINE(
                parser, name, default, option.help, serializer=serializer, required=is_required
            )


def read_flags(configuration: type[T]) -> T:
    """The dataclass with the values of its flags."""
    return configuration(**{name: flags.FLAGS[name].value for name in options_of(configuration)})


def given(*configurations: type) -> dict[str, Any]:
    """The values of those options of these dataclasses that stand on the command line."""
    names = [name for configuration in configurations for name in options_of(configuration)]
    return {
        name: flags.FLAGS[name].value
        for name in names
        if name in flags.FLAGS and flags.FLAGS[name].present
    }


def usage(docstring: str) -> str:
    """What --help says of the command whose module has this docstring.

    The paragraphs of the docstring that begin with "python" are its examples and come first.
    """
    paragraphs = docstring.strip().split("\n\n")
    examples = [text for text in paragraphs if text.split()[0] == "python"]
    prose = [textwrap.fill(text, _WIDTH) for text in paragraphs if text not in examples]
    groups: dict[str, list[str]] = {}
    for name, option in OPTIONS.items():
        groups.setdefault(option.group, []).append(_entry(name, option))
    listed = ["\n".join([f"{group}:", *entries]) for group, entries in groups.items()]
    return "\n\n".join([*map(textwrap.dedent, examples), *prose, *listed])


def _entry(name: str, option: Option) -> str:
    default = flags.FLAGS[name].default
    if option.type == "bool":
        head, shown = f"  --[no]{name}", "on" if default else "off"
    else:
        values = "|".join(option.choices) or _PLACEHOLDERS.get(option.type, "TEXT")
        head, shown = f"  --{name}={values}", default
    notes = [option.help]
    if option.range:
        notes.append(f"{option.range[0].upper()}{option.range[1:]}.")
    if default not in (None, [], ()) and "Default:" not in option.help:
        notes.append(f"Default: {shown}.")
    elif "Required" not in option.help and "default" not in option.help.lower():
        notes.append("Default: none.")
    indent = " " * 6
    text = textwrap.fill(" ".join(notes), _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return f"{head}\n{text}"
