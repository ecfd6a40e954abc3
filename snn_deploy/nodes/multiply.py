"""Multiply: the product of two streams, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate
from snn_deploy.nodes.base import SHIFT_BITS, Int8, IntegerNode
from snn_deploy.nodes.rules import require_between, require_product

__all__ = ["Multiply"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiply(IntegerNode):
    """``y = sat(ms(x_0, x_1, shift))``; shift (H,) 0 … 47."""

    ports = 2

    shift: Int8

    @property
    def width(self) -> int:
        return int(self.shift.shape[0])

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        narrower = min(form.bits for form in self.source_formats(network))
        yield "coefficient_bits", "gate_bits", narrower  # the multiplier takes it as its factor

    def check(self, network: Network) -> None:
        require_between(self, "shift", self.shift, (self.width,))
        forms = self.source_formats(network)
        require_product(self, "a product", *(form.bits for form in forms))

    def step(self, t: Tracer) -> Value:
        by = t.parameter("shift", self.shift, SHIFT_BITS)
        product = multiply_shift(t.input(0), t.input(1), by)
        return saturate(product, self.output.bits, "output")
