"""The base of the float nodes: what every kind of the float stage says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError, UnsupportedNetworkError
from snn_deploy.ir.node import Channels, Node

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.ir.answer import Answer
    from snn_deploy.ir.windows import Windows
    from snn_deploy.quantize.builder import Builder

__all__ = [
    "Channelwise",
    "FloatNode",
    "Signal",
    "SpikingNode",
    "Step",
    "Stepwise",
    "no_integer_form",
]

Signal = npt.NDArray[np.float64]
Step = Callable[[Sequence[Signal]], Signal]
"""One step of a node: the signals that it reads, (B, width) each, give its own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNode(Node):
    """A node of the float stage: ``y = evaluate(x_0, x_1, …)``, as its own docstring says.

    Traits: ``spikes`` tells whether its signal is spikes, of either sign, rather than graded
    values, and ``signed`` whether those carry a sign. ``stream`` names the setting that gives
    its signal's width in bits; None where the kind chooses its own format. ``from_tables``: the
    signal depends on tables only, if what it reads does, so that every value is known
    beforehand. ``driven``: what it reads is a drive, of one exponent for all channels.
    ``adds``: it is a sum, whose format what only it reads takes. ``compensates``: its weights'
    rounding makes errors good by moments of what it reads. ``convolves``: it is computed with
    spectra, as long as the sequence. ``dense``: a matrix mixes its state; :meth:`as_modes`.
    ``approximation`` says what its integer form approximates besides rounding; "": nothing.
    ``governed_by`` says which settings govern the error of its integer form;
    ``narrowable`` names those that a search for cheaper formats may narrow.
    """

    spikes: ClassVar[bool] = False
    signed: ClassVar[bool] = False
    stream: ClassVar[str | None] = "residual_bits"
    from_tables: ClassVar[bool] = False
    driven: ClassVar[bool] = False
    adds: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    compensates: ClassVar[bool] = False
    convolves: ClassVar[bool] = False
    approximation: ClassVar[str] = ""
    governed_by: ClassVar[str] = "residual_bits"
    narrowable: ClassVar[tuple[str, ...]] = ()

    @property
    def pointwise(self) -> bool:
        """Whether a step's answer depends on that step alone."""
        return False

    @property
    def has_surrogate(self) -> bool:
        """Whether it was trained as a surrogate, which computes something else."""
        return False

    @property
    def follows_maximum(self) -> bool:
        """Whether its threshold follows the largest value of each step."""
        return False

    @property
    def depends_on_length(self) -> bool:
        """Whether its weights are others for sequences of another length: see :meth:`at_length`."""
        return False

    @property
    def unfolded(self) -> Signal | None:
        """A threshold (width,) that can be folded into what it reads; None: there is none."""
        return None

    @property
    def frame(self) -> Windows | None:
        """The windows whose places share its weights, if it reads frames; None: it does not."""
        return None

    @property
    def grows(self) -> bool:
        """Whether its signal grows with the length of the sequence."""
        return False

    @property
    def levels(self) -> Signal | None:
        """The fixed levels that it compares what it reads with, (n, width); None: it has none."""
        return None

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        """Give the node's signal, (B, L, width), in float64; (B, width) of one vector a sequence.

        Parameters
        ----------
        sources
            The signals that it reads, (B, L, width) each, in its equation's order; not changed.
        context
            What holds for the run: valid steps, and uniform numbers for nodes that draw any.
        """
        raise NetworkError(f"{self.name}: the float engine does not know {self.kind} nodes")

    def start(self, batch: int, context: Context) -> Step:
        """Give its step for ``batch`` sequences at their start: what a loop's nodes are run with.

        Raises
        ------
        UnsupportedNetworkError
            If it only knows whole signals.
        """
        if not self.pointwise:
            raise UnsupportedNetworkError(
                f"node '{self.name}': {self.kind} reads what comes later than itself, through a "
                "loop; it has no step of its own"
            )
        return lambda sources: self.evaluate([x[:, None] for x in sources], context)[:, 0]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        """Bound its magnitude, per channel, by those of what it reads; which of them spike.

        Raises
        ------
        UnsupportedNetworkError
            If no bound is known.
        """
        raise UnsupportedNetworkError(
            f"node '{self.name}': how large {self.kind} gets has no bound that holds for every "
            "input: give calibration data (--calibration DATA.npz)"
        )

    def check_head(self, answer: Answer, width: int) -> None:
        """Check its rules as a node of an answer's head, where it reads ``width`` channels.

        Raises
        ------
        NetworkError
            Naming the node and the rule.
        """

    def as_modes(self, steps: int | None) -> FloatNode:
        """Give the node with modes for its ``dense`` matrix, for sequences of ``steps`` steps.

        Raises
        ------
        UnsupportedNetworkError
            If no modes have its response.
        """
        raise NetworkError(f"{self.name}: {self.kind} has no dense state matrix")

    def at_length(self, steps: int) -> FloatNode:
        """Give what it is for sequences of ``steps`` steps, padding included.

        Raises
        ------
        UnsupportedNetworkError
            If its weights depend on each sequence's own length.
        """
        return self

    def divided(self, divisor: Signal) -> FloatNode | None:
        """Give what has its signal over ``divisor`` (width,); None: another node must divide."""
        return None

    def folded(self) -> FloatNode:
        """Give what it is behind a signal that was divided by the threshold ``unfolded``."""
        return self

    def quantize(self, builder: Builder) -> None:
        """Add its integer form.

        Raises
        ------
        UnsupportedNetworkError
            If it has none.
        """
        raise no_integer_form(self)

    @property
    def foldable(self) -> bool:
        """Whether a threshold of its can be folded into what it reads."""
        return type(self).folded is not FloatNode.folded

    @property
    def quantizable(self) -> bool:
        """Whether it has an integer form."""
        return type(self).quantize is not FloatNode.quantize


@dataclass(frozen=True, kw_only=True, eq=False)
class Channelwise(Channels, FloatNode):
    """A node of ``channels`` channels that holds nothing else."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stepwise(FloatNode):
    """A node with a state and one input: its signal is what its steps give, one after another."""

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty((*x.shape[:2], self.width))
        step = self.start(len(x), context)
        for t in range(x.shape[1]):
            y[:, t] = step([x[:, t]])
        return y


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingNode(Stepwise):
    """A neuron that sends spikes, of either sign where it is ``signed``; ``start`` is its step."""

    spikes: ClassVar[bool] = True
    stream: ClassVar[str | None] = None
    governed_by: ClassVar[str] = "drive_bits"

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.ones(self.width)


def no_integer_form(node: Node) -> UnsupportedNetworkError:
    """Say that a node can be run in float only."""
    return UnsupportedNetworkError(
        f"node '{node.name}': {node.kind} has no integer form yet; the float backends "
        "run this network (simulate --backend float)"
    )
