"""What the sequencer does one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from snn_deploy.targets.verilog.cells import Datapath

__all__ = ["Heard", "Job", "Loop"]


@dataclass(eq=False)
class Loop:
    """A datapath that jobs run.

    ``depth`` is how many cycles an index takes to leave it; ``sends``: it writes signals.
    """

    number: int
    path: Datapath
    comment: str
    depth: int = 0
    sends: bool = False

    @property
    def on(self) -> str:
        """The name of what tells that it runs."""
        return f"on{self.number}"


class Heard(NamedTuple):
    """The channels of a node, so many steps back, whose events are walked."""

    source: str
    start: int
    width: int
    steps_back: int


@dataclass(frozen=True, eq=False)
class Job:
    """A run of a loop over ``outer`` times ``inner`` indices.

    Parameters
    ----------
    loop
        Which; None: a division of 1 by the steps so far.
    inner
        How many indices for each outer one; None: as many as there are events, at least ``least``.
    channel, index, write
        Where addresses begin: of channels, of modes or rows of weights, of what is sent.
    stride
        By how much the address of rows rises from one outer index to the next.
    ports
        The addresses that are read from memories of signals, and from which step on.
    wanted
        How many sums are sent.
    constants
        The numbers that are the node's own, by name.
    heard
        Whose events are walked, if any are.
    """

    loop: Loop | None
    outer: int = 1
    inner: int | None = 1
    least: int = 1
    channel: int = 0
    index: int = 0
    write: str = "0"
    stride: int = 1
    wanted: int = 0
    ports: tuple[tuple[str, int], ...] = ()
    constants: Mapping[str, int] = field(default_factory=dict)
    divider: int = 0
    heard: Heard | None = None
    comment: str = ""

    @property
    def drain(self) -> int:
        """How many cycles after its last index all is written."""
        return 0 if self.loop is None else self.loop.depth + 3

    def cycles(self, events: int = 0) -> int:
        """Give how many cycles it takes, where so many events are walked."""
        if self.loop is None:
            return DIVISION
        inner = max(events, self.least) if self.inner is None else self.inner
        return 2 + self.outer * inner + self.drain + 1


DIVISION = 48
"""Cycles of a division, at the most."""
