"""LayerSign: the sign of what reaches a share of the layer's largest value, the GSU as trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from snn_deploy.ir.cost import SUM_SLOTS, UNIT_WEIGHT_BITS, Memory, NodeCost, program_cost
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, largest_channel, multiply_shift, select
from snn_deploy.nodes.base import SHIFT_BITS, IntegerNode
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    MAX_SHIFT,
    require,
    require_one_exponent,
    require_range,
)
from snn_deploy.nodes.ternary_soma import TERNARY

__all__ = ["LayerSign"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerSign(Channels, IntegerNode):
    """``y = [x >= level] - [x <= -level]``, ``level = ms(max_i |x_i|, fraction, shift)``.

    The maximum is over the channels of one step, which have one exponent; fraction is
    ``fraction_bits`` wide. It takes messages as a norm's sums do: to a collector on the core, on to
    the one of all cores, and back; meanwhile a channel's value stays in its neuron. That a
    collector can compare messages is assumed.
    """

    crossing = 3
    holding = 3
    reductions = True
    clips = False

    fraction: int
    fraction_bits: int
    shift: int
    output: Format = TERNARY

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "coefficient_bits", "gain_bits", self.fraction_bits

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        exponents = form.exponents(self.width)
        require_one_exponent(self, [exponents, exponents[:1].repeat(self.width)])
        require_range(self, "fraction_bits", self.fraction_bits, 2, MAX_FACTOR_BITS)
        require_range(self, "fraction", self.fraction, 0, 2 ** (self.fraction_bits - 1) - 1)
        require_range(self, "shift", self.shift, 0, MAX_SHIFT)

    def check_output(self) -> None:
        require(self.output == TERNARY, self, "its output must be -1, 0 or 1 of two bits")

    def step(self, t: Tracer) -> Value:
        x = t.input()
        fraction = t.parameter("fraction", self.fraction, self.fraction_bits)
        by = t.parameter("shift", self.shift, SHIFT_BITS)
        level = multiply_shift(largest_channel(select(x > 0, x, -x)), fraction, by)
        return (x >= level) - (-x >= level)

    def cost(self, network: Network) -> NodeCost:
        """Beside its program, a channel sends its value to the core's collector, and hears one."""
        (form,) = self.source_formats(network)
        own, slots = program_cost(self.program), Memory(accumulators=SUM_SLOTS * form.bits)
        synapses = Memory(weights=2 * UNIT_WEIGHT_BITS, delays=self.holding * form.bits)
        return replace(
            own,
            own_messages=1,
            own_synops=2,
            memory=own.memory + synapses + slots,
            shared=own.shared + slots,
        )
