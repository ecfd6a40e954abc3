"""SelfGate: a value times a function of itself, from a table: GELU and SiLU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import (
    Tracer,
    Value,
    clip,
    lookup,
    multiply_shift,
    saturate,
    signed_shift,
)
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, IntegerNode
from snn_deploy.nodes.gate import check_table
from snn_deploy.nodes.rules import MAX_SHIFT, require_between

__all__ = ["SelfGate"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfGate(IntegerNode):
    """``y = sat(ms(x, table[i], out_shift))``, ``i = clip((x << align) + size / 2)``.

    table (size,) holds the function, 0 to 1, with ``table_bits - 1`` fractional bits, at ``size``
    equal steps around 0: the normal distribution for GELU, the sigmoid for SiLU. align (H,) -47 …
    24, negative for a right shift that rounds half up, brings x to rows; out_shift (H,) 0 … 47.
    """

    table: Int32
    table_bits: int
    align: Int8
    out_shift: Int8

    @property
    def width(self) -> int:
        return int(self.align.shape[0])

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "coefficient_bits", "table_bits", self.table_bits

    def check(self, network: Network) -> None:
        check_table(self, self.table, self.table_bits)
        require_between(self, "align", self.align, (self.width,), -MAX_SHIFT, 24)
        require_between(self, "out_shift", self.out_shift, (self.width,))

    def step(self, t: Tracer) -> Value:
        x, size = t.input(), len(self.table)
        at = signed_shift(x, t.parameter("align", self.align, SHIFT_BITS)) + size // 2
        opened = lookup(t.table("table", self.table, self.table_bits), clip(at, 0, size - 1))
        by = t.parameter("out_shift", self.out_shift, SHIFT_BITS)
        return saturate(multiply_shift(x, opened, by), self.output.bits, "output")
