"""Gate: a value times the sigmoid of another; and the gated linear unit that becomes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels, Node
from snn_deploy.ir.program import (
    Tracer,
    Value,
    clip,
    lookup,
    multiply_shift,
    round_shift,
    saturate,
)
from snn_deploy.nodes.base import (
    SHIFT_BITS,
    Int8,
    Int32,
    IntegerNode,
    Rescale,
    check_rescale,
    rescaled,
)
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    MAX_SHIFT,
    fits,
    require,
    require_between,
    require_range,
    require_shape,
)

if TYPE_CHECKING:
    from snn_deploy.nodes.weighted import RescaledSums

__all__ = ["Gate", "QuantizedGlu", "SigmoidGate", "check_table"]


def check_table(node: Node, table: Int32, bits: int) -> None:
    """Check a gate's table: as many rows as a power of two, each of ``bits`` bits."""
    size = table.size
    require_shape(node, "table", table, (size,))
    power = size >= 2 and size & (size - 1) == 0
    require(power, node, f"table of {size} rows: no power of two")
    require_range(node, "table_bits", bits, 2, MAX_FACTOR_BITS)
    require(fits(table, bits), node, "a table value exceeds table_bits")


@dataclass(frozen=True)
class SigmoidGate:
    """How a value is gated: ``sat(ms(value, table[i], out_shift))``,
    ``i = clip(rs(gate, index_shift) + size / 2)``.

    table (size,) holds the sigmoid with ``table_bits - 1`` fractional bits, at ``size`` equal steps
    around 0; out_shift (H,) 0 … 47.
    """

    table: Int32
    table_bits: int
    index_shift: int
    out_shift: Int8

    def check(self, node: Node) -> None:
        """Check the table and the shifts."""
        check_table(node, self.table, self.table_bits)
        require_between(node, "out_shift", self.out_shift, (node.width,))
        require_range(node, "index_shift", self.index_shift, 0, MAX_SHIFT)

    def step(self, t: Tracer, value: Value, gate: Value) -> Value:
        """Trace the gating, not yet saturated."""
        size = len(self.table)
        by = t.parameter("index_shift", self.index_shift, SHIFT_BITS)
        row = clip(round_shift(gate, by) + size // 2, 0, size - 1)
        opened = lookup(t.table("table", self.table, self.table_bits), row)
        return multiply_shift(value, opened, t.parameter("out_shift", self.out_shift, SHIFT_BITS))


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedGlu(Channels, IntegerNode):
    """``y = sigmoid_gate(x[:H], x[H:])``: see :class:`SigmoidGate`; x (2 H,), value half first."""

    lowered = False

    sigmoid: SigmoidGate

    @property
    def input_width(self) -> int:
        return 2 * self.channels

    def check(self, network: Network) -> None:
        self.sigmoid.check(self)

    def step(self, t: Tracer) -> Value:
        value, gate = t.input(part=(0, self.width)), t.input(part=(self.width, 2 * self.width))
        return saturate(self.sigmoid.step(t, value, gate), self.output.bits, "output")

    def behind(self, linear: RescaledSums) -> Gate:
        return Gate(
            name=self.name,
            inputs=(Edge(f"{linear.name}.synapses"),),
            output=self.output,
            channels=self.channels,
            rescale=linear.rescale,
            value_bits=linear.output.bits,
            sigmoid=self.sigmoid,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate(Channels, IntegerNode):
    """A gated neuron a channel: ``a = sat(ms(x, mantissa, shift) + bias)`` at ``value_bits``, then
    ``y = sigmoid_gate(a[:H], a[H:])``: see :class:`SigmoidGate`.

    x (2 H,) is what arrived at its synapses, value half first; rescale (2 H,).
    """

    rescale: Rescale
    value_bits: int
    sigmoid: SigmoidGate

    @property
    def input_width(self) -> int:
        return 2 * self.channels

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "coefficient_bits", "gain_bits", self.rescale.bits
        yield "coefficient_bits", "table_bits", self.sigmoid.table_bits
        yield "state_bits", "gate_bits", self.value_bits

    def check(self, network: Network) -> None:
        require_range(self, "value_bits", self.value_bits, 2, 48)
        check_rescale(self, self.rescale, 2 * self.width)
        self.sigmoid.check(self)

    def step(self, t: Tracer) -> Value:
        value, gate = (
            self._half(t, name, start) for name, start in (("value", 0), ("gate", self.width))
        )
        return saturate(self.sigmoid.step(t, value, gate), self.output.bits, "output")

    def _half(self, t: Tracer, name: str, start: int) -> Value:
        part = (start, start + self.width)
        x = rescaled(t, t.input(part=part), self.rescale, self.value_bits, slice(*part), f"{name}_")
        return saturate(x, self.value_bits, "value")
