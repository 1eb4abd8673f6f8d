"""Flags of the commands, each described by an `Option`: its type, range, help and group there."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from srn_tf.common.options import Option, options_of

_WIDTH = 79  # columns
_KINDS = {
    int: "INTEGER",
    float: "NUMBER",
    str: "TEXT",
    Path: "PATH",
    list: "A,B,...",
    tuple: "TEXT",
}
OPTIONS: dict[str, Option] = {}  # of all flags that are defined here, in that order


def define(
    name: str,
    kind: type,
    default: Any,
    help: str,
    *,
    group: str,
    required: bool = False,
    **limits,
) -> flags.FlagHolder:
    """Defines the flag --NAME.

    Args:
      name: without dashes.
      kind: int, float, bool, str, Path (its value is a text), list (of texts, with commas between)
        or tuple (of texts, each with a flag of its own).
      default: the value without the flag, or None.
      help: as in `Option`. Without a default, it says what happens without the flag.
      group: the headline under which --help shows it.
      required: whether the command fails without it.
      limits: choices and range, as in `Option`.
    """
    option = Option(kind, f"{help} Required." if required else help, group, optional=True, **limits)
    return _define(name, default, option, required=required)


def define_options(
    configuration: type, without: Collection[str] = (), defaults: Mapping[str, Any] | None = None
) -> None:
    """Defines a flag for each option of a dataclass but those named in `without`.

    `defaults` are shown in place of those of the dataclass. A field without default has a flag
    without default; one that is no number, switch or text has a flag for a text.
    """
    options = options_of(configuration)
    for field in dataclasses.fields(configuration):
        if field.name in options and field.name not in without:
            option = options[field.name]
            if option.type not in _KINDS and option.type is not bool:
                option = dataclasses.replace(option, type=str)
            default = None if field.default is dataclasses.MISSING else field.default
            _define(field.name, (defaults or {}).get(field.name, default), option)


def given(*configurations: type) -> dict[str, Any]:
    """The values of those options of these dataclasses that stand on the command line."""
    names = [name for configuration in configurations for name in options_of(configuration)]
    return {
        name: flags.FLAGS[name].value
        for name in names
        if name in flags.FLAGS and flags.FLAGS[name].present
    }


class _Parser(flags.ArgumentParser):
    """Turns a text of the command line, or a default, into the value of a flag."""

    def __init__(self, name: str, option: Option):
        super().__init__()
        self.name, self.option = name, option

    def parse(self, argument):
        if not isinstance(argument, str):
            return argument  # a default
        if self.option.type is list:
            return [self._value(text) for text in argument.split(",")]
        return self._value(argument)

    def _value(self, text):
        option = self.option
        if option.type in (list, tuple):
            option = dataclasses.replace(option, type=Path)
        value = option.parse(text)
        option.check(self.name, value)
        return value


def _define(name: str, default: Any, option: Option, **required) -> flags.FlagHolder:
    OPTIONS[name] = option
    if option.type is bool:
        return flags.DEFINE_bool(name, default, option.help)
    parser, serializer = _Parser(name, option), flags.ArgumentSerializer()
    if option.type is tuple:
        return flags.DEFINE_multi(parser, serializer, name, default, option.help)
    return flags.DEFINE(parser, name, default, option.help, serializer=serializer, **required)


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
    if option.type is bool:
        head, shown = f"  --[no]{name}", "on" if default else "off"
    else:
        head = f"  --{name}={'|'.join(option.choices or [_KINDS[option.type]])}"
        shown = ",".join(default) if isinstance(default, list) else default
    notes = [option.help]
    if option.range:
        notes.append(f"{option.range[0].upper()}{option.range[1:]}.")
    if default not in (None, []):
        notes.append(f"Default: {shown}.")
    elif not option.help.endswith("Required.") and "default" not in option.help.lower():
        notes.append("Default: none.")
    indent = " " * 6
    text = textwrap.fill(" ".join(notes), _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return f"{head}\n{text}"
