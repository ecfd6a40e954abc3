"""Rectify: what is positive, in another format."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, saturate, select, signed_shift
from snn_deploy.nodes.base import SHIFT_BITS, Int8, IntegerNode
from snn_deploy.nodes.rules import MAX_SHIFT, require_between, require_one_exponent

__all__ = ["Rectify"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rectify(IntegerNode):
    """``y = sat(max(x, 0) << align)``; a negative ``align`` is a right shift, rounding half up.

    align (H,) -47 … 24 brings x to the output's exponents.
    """

    align: Int8

    @property
    def width(self) -> int:
        return int(self.align.shape[0])

    def check(self, network: Network) -> None:
        require_between(self, "align", self.align, (self.width,), -MAX_SHIFT, 24)
        (form,) = self.source_formats(network)
        aligned = form.exponents(self.width) + self.align
        require_one_exponent(self, [aligned, self.output.exponents(self.width)])

    def step(self, t: Tracer) -> Value:
        x = t.input()
        by = t.parameter("align", self.align, SHIFT_BITS)
        return saturate(signed_shift(select(x > 0, x, 0), by), self.output.bits, "output")
