"""SignSoma: fires with the sign of what reaches a level, the ternary spike of the GSU."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value
from snn_deploy.nodes.base import Int32, IntegerNode
from snn_deploy.nodes.rules import fits, require, require_range, require_shape
from snn_deploy.nodes.ternary_soma import TERNARY

__all__ = ["SignSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SignSoma(IntegerNode):
    """``y = [x >= level] - [x <= -level]``; level (H,), not negative, is ``level_bits`` wide.

    It remembers nothing, and sends graded messages of two bits.
    """

    clips = False

    level: Int32
    level_bits: int
    output: Format = TERNARY

    @property
    def width(self) -> int:
        return int(self.level.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "level_bits", self.level_bits, 2, 32)
        require_shape(self, "level", self.level, (self.width,))
        inside = fits(self.level, self.level_bits) and bool((self.level >= 0).all())
        require(inside, self, f"level is outside 0 … 2**{self.level_bits - 1} - 1")

    def check_output(self) -> None:
        require(self.output == TERNARY, self, "its output must be -1, 0 or 1 of two bits")

    def step(self, t: Tracer) -> Value:
        x, level = t.input(), t.parameter("level", self.level, self.level_bits)
        return (x >= level) - (-x >= level)
