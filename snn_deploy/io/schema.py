"""What a stored value must be: its type, range and size, said once and checked before it is used.

A schema is a value of one of the classes below; its ``check`` raises :class:`SchemaError` with
where the value stands and which limit it breaks. A digest tells that a file is as it was written,
and not that who wrote it meant well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from snn_deploy.printable import shown

__all__ = [
    "COUNT",
    "DIGEST",
    "TEXT",
    "Array",
    "Choice",
    "Items",
    "Number",
    "Optional",
    "Plain",
    "Record",
    "Schema",
    "SchemaError",
    "Table",
    "Text",
    "Whole",
]


class SchemaError(ValueError):
    """A value that its schema forbids; the message is one line."""


class Schema(Protocol):
    """Anything that can check a value; ``where`` is what messages call it."""

    def check(self, value: Any, where: str) -> None: ...


def _require(condition: bool, where: str, rule: str) -> None:
    if not condition:
        raise SchemaError(f"{where}: {rule}" if where else rule)


@dataclass(frozen=True)
class Whole:
    """A whole number, ``low`` … ``high``; True and False are none."""

    low: int
    high: int

    def check(self, value: Any, where: str) -> None:
        fits = type(value) is int and self.low <= value <= self.high
        _require(fits, where, f"{shown(value)} is no whole number in {self.low} … {self.high}")


@dataclass(frozen=True)
class Number:
    """A finite number of a float's kind."""

    def check(self, value: Any, where: str) -> None:
        fits = isinstance(value, float) and math.isfinite(value)
        _require(fits, where, f"{shown(value)} is no finite number")


@dataclass(frozen=True)
class Text:
    """Text of at most ``most`` characters, all of ``pattern`` if there is one."""

    most: int
    pattern: str = ""

    def check(self, value: Any, where: str) -> None:
        fits = isinstance(value, str) and len(value) <= self.most
        _require(fits, where, f"{shown(value)} is no text of at most {self.most:,} characters")
        matches = not self.pattern or re.fullmatch(self.pattern, value) is not None
        _require(matches, where, f"{shown(value)} does not have the form {self.pattern}")


@dataclass(frozen=True)
class Choice:
    """One of some values, of the same type."""

    values: Collection[Any]

    def check(self, value: Any, where: str) -> None:
        found = any(type(value) is type(v) and value == v for v in self.values)
        known = ", ".join(map(repr, self.values))
        _require(found, where, f"{shown(value)} is none of: {known}")


@dataclass(frozen=True)
class Optional:
    """Null, or what ``schema`` says."""

    schema: Schema

    def check(self, value: Any, where: str) -> None:
        if value is not None:
            self.schema.check(value, where)


@dataclass(frozen=True)
class Items:
    """A list of at most ``most`` items, each what ``schema`` says; ``exactly`` so many if told."""

    schema: Schema
    most: int = 1 << 20
    exactly: int | None = None

    def check(self, value: Any, where: str) -> None:
        fits = isinstance(value, list) and len(value) <= self.most
        _require(fits, where, f"{shown(value)} is no list of at most {self.most:,} items")
        wanted = len(value) if self.exactly is None else self.exactly
        _require(len(value) == wanted, where, f"{len(value):,} items, not {wanted:,}")
        for index, item in enumerate(value):
            self.schema.check(item, f"{where}[{index}]")


@dataclass(frozen=True)
class Table:
    """A table of at most ``most`` entries under free names, each what ``schema`` says."""

    schema: Schema
    names: Schema
    most: int = 1 << 20

    def check(self, value: Any, where: str) -> None:
        fits = isinstance(value, dict) and len(value) <= self.most
        _require(fits, where, f"{shown(value)} is no table of at most {self.most:,} entries")
        for name, item in value.items():
            self.names.check(name, f"{where}: a name")
            self.schema.check(item, f"{where}.{shown(name)}")


@dataclass(frozen=True)
class Record:
    """A table with these fields and no others; those in ``optional`` may be missing."""

    fields: Mapping[str, Schema]
    optional: Collection[str] = ()
    closed: bool = True

    def check(self, value: Any, where: str) -> None:
        _require(isinstance(value, dict), where, f"{shown(value)} is no table")
        for name in self.fields:
            _require(name in value or name in self.optional, where, f"'{name}' is missing")
        unknown = [name for name in value if name not in self.fields]
        _require(not (self.closed and unknown), where, f"unknown field {shown(unknown[:1])}")
        for name, schema in self.fields.items():
            if name in value:
                schema.check(value[name], f"{where}.{name}" if where else f"'{name}'")


@dataclass(frozen=True)
class Plain:
    """Plain data of any form, of bounded size: scalars, lists and tables in one another."""

    values: int = 10_000
    depth: int = 16
    characters: int = 100_000

    def check(self, value: Any, where: str) -> None:
        level, seen, size = [value], 0, 0
        for _ in range(self.depth):
            seen += len(level)
            size += sum(len(item) for item in level if isinstance(item, str))
            for item in level:
                _check_scalar(item, where)
            inner = [_inside(item) for item in level if isinstance(item, dict | list)]
            seen_inside = sum(map(len, inner))
            fits = seen + seen_inside <= self.values and size <= self.characters
            _require(fits, where, f"holds more than {self.values:,} values, or too long texts")
            level = [item for items in inner for item in items]
            if not level:
                return
        raise SchemaError(f"{where}: nested more than {self.depth} deep")


def _inside(value: Any) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else value


def _check_scalar(value: Any, where: str) -> None:
    if type(value) is int:
        Whole(-(2**63), 2**63 - 1).check(value, where)
    if isinstance(value, float):
        _require(math.isfinite(value), where, f"{value} is no finite number")


@dataclass(frozen=True)
class Array:
    """An array of one of ``dtypes``, of ``shape`` (None: any size), all its numbers in a range."""

    dtypes: Sequence[npt.DTypeLike]
    shape: tuple[int | None, ...]
    low: int
    high: int

    def check(self, value: Any, where: str) -> None:
        known = " or ".join(str(np.dtype(d)) for d in self.dtypes)
        _require(isinstance(value, np.ndarray), where, f"no array of {known}")
        fits = any(value.dtype == np.dtype(d) for d in self.dtypes)
        _require(fits, where, f"dtype {value.dtype}, not {known}")
        sizes = ["any" if size is None else str(size) for size in self.shape]
        matches = len(value.shape) == len(self.shape) and all(
            wanted in (None, size) for size, wanted in zip(value.shape, self.shape, strict=True)
        )
        _require(matches, where, f"shape {value.shape}, not ({' × '.join(sizes)})")
        if value.size:
            low, high = int(value.min()), int(value.max())
            odd = low if low < self.low else high
            inside = self.low <= low and high <= self.high
            _require(inside, where, f"{odd} is outside {self.low} … {self.high}")


COUNT = Whole(0, 2**62)
"""How often something happened."""

TEXT = Text(4096)
"""A name or a few words."""

DIGEST = Text(64, "[0-9a-f]{64}")
"""A SHA-256 in hexadecimal."""
