"""Synapses: dense weights between neurons; and the linear layer that becomes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.bounds import Bound, rescaled_bound, saturating
from snn_deploy.ir.cost import SUM_SLOTS, Memory, NodeCost
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Tracer, Value, saturate, weighted_sum
from snn_deploy.ir.program_bounds import Interval, weighted_sum_interval
from snn_deploy.nodes.base import Int8, IntegerNode, Rescale, check_rescale, rescaled
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.rules import fits, require, require_range

__all__ = ["QuantizedLinear", "Synapses"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weighted(IntegerNode):
    """What has a matrix of weights (out, in)."""

    places = ("host", "chip")
    weighted = True

    weight: Int8
    weight_bits: int

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    @property
    def input_width(self) -> int:
        return int(self.weight.shape[1])

    def check(self, network: Network) -> None:
        bits = self.weight_bits
        require_range(self, "weight_bits", bits, 2, 8)
        require(fits(self.weight, bits), self, f"a weight exceeds {bits} bits")

    def weigh(self, t: Tracer) -> Value:
        """Trace ``weight · x``."""
        return weighted_sum(t.parameter("weight", self.weight, self.weight_bits), t.input())


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapses(_Weighted):
    """``y = weight · x``: dense synapses, weight (out, in) of ``weight_bits`` signed bits.

    The output counts synaptic units (exponent 0): the receiver's gain holds each row's scale. No
    sum can overflow: the verifier proves ``Σ|weight| * max|x|`` fits the output's width. Spikes
    and graded messages take one step to cross synapses.
    """

    crossing = 1
    synaptic = True
    clips = False

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "weight_bits", "weight_bits", self.weight_bits
        yield "sum_bits", "sum_bits", self.output.bits

    def step(self, t: Tracer) -> Value:
        return self.weigh(t)

    def bound(self, sources: Sequence[Interval]) -> Bound:
        bound = super().bound(sources)
        return Bound({"sum": bound.output}, {"sum": self.output.limit}, bound.output)

    def cost(self, network: Network) -> NodeCost:
        slots = SUM_SLOTS - 1 + self.inputs[0].delay
        return NodeCost(
            channels=self.width,
            synapses=self.input_width,
            nonzero_synapses=int(np.count_nonzero(self.weight)),
            memory=Memory(
                weights=self.input_width * self.weight_bits, accumulators=slots * self.output.bits
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLinear(_Weighted):
    """``y = sat(ms(weight · x, mantissa, shift) + bias)``: Synapses and Requantize in one.

    The sum ``weight · x`` stays within ``sum_bits`` (the verifier proves it).
    """

    lowered = False

    sum_bits: int
    rescale: Rescale

    def check(self, network: Network) -> None:
        super().check(network)
        require_range(self, "sum_bits", self.sum_bits, 2, 48)
        check_rescale(self, self.rescale, self.width)

    def step(self, t: Tracer) -> Value:
        y = rescaled(t, self.weigh(t), self.rescale, self.output.bits)
        return saturate(y, self.output.bits, "output")

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """Bound it as the two processes that it becomes."""
        total = weighted_sum_interval(self.weight, sources[0]).magnitude
        output, product = rescaled_bound(total, self.rescale)
        sums = (total, fp.limit_of(self.sum_bits))
        return saturating(self.output.limit, output, product, sum=sums)

    def split(self, network: Network) -> dict[str, tuple[Node, ...]]:
        synapses = Synapses(
            name=f"{self.name}.synapses",
            inputs=self.inputs,
            output=Format(self.sum_bits, 0),
            weight=self.weight,
            weight_bits=self.weight_bits,
        )
        readers: Any = network.consumers(self.name)
        neuron = readers[0].behind(self) if len(readers) == 1 else None
        if neuron is not None:
            return {self.name: (synapses,), neuron.name: (neuron,)}
        neuron = Requantize(
            name=self.name,
            inputs=(Edge(synapses.name),),
            output=self.output,
            channels=self.width,
            rescale=self.rescale,
        )
        return {self.name: (synapses, neuron)}
