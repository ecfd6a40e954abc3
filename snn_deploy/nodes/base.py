"""What every kind of integer node has: traits, rules, a program, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError
from snn_deploy.ir.bounds import WIDEST, Bound
from snn_deploy.ir.cost import NodeCost, program_cost
from snn_deploy.ir.formats import SPIKE, Format
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import OPERATIONS, Program, Tracer, Value, multiply_shift
from snn_deploy.ir.program_bounds import Interval, bound_program
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    fits,
    require,
    require_between,
    require_range,
    require_shape,
)

if TYPE_CHECKING:
    from snn_deploy.ir.network import Network
    from snn_deploy.nodes.lif_registers import LifRegisters
    from snn_deploy.nodes.weighted import RescaledSums

__all__ = [
    "Int8",
    "Int32",
    "IntegerNode",
    "Place",
    "Rescale",
    "Soma",
    "check_rescale",
    "rescaled",
]

IntArray = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]

SHIFT_BITS = 6  # holds 0 … 47, and -24 … 24


@dataclass(frozen=True)
class Place:
    """Which steps of its sequences a node works on.

    Parameters
    ----------
    lengths
        Valid steps of each sequence, (B,).
    steps
        Steps of the padded sequences, L.
    start
        The step that the inputs at hand begin with.
    """

    lengths: IntArray
    steps: int
    start: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNode(Node):
    """A node whose output is integers in ``output`` format.

    A kind gives its equation as docstring and as :meth:`step`; from that program follow what every
    engine computes, its worst case and its cost. Where a kind knows better (a proof that intervals
    cannot find, memory beside the neuron's own), it overrides :meth:`bound` or :meth:`cost`.

    Traits, for whoever asks what a node does and not what it is called:

    ``crossing`` is how many steps it takes from the sources to the node's answer; in ``holding`` of
    them the value does not travel, but stays in the neuron. ``ports``: how many inputs it takes;
    None: any number. ``weighted``: it has a matrix of weights. ``reductions``: it exchanges
    messages within its layer. ``clips``: values can be clipped, and are counted.
    """

    crossing: ClassVar[int] = 0
    holding: ClassVar[int] = 0
    ports: ClassVar[int | None] = 1
    weighted: ClassVar[bool] = False
    reductions: ClassVar[bool] = False
    clips: ClassVar[bool] = True
    lowered: ClassVar[bool] = True
    """Whether a chip's process does it; else a pass makes processes of it."""

    output: Format

    @property
    def input_width(self) -> int:
        """Channels of each of its inputs."""
        return self.width

    @property
    def reach(self) -> tuple[int, int]:
        """How many steps before and after each one it looks at."""
        return 0, 0

    @property
    def most_steps(self) -> int | None:
        """How many steps a sequence can have; None: any number."""
        return None

    @property
    def lif_registers(self) -> LifRegisters | None:
        """The registers of a chip's own LIF neuron that it is made for; None: it is no such."""
        return None

    @property
    def odd_coefficients(self) -> bool | None:
        """Whether its coefficients were rounded so that single precision simulates them exactly;
        None where there is nothing to choose.
        """
        return None

    @property
    def divides(self) -> tuple[int, int, int] | None:
        """How a sum over time is divided by its steps: see ``fixedpoint.reciprocal``; None: not."""
        return None

    @property
    def needs(self) -> tuple[str, ...]:
        """What a chip must support to run it, as ``[supports]`` of a profile names it."""
        looks_up = any(value.operation == "lookup" for value in self.program)
        return (
            "programmable_neurons",
            *(["tables"] if looks_up else []),
            *(["reversed_time"] if self.runs_backwards else []),
        )

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        """Give each width that a limit is set for: the limit, the settings that chose it, the bits.

        A parameter is a coefficient, if it is a factor or a table; one that is compared with a word
        of state, or added to it, is as wide as those, and is a state.
        """
        factors = {
            id(argument)
            for value in self.program
            if value.operation == "lookup" or OPERATIONS[value.operation].multiplies
            for argument in value.arguments
        }
        for value in self.program:
            if value.operation == "parameter" and value.content[0].ndim and value.content[1] > 6:
                limit = "coefficient_bits" if id(value) in factors else "state_bits"
                yield limit, "", value.content[1]
        for word in self.program.words.values():
            yield "state_bits", "state_bits", word.bits

    def reseeded(self, seed: int) -> IntegerNode:
        """Give the same node with other random numbers, if it draws any."""
        return self

    def check(self, network: Network) -> None:
        """Check the rules of this kind.

        Raises
        ------
        NetworkError
            Naming the node and the rule.
        """

    def check_inputs(self, inputs: IntArray, first: int) -> None:
        """Refuse network inputs (B, L, d_input), from step ``first`` on, that it cannot read.

        Raises
        ------
        DataError
            Naming the token, or the number of steps.
        """

    def unrolled(self) -> tuple[Node, ...]:
        """Give the nodes of one direction of time that it becomes; the last one has its name."""
        return (self,)

    def stepwise(self) -> tuple[IntegerNode, ...]:
        """Give the nodes that it becomes where no host computes it: with steps of their own, or
        looking around; the last one has its name.
        """
        return (self,)

    def split(self, network: Network) -> Mapping[str, tuple[Node, ...]]:
        """Give what it and its reader become, by name, where synapses leave a neuron of it."""
        return {}

    def behind(self, linear: RescaledSums) -> Node | None:
        """Give the neuron that it is behind a linear layer's synapses, whose sums it rescales
        itself; None: it leaves that to another.
        """
        return None

    def check_output(self) -> None:
        """Check the format that it sends."""
        require(self.output.signed, self, "its output must be signed")

    def step(self, t: Tracer) -> Value:
        """Trace one step; give what is sent."""
        raise NotImplementedError(f"{self.kind} has no program")

    @cached_property
    def program(self) -> Program:
        """The neuron's step, traced."""
        tracer = Tracer(self.width)
        return tracer.program(self.step(tracer))

    def clock(self, place: Place, steps: int) -> Mapping[str, IntArray]:
        """Give the words of the sequence that :meth:`step` asks for, (B, steps, 1) each, or
        (1, steps, 1) where all sequences have the same.
        """
        return {}

    def clock_bounds(self) -> Mapping[str, Interval]:
        """Bound those words."""
        return {}

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """Bound the node from its sources' worst cases.

        Raises
        ------
        NetworkError
            If a step may take a word of its state out of its width.
        """
        worst = bound_program(self.program, sources, self.clock_bounds())
        for name in worst.leaving:
            bits = self.program.words[name].bits
            raise NetworkError(
                f"node '{self.name}' ({self.kind}): a step may take its word '{name}' out of "
                f"{bits} bits: its program must clip it"
            )
        width = (self.width,)
        reached: dict[str, Any] = {
            name: np.broadcast_to(np.atleast_1d(value), width) if np.ndim(value) < 2 else value
            for name, value in worst.reached.items()
        }
        reached["product"] = np.full(width, worst.widest)
        return Bound(reached, {**worst.limits, "product": WIDEST}, worst.output.magnitude)

    def cost(self, network: Network) -> NodeCost:
        """Cost the node on a chip."""
        return program_cost(self.program)

    def source_formats(self, network: Network) -> list[Format]:
        """Give the formats of its inputs."""
        return [source.output for source in network.sources(self)]  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True, eq=False)
class Soma(IntegerNode):
    """A neuron that sends spikes, 0 or 1."""

    spikes = True

    output: Format = SPIKE

    def check_output(self) -> None:
        require(self.output == SPIKE, self, f"its output must be spikes, {SPIKE}")


@dataclass(frozen=True)
class Rescale:
    """Per channel ``sat(ms(x, mantissa, shift) + bias)``: a gain and an offset.

    mantissa (width,) signed ``bits`` wide, shift (width,) 0 … 47, bias (width,) in the output's
    mantissas. ``bits`` is what the chip's multiplier must hold.
    """

    mantissa: Int32
    shift: Int8
    bias: Int32
    bits: int


def rescaled(
    t: Tracer, x: Value, rescale: Rescale, bias_bits: int, part: slice = slice(None), of: str = ""
) -> Value:
    """Trace ``ms(x, mantissa, shift) + bias``, not yet saturated, with the parameters' ``part``."""
    mantissa = t.parameter(f"{of}mantissa", rescale.mantissa[part], rescale.bits)
    shift = t.parameter(f"{of}shift", rescale.shift[part], SHIFT_BITS)
    bias = t.parameter(f"{of}bias", rescale.bias[part], bias_bits)
    return multiply_shift(x, mantissa, shift) + bias


def check_rescale(node: Node, rescale: Rescale, width: int) -> None:
    """Check a gain's shapes and widths."""
    require_range(node, "bits", rescale.bits, 2, MAX_FACTOR_BITS)
    require_shape(node, "mantissa", rescale.mantissa, (width,))
    require_shape(node, "bias", rescale.bias, (width,))
    require_between(node, "shift", rescale.shift, (width,))
    require(fits(rescale.mantissa, rescale.bits), node, f"a gain exceeds {rescale.bits} bits")
