"""The base of all nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.pooling import Pooling

__all__ = ["Channels", "Node", "Placement"]

Placement = Literal["host", "chip", "head"]
"""Who computes a node: the host as it encodes the input, in integers; the chip; or the head, which
is the host again, on the chip's answer, in float64.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Node(ABC):
    """A step of the network's computation: it reads its input edges and gives one signal.

    Parameters
    ----------
    name
        Unique in its network, e.g. ``layers.0.ssm``. A node keeps its name through every stage as
        long as it stands for the same signal, so that stages can be compared signal by signal.
    inputs
        Where its input comes from, in the order that the node's equation names it.
    """

    spikes: ClassVar[bool] = False
    """Whether it sends binary spikes."""
    places: ClassVar[tuple[Placement, ...]] = ("chip",)
    """Where it can be computed; where it is, see ``Network.placement``."""
    is_input: ClassVar[bool] = False
    """Whether the outside world feeds it."""
    reads_tokens: ClassVar[bool] = False
    """Whether it reads tokens, of which it knows ``vocabulary``."""
    synaptic: ClassVar[bool] = False
    """Whether it is the synapses between neurons, no neuron."""
    once: ClassVar[bool] = False
    """Whether it speaks once a sequence."""
    compares_pairs: ClassVar[bool] = False
    """Whether it gives one answer for two sequences: of a batch, first all first ones."""
    sums_steps: ClassVar[bool] = False
    """Whether it makes one answer of all steps of a sequence."""

    name: str
    inputs: tuple[Edge, ...] = field(default=())

    @property
    @abstractmethod
    def width(self) -> int:
        """Channels of the output signal."""

    @property
    def runs_backwards(self) -> bool:
        """Whether it runs from a sequence's last step to its first."""
        return False

    @property
    def pooling(self) -> Pooling | None:
        """How it makes a sequence one vector; None: it does not."""
        return None

    @property
    def heeds_lengths(self) -> bool:
        """Whether the last ones of its steps are, as an answer, the last valid ones."""
        return False

    @property
    def modes(self) -> int | None:
        """Complex modes a channel, each of which could be a neuron; None: it has no such."""
        return None

    @property
    def first_steps(self) -> int | None:
        """How many first steps it picks as the answer; None: it picks none."""
        return None

    @property
    def does(self) -> str:
        """What it does, in a few words for people, e.g. ``table 18 × 128``."""
        return self.kind.lower()

    @property
    def kind(self) -> str:
        """The concrete node's class name, as text form and files write it."""
        return type(self).__name__


@dataclass(frozen=True, kw_only=True, eq=False)
class Channels(Node):
    """A node whose channels are a number, and not as many as a parameter has."""

    channels: int

    @property
    def width(self) -> int:
        return self.channels
