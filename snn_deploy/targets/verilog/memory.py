"""Memories of a core: what they hold at first, and what they are made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.targets.ranges import Range
from snn_deploy.targets.verilog.cells import vector
from snn_deploy.targets.verilog.resources import Resources

__all__ = ["Memories", "Memory", "address_bits"]


def address_bits(words: int) -> int:
    """Give how many bits an address of so many words takes."""
    return max((words - 1).bit_length(), 1)


@dataclass(frozen=True, eq=False)
class Memory:
    """A memory of ``depth`` words of ``width`` bits.

    ``block``: it is made of block RAM. ``numbers`` (depth, lanes) is what a ROM holds.
    """

    name: str
    width: int
    depth: int
    comment: str
    block: bool
    numbers: npt.NDArray[Any] | None = None

    @property
    def text(self) -> str:
        """Write its declaration."""
        style = "block" if self.block else "distributed"
        kind = "ram_style" if self.numbers is None else "rom_style"
        if self.numbers is not None and not self.block:
            style = "logic"
        lines = [
            f"// {self.comment}",
            f'(* {kind} = "{style}" *) reg {vector(self.width)} {self.name} [0:{self.depth - 1}];',
        ]
        if self.numbers is not None:
            lines.append(f'initial $readmemh("{self.name}.hex", {self.name});')
        return "\n".join(lines)

    @property
    def file(self) -> tuple[str, str]:
        """Give name and text of the file with a ROM's content; the last line ends, too."""
        digits = -(-self.width // 4)
        mask = (1 << self.width) - 1
        return f"{self.name}.hex", "".join(f"{word & mask:0{digits}x}\n" for word in self._words())

    def _words(self) -> list[int]:
        if self.numbers is None:
            return []
        bits = self.width // self.numbers.shape[1]
        mask = (1 << bits) - 1
        rows = self.numbers.tolist()
        return [sum((number & mask) << (bits * n) for n, number in enumerate(r)) for r in rows]


@dataclass
class Memories:
    """The memories of one core, on a part with such resources."""

    resources: Resources
    all: list[Memory] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    """By name: at how many places it is read; a block RAM is for one of them."""

    @property
    def factor_bits(self) -> int:
        """How wide factors are that are multiplied in hardware."""
        return self.resources.multiplier_bits

    def ram(self, name: str, width: int, depth: int, comment: str) -> Memory:
        """Add a memory that is written; what it holds at first is not known."""
        depth = max(depth, 1)
        block = self.resources.is_block(depth, constant=False)
        return self._added(Memory(name, width, depth, comment, block))

    def rom(self, name: str, array: npt.NDArray[Any], lanes: int, comment: str) -> Memory:
        """Add a memory of constants, ``lanes`` of the array's last axis a word."""
        numbers = np.asarray(array).reshape(-1, lanes)
        block = self.resources.is_block(len(numbers), constant=True)
        width = Range.of_array(numbers).bits * lanes
        return self._added(Memory(name, width, len(numbers), comment, block, numbers))

    def _added(self, memory: Memory) -> Memory:
        self.all.append(memory)
        return memory
