"""Synapses: dense weights between neurons; and the linear layer that becomes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.ir.cost import Memory, NodeCost
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, weighted_sum
from snn_deploy.ir.program_bounds import Interval, weighted_sum_interval
from snn_deploy.nodes.base import Int8, IntArray
from snn_deploy.nodes.weighted import RescaledSums, Sums, Weighted

__all__ = ["QuantizedLinear", "Synapses"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Dense(Weighted):
    """What has a matrix of weights (out, in)."""

    weight: Int8

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    @property
    def input_width(self) -> int:
        return int(self.weight.shape[1])

    @property
    def stored_weights(self) -> Int8:
        return self.weight

    def weigh(self, t: Tracer) -> Value:
        return weighted_sum(t.parameter("weight", self.weight, self.weight_bits), t.input())

    def weighed(self, source: Interval) -> Interval:
        return weighted_sum_interval(self.weight, source)


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapses(_Dense, Sums):
    """``y = weight · x``: dense synapses, weight (out, in) of ``weight_bits`` signed bits.

    The output counts synaptic units (exponent 0): the receiver's gain holds each row's scale. No
    sum can overflow: the verifier proves ``Σ|weight| * max|x|`` fits the output's width. Spikes
    and graded messages take one step to cross synapses.
    """

    def fan_out(self, start: int, stop: int) -> IntArray:
        return np.broadcast_to(np.int64(stop - start), (self.input_width,))

    @property
    def nonzero_fan_out(self) -> IntArray:
        return np.asarray(np.count_nonzero(self.weight, axis=0))

    def cost(self, network: Network) -> NodeCost:
        return NodeCost(
            channels=self.width,
            synapses=self.weight.size,
            nonzero_synapses=int(np.count_nonzero(self.weight)),
            memory=Memory(
                weights=self.input_width * self.weight_bits, accumulators=self.accumulator_bits
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLinear(_Dense, RescaledSums):
    """``y = sat(ms(weight · x, mantissa, shift) + bias)``: Synapses and Requantize in one.

    The sum ``weight · x`` stays within ``sum_bits`` (the verifier proves it).
    """

    def synapses(self, **fields: Any) -> Synapses:
        return Synapses(**fields, weight=self.weight)
