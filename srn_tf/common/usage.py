"""The text of --help: examples first, then what the command does, then its flags by purpose."""

from __future__ import annotations

import textwrap

from absl import flags

from srn_tf.common.flags import OPTIONS
from srn_tf.common.options import Option

WIDTH = 79  # columns
_INDENT = " " * 6
_KINDS = {int: "INTEGER", float: "NUMBER", str: "TEXT", list: "A,B,...", tuple: "TEXT"}


def usage(docstring: str) -> str:
    """What --help says of the command whose module has this docstring.

    The paragraphs of the docstring that begin with "python" are its examples. They are indented,
    but from Python 3.13 on not where the docstring has nothing else after its first line.
    """
    paragraphs = docstring.strip().split("\n\n")
    examples = [text for text in paragraphs if text.split()[0] == "python"]
    prose = [textwrap.fill(text, WIDTH) for text in paragraphs if text not in examples]
    groups: dict[str, list[str]] = {}
    for name, option in OPTIONS.items():
        groups.setdefault(option.group, []).append(_entry(name, option))
    listed = ["\n".join([f"{group}:", *entries]) for group, entries in groups.items()]
    last = "--helpfull lists the flags of the library absl as well."
    return "\n\n".join([*map(textwrap.dedent, examples), *prose, *listed, last])


def full_usage(docstring: str) -> str:
    """What --helpfull says: the same, and the flags that absl brings along."""
    others = [flags.FLAGS[name] for name in flags.FLAGS if name not in OPTIONS]
    entries = {f"  --{flag.name}\n{_filled(flag.help)}": None for flag in others}
    return "\n\n".join([usage(docstring), "\n".join(["Of the library absl:", *entries])])


def _entry(name: str, option: Option) -> str:
    flag = flags.FLAGS[name]
    if option.type is bool:
        head = f"  --[no]{name}"
    else:
        head = f"  --{name}={'|'.join(option.choices or [_KINDS[option.type]])}"
    notes = [option.help]
    if option.range:
        notes.append(f"{option.range[0].upper()}{option.range[1:]}.")
    if flag.default not in (None, False, []):
        notes.append(f"Default: {flag.default}.")
    return f"{head}\n{_filled(' '.join(notes))}"


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
