"""TOML that a stranger may have written: of bounded size and depth, and one kind of error."""

from __future__ import annotations

import os
import sys
from typing import Any

from snn_deploy.io.reading import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["parse_toml", "read_toml"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 16


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file of at most ``MAX_BYTES``.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or larger.
    ValueError
        As :func:`parse_toml`.
    """
    return parse_toml(read_regular(path, MAX_BYTES))


def parse_toml(content: bytes) -> dict[str, Any]:
    """Parse TOML whose tables and arrays stand in one another at most ``MAX_DEPTH`` times.

    Raises
    ------
    ValueError
        Saying what is wrong in one line.
    """
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:  # TOML's own among them, and integers of thousands of digits
        raise ValueError(f"not valid TOML: {' '.join(str(error).split())[:300]}") from error
    _check_depth(table)
    return table


def _check_depth(table: dict[str, Any]) -> None:
    level: list[Any] = [table]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"nested too deeply: more than {MAX_DEPTH} tables or arrays in one another")
