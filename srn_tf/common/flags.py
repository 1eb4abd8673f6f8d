"""Flags of the commands, each described by an `Option`: its type, range, help and group there.

Every value on a command line passes `Option.check`: a number out of its range, NaN, infinity or an
empty text is refused before anything begins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from absl import flags

from srn_tf.common.errors import InputError
from srn_tf.common.options import Option, options_of

OPTIONS: dict[str, Option] = {}  # of all flags that are defined here, in that order


class _Checked(flags.ArgumentParser):
    """Has the `Option` check what the class beside this one has parsed."""

    def __init__(self, name: str, option: Option):
        super().__init__()
        self.name, self.option = name, option

    def parse(self, argument):
        value = super().parse(argument)
        if value == "":  # an unset variable of a shell script, which must not mean the default
            raise InputError(f"{self.name} must not be empty")
        self.option.check(self.name, value)
        return value


class _Integer(_Checked, flags.IntegerParser):
    pass


class _Number(_Checked, flags.FloatParser):
    pass


class _Texts(_Checked, flags.ListParser):
    def parse(self, argument):
        texts = super().parse(argument)
        if argument == "" or "" in texts:
            raise InputError(f"{self.name} must not be empty, nor a part of it: {argument!r}")
        return texts


_PARSERS = {int: _Integer, float: _Number, str: _Checked, list: _Texts}


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
      kind: int, float, bool, str, list (of strings, with commas between) or tuple (of strings, each
        with a flag of its own).
      default: the value without the flag, or None.
      help: as in `Option`.
      group: the headline under which --help shows it.
      required: whether the command fails without it.
      limits: choices and range, as in `Option`.
    """
    text = f"{help} Required." if required else help
    option = Option(kind, text, group, optional=default is None, **limits)
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
            if option.type not in (*_PARSERS, bool):
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


def _define(name: str, default: Any, option: Option, **required) -> flags.FlagHolder:
    OPTIONS[name] = option
    if option.choices:
        return flags.DEFINE_enum(name, default, option.choices, option.help, **required)
    if option.type is bool:
        return flags.DEFINE_bool(name, default, option.help)
    serializer = flags.ArgumentSerializer()
    if option.type is tuple:
        parser = _Checked(name, dataclasses.replace(option, type=str))
        return flags.DEFINE_multi(parser, serializer, name, default, option.help)
    parser = _PARSERS[option.type](name, option)
    return flags.DEFINE(parser, name, default, option.help, serializer=serializer, **required)
