"""Files that are damaged in many ways, each a function of a seed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

TOKENS = [b"\x00", b"\xff", b"\r\n", b"\xef\xbb\xbf", b"..", b"/", b"../" * 9, b"nan", b"1e999"]
TOKENS += [b"-1", b"9" * 400, b"[" * 3000, b"{", b"}", b'"', b"null", b"\\ud800", b" ", b"\t"]
VALUES = [None, True, -1, 0, 1.5, 10**400, 1e308, "", "a", "..", "/etc", [], {}, [[]], {"a": 1}]
VALUES += [[None], "é" * 300, float("nan"), float("inf")]


def mutated(content: bytes, count: int, seconds: float, seed: int = 0) -> Iterator[bytes]:
    """`count` damaged versions of `content`, fewer when that takes longer than `seconds`."""
    chance, start = random.Random(seed), time.monotonic()
    for _ in range(count):
        if time.monotonic() - start > seconds:
            return
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 5))):
            _damage(changed, chance)
        yield bytes(changed)


def _damage(content: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(content) + 1)
    length = chance.choice((1, 1, 4, 30))
    kind = chance.choice(("flip", "cut", "insert", "repeat", "truncate"))
    if kind == "flip" and place < len(content):
        content[place] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[place : place + length]
    elif kind == "insert":
        content[place:place] = chance.choice(TOKENS)
    elif kind == "repeat":
        content[place:place] = content[place : place + length] * chance.choice((1, 3))
    elif chance.random() < 0.2:
        del content[place:]


def mutated_json(text: str, count: int, seconds: float, seed: int = 0) -> Iterator[bytes]:
    """As `mutated`; half of them are still JSON, with other values, keys or types."""
    chance, start = random.Random(seed), time.monotonic()
    bytewise = mutated(text.encode(), count, seconds, seed)
    for _ in range(count // 2):
        if time.monotonic() - start > seconds:
            return
        value = json.loads(text)
        for _ in range(chance.choice((1, 1, 2))):
            value = _changed(value, chance)
        yield json.dumps(value).encode()
        yield next(bytewise, b"")


def _changed(value: object, chance: random.Random) -> object:
    if isinstance(value, (dict, list)) and value and chance.random() < 0.9:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(keys)
        action = chance.random()
        if action < 0.15:
            del value[key]
        elif action < 0.25 and isinstance(value, dict):
            value[chance.choice(("a", "", "..", "variant"))] = value.pop(key)
        else:
            value[key] = _changed(value[key], chance)
        return value
    return chance.choice(VALUES)
