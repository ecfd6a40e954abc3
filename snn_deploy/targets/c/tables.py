"""Constant data: equal tables are one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.targets.c.ranges import c_type, stored_bits
from snn_deploy.targets.ranges import Range

__all__ = ["Tables", "table_text"]

_A_LINE = 96  # characters


@dataclass
class Tables:
    """Arrays for flash, in the order in which they were first asked for."""

    _found: dict[tuple[int, bytes], str] = field(default_factory=dict)
    _arrays: list[tuple[npt.NDArray[Any], str]] = field(default_factory=list)
    size: int = 0

    def add(self, array: npt.NDArray[Any], comment: str) -> str:
        """Give the name of a table that holds an array's numbers, in the narrowest type.

        ``comment`` must be fit to stand in one; of equal tables the first one's is written.
        """
        bits = stored_bits(Range.of_array(array))
        flat = np.ascontiguousarray(array, dtype=f"<i{bits // 8}").reshape(-1)
        key = bits, flat.tobytes()
        if key not in self._found:
            self._found[key] = f"k{len(self._found)}"
            self._arrays.append((flat, comment))
            self.size += flat.nbytes
        return self._found[key]

    @property
    def text(self) -> str:
        """All tables as C."""
        texts = (table_text(f"k{n}", *table) for n, table in enumerate(self._arrays))
        return "\n".join(texts)


def table_text(name: str, array: npt.NDArray[Any], comment: str) -> str:
    """Write an array as constant data, in the narrowest type that holds its numbers."""
    bits = stored_bits(Range.of_array(array))
    lines = [""]
    for number in array.reshape(-1).tolist():
        text = _number(number, bits)
        if len(lines[-1]) + len(text) > _A_LINE:
            lines.append("")
        lines[-1] += text
    rows = "\n".join(f"    {line.rstrip()}" for line in lines)
    head = f"static const {c_type(bits)} {name}[{array.size}] = {{ /* {comment} */"
    return f"{head}\n{rows}\n}};\n"


def _number(number: int, bits: int) -> str:
    return f"INT64_C({number}), " if bits == 64 else f"{number}, "
