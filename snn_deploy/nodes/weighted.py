"""What has weights: synapses between neurons, and the layers that become them.

How its weights are wired a kind says itself: a matrix of one a pair (``synapses.py``), or kernels
that all places of a frame share (``shared_synapses.py``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.bounds import Bound, rescaled_bound, saturating
from snn_deploy.ir.cost import SUM_SLOTS
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Tracer, Value, saturate
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import Int8, IntArray, IntegerNode, Rescale, check_rescale, rescaled
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.rules import fits, require, require_range

__all__ = ["RescaledSums", "Sums", "Weighted"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted(IntegerNode):
    """What has weights of ``weight_bits`` signed bits."""

    places = ("host", "chip")
    weighted = True

    weight_bits: int

    @property
    @abstractmethod
    def stored_weights(self) -> Int8:
        """The weights as a core keeps them, each once."""

    @abstractmethod
    def weigh(self, t: Tracer) -> Value:
        """Trace the weighted sums of what it reads."""

    @abstractmethod
    def weighed(self, source: Interval) -> Interval:
        """Bound those sums."""

    def check(self, network: Network) -> None:
        bits = self.weight_bits
        require_range(self, "weight_bits", bits, 2, 8)
        require(fits(self.stored_weights, bits), self, f"a weight exceeds {bits} bits")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums(Weighted):
    """Synapses: weighted sums of spikes and graded messages, which take a step to cross them.

    The output counts synaptic units (exponent 0): the receiver's gain holds what a unit is. No sum
    can overflow: the verifier proves it.
    """

    crossing = 1
    synaptic = True
    clips = False

    @abstractmethod
    def fan_out(self, start: int, stop: int) -> IntArray:
        """Count on which of its channels ``start`` … ``stop - 1`` a message works, for messages of
        each channel that it reads, (input_width,).
        """

    @property
    @abstractmethod
    def nonzero_fan_out(self) -> IntArray:
        """Count the weights other than 0 by which a message of each channel works,
        (input_width,).
        """

    @property
    def wired_alike(self) -> bool:
        """Whether every message reaches every channel."""
        return True

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

    @property
    def accumulator_bits(self) -> int:
        """Bits in which a channel's sums wait to be read, for as many steps as they take."""
        return (SUM_SLOTS - 1 + self.inputs[0].delay) * self.output.bits


@dataclass(frozen=True, kw_only=True, eq=False)
class RescaledSums(Weighted):
    """``y = sat(ms(sums, mantissa, shift) + bias)``: synapses and a Requantize in one.

    The sums stay within ``sum_bits`` (the verifier proves it).
    """

    lowered = False

    sum_bits: int
    rescale: Rescale

    @abstractmethod
    def synapses(self, **fields: Any) -> Sums:
        """Give the synapses that it becomes, of these fields and its weights."""

    def check(self, network: Network) -> None:
        super().check(network)
        require_range(self, "sum_bits", self.sum_bits, 2, 48)
        check_rescale(self, self.rescale, self.width)

    def step(self, t: Tracer) -> Value:
        y = rescaled(t, self.weigh(t), self.rescale, self.output.bits)
        return saturate(y, self.output.bits, "output")

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """Bound it as the two processes that it becomes."""
        total = self.weighed(sources[0]).magnitude
        output, product = rescaled_bound(total, self.rescale)
        sums = (total, fp.limit_of(self.sum_bits))
        return saturating(self.output.limit, output, product, sum=sums)

    def split(self, network: Network) -> dict[str, tuple[Node, ...]]:
        synapses = self.synapses(
            name=f"{self.name}.synapses",
            inputs=self.inputs,
            output=Format(self.sum_bits, 0),
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
