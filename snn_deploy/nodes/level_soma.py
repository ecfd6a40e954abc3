"""LevelSoma: a comparison with a fixed level, the soma of Binary S4D and of PRF."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.rules import require_range, require_words

__all__ = ["LevelSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelSoma(Soma):
    """``y = x >= level``; level (H,) is ``level_bits`` wide.

    No leak and no reset: it remembers nothing. Strictly above a level is one more than it.
    """

    clips = False

    level: Int32
    level_bits: int

    @property
    def width(self) -> int:
        return int(self.level.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "level_bits", self.level_bits, 2, 32)
        require_words(self, ("level",), self.width, self.level_bits)

    def step(self, t: Tracer) -> Value:
        return t.input() >= t.parameter("level", self.level, self.level_bits)
