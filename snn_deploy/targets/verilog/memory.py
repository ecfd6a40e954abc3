"""Memories of a core: what they hold at first, and what they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.targets.ranges import Range
from snn_deploy.targets.verilog.cells import vector

__all__ = ["SMALL", "Memories", "Memory", "address_bits", "packed"]

SMALL = 128  # words, of which logic is made where parts have memory in their logic


def address_bits(words: int) -> int:
    """Give how many bits an address of so many words takes."""
    return max((words - 1).bit_length(), 1)


@dataclass(frozen=True)
class Memory:
    """A memory of ``depth`` words of ``width`` bits; ``content`` is what a ROM holds."""

    name: str
    width: int
    depth: int
    comment: str
    content: tuple[int, ...] | None = None

    @property
    def block(self) -> bool:
        """Whether it is made of block RAM."""
        return self.depth > SMALL

    @property
    def text(self) -> str:
        """Write its declaration."""
        style = "block" if self.block else "distributed"
        kind = "ram_style" if self.content is None else "rom_style"
        if self.content is not None and not self.block:
            style = "logic"
        lines = [
            f"// {self.comment}",
            f'(* {kind} = "{style}" *) reg {vector(self.width)} {self.name} [0:{self.depth - 1}];',
        ]
        if self.content is not None:
            lines.append(f'initial $readmemh("{self.name}.hex", {self.name});')
        return "\n".join(lines)

    @property
    def file(self) -> tuple[str, str]:
        """Give name and text of the file with a ROM's content; the last line ends, too."""
        digits = -(-self.width // 4)
        mask = (1 << self.width) - 1
        return f"{self.name}.hex", "".join(
            f"{word & mask:0{digits}x}\n" for word in self.content or ()
        )


@dataclass
class Memories:
    """The memories of one core."""

    all: list[Memory] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    """By name: at how many places it is read; a block RAM is for one of them."""

    def ram(self, name: str, width: int, depth: int, comment: str) -> Memory:
        """Add a memory that is written; what it holds at first is not known."""
        return self._added(Memory(name, width, max(depth, 1), comment))

    def rom(self, name: str, width: int, words: Sequence[int], comment: str) -> Memory:
        """Add a memory of constants."""
        return self._added(Memory(name, width, len(words), comment, tuple(words)))

    def _added(self, memory: Memory) -> Memory:
        self.all.append(memory)
        return memory


def packed(array: npt.NDArray[Any], lanes: int) -> tuple[int, list[int]]:
    """Pack numbers, ``lanes`` of the last axis a word; give a number's bits, and the words."""
    bits = Range.of_array(array).bits
    mask = (1 << bits) - 1
    rows = np.asarray(array).reshape(-1, lanes).tolist()
    return bits, [sum((number & mask) << (bits * n) for n, number in enumerate(r)) for r in rows]
