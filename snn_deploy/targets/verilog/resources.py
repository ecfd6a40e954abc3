"""What an FPGA has, and how much of that memories and products take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from snn_deploy.errors import TargetError

if TYPE_CHECKING:
    from snn_deploy.mapping.profile import Profile

__all__ = ["Resources"]

_LUT_WORDS = 16  # of one bit, that a look-up table of four inputs holds


@dataclass(frozen=True)
class Resources:
    """The numbers of a profile's ``[fpga]``, which says what they are."""

    block_rams: int
    block_ram_bits: int
    block_ram_word_bits: int
    block_ram_words: int
    logic_ram_words: int
    multipliers: int
    multiplier_bits: int
    luts: int

    @classmethod
    def of(cls, profile: Profile) -> Resources:
        """Read those of a profile.

        Raises
        ------
        TargetError
            If one is missing, or no memory could be made of them.
        """
        found = {key: limit.value for key, limit in profile.fpga if limit is not None}
        missing = [field.name for field in fields(cls) if found.get(field.name) is None]
        if missing:
            told = ", ".join(f"fpga.{key}" for key in missing)
            raise TargetError(f"profile '{profile.name}' is an FPGA's without {told}: give all")
        made = cls(**found)
        if not 0 < made.block_ram_word_bits <= made.block_ram_bits or made.multiplier_bits < 2:
            raise TargetError(
                f"profile '{profile.name}': a block RAM holds a word, a multiplier's factors have "
                "two bits at least: see fpga.block_ram_word_bits, fpga.multiplier_bits"
            )
        return made

    def is_block(self, words: int, constant: bool) -> bool:
        """Whether a memory is made of block RAM; constants need no more than tables."""
        return words > (max(self.logic_ram_words, _LUT_WORDS) if constant else self.logic_ram_words)

    def blocks(self, width: int, depth: int) -> int:
        """Give how many block RAMs a memory takes, in the best of their shapes."""
        counts = []
        bits = self.block_ram_word_bits
        while bits:
            words = min(1 << ((self.block_ram_bits // bits).bit_length() - 1), self.block_ram_words)
            counts.append(-(-depth // words) * -(-width // bits))
            bits //= 2
        return min(counts)

    def products(self, widths: Sequence[tuple[int, int]]) -> int:
        """Give how many multipliers products of such widths take."""
        each = self.multiplier_bits - 1
        return sum(max(-(-(a - 1) // each), 1) * max(-(-(b - 1) // each), 1) for a, b in widths)
