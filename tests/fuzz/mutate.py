"""Bytes and documents, changed: what a careless disk or an ill-meaning author makes of a file."""

from __future__ import annotations

import copy
import random
from typing import Any

__all__ = ["mutate_bytes", "mutate_document", "mutate_text"]

NUMBERS = (0, 1, -1, 2, 7, 8, 127, 128, 255, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**48, 2**62)
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    2**63,
    -(2**63),
    2**64,
    10**18,
    10**400,
    0.5,
    -0.0,
    1e308,
    1e400,
    float("nan"),
    True,
    False,
    None,
    "",
    "x",
    "\x1b[2J\u202e",
    "\ud800",
    "x" * 5000,
    "../../etc/passwd",
    "evil.toml",
    [],
    [[]],
    {},
    {"tensor": "x"},
)
TOKENS = (
    b"\x00", b"\n", b"\\", b'"', b"'", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"=", b".",
    b"-", b"inf", b"nan", b"1e308", b"1e999", b"9" * 400, b"9" * 5000, b"[" * 400, b"a." * 400,
    b"[[", b"]]", b"true", b"null", b"\xff\xfe", b"\x1b[2J", b"&a", b"*a", b"<<: *a", b"!!python/",
)  # fmt: skip


def mutate_bytes(rng: random.Random, content: bytes) -> bytes:
    """Change some bytes: flip, set, insert, delete, repeat, cut, or write a number."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        _change(rng, changed)
    return bytes(changed)


def _change(rng: random.Random, changed: bytearray) -> None:
    position = rng.randrange(len(changed) + 1)
    kind = rng.randrange(8)
    if kind == 0 and position < len(changed):
        changed[position] ^= 1 << rng.randrange(8)
    elif kind == 1 and position < len(changed):
        changed[position] = rng.randrange(256)
    elif kind == 2:
        changed[position:position] = rng.randbytes(rng.randrange(1, 9))
    elif kind == 3:
        del changed[position : position + rng.choice((1, 1, 2, 8, 64))]
    elif kind == 4:
        size = rng.choice((1, 4, 16, 64, 1024))
        changed[position:position] = changed[position : position + size] * rng.choice((1, 2, 50))
    elif kind == 5 and rng.random() < 0.2:
        del changed[position:]
    elif kind == 6:
        width = rng.choice((1, 2, 4, 8))
        value = rng.choice(NUMBERS) % 2 ** (8 * width)
        changed[position : position + width] = value.to_bytes(width, rng.choice(("little", "big")))
    else:
        changed[position:position] = rng.choice(TOKENS)


def mutate_text(rng: random.Random, content: bytes) -> bytes:
    """Change words: put a token, or another line, in the place of one."""
    if rng.random() < 0.4:
        return mutate_bytes(rng, content)
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0:
            lines[at] = rng.choice(lines)
        elif kind == 1:
            lines.insert(at, rng.choice(lines))
        elif kind == 2:
            words = lines[at].split(b" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS)
            lines[at] = b" ".join(words)
        elif kind == 3:
            key, equals, _ = lines[at].partition(b"=")
            lines[at] = key + equals + b" " + repr(rng.choice(VALUES)).encode("utf-8", "replace")
        else:
            lines[at] = b""
    return b"\n".join(lines)


def mutate_document(rng: random.Random, document: Any) -> Any:
    """Change some values of plain data: replace, remove, repeat, or nest them."""
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(changed))
        if not places:
            return changed
        holder, key = rng.choice(places)
        kind = rng.randrange(8)
        if kind < 4:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif kind == 4 and isinstance(holder[key], int | float):
            holder[key] = holder[key] + rng.choice((1, -1, 7, 2**40))
        elif kind == 5:
            del holder[key]
        elif kind == 6:
            other, name = rng.choice(places)
            if name in other if isinstance(other, dict) else True:
                holder[key] = copy.deepcopy(other[name])
        else:
            holder[key] = [holder[key]] * rng.choice((1, 2, 30))
    return changed


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
