"""How any network is run: an engine opens a session, steps go in, and the answer comes out.

>>> session = engine.open(network, Watch(samples=2, trace=["layers.0.lif"]))  # doctest: +SKIP
>>> for chunk in chunks:  # doctest: +SKIP
...     spikes = session.step(chunk)["layers.0.lif"]
>>> answer = session.finish().output  # doctest: +SKIP

A whole batch is one step: :func:`run_whole`. What runs so only, because its engine or its network
looks at the sequence from the end too, says how long its sequences are, ``Watch.steps``, takes
them in one step, and carries no state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from snn_deploy.engines.result import (
    IntArray,
    Ports,
    Record,
    Result,
    Run,
    Values,
    by_name,
    no_progress,
)
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.network import Network

__all__ = [
    "MESSAGES",
    "RECENT",
    "Engine",
    "Session",
    "Snapshot",
    "Watch",
    "WholeEngine",
    "WholeSession",
    "run_whole",
]

MESSAGES, RECENT = "messages", "recent"
"""What a stream's state calls a node's counts of messages, and the last outputs."""


@dataclass(frozen=True)
class Watch:
    """Which sequences run, and what is wanted of them.

    Parameters
    ----------
    samples
        How many sequences run side by side, B.
    lengths
        Valid steps (B,) of each sequence; None: all that come.
    steps
        How long the sequences are, where they come whole, in one step; None for a stream.
    trace
        Names of the nodes whose output at every step is wanted.
    record
        Where the traced signals go, part by part, in any order, instead of out of ``step``.
    progress
        Called now and then with the part of a whole run done since the last call.
    """

    samples: int
    lengths: IntArray | None = None
    steps: int | None = None
    trace: Collection[str] = ()
    record: Record | None = None
    progress: Callable[[float], None] = no_progress

    def give(self, first: int, signals: dict[str, Values]) -> dict[str, Values]:
        """Record the signals of some steps, from ``first`` on, or give them back."""
        if self.record is None:
            return signals
        for name, signal in signals.items():
            self.record(name, 0, first, signal)
        return {}


@dataclass(frozen=True)
class Snapshot:
    """A stream at some step: enough to go on exactly, on any machine.

    Parameters
    ----------
    steps
        How many steps came so far.
    arrays
        By ``node/what``: compartments, membranes, pools, counts of messages, and the last inputs
        that a window still looks at; int64 (B, …), in the nodes' own order of channels and modes.
        And ``recent``: the last outputs, (B, K, d_output), where they are the answer.
    saturated
        By node: how many values were clipped so far.
    """

    steps: int
    arrays: Mapping[str, IntArray]
    saturated: Mapping[str, int]


class Session(Protocol):
    """Sequences side by side, on their way through a network."""

    @property
    def steps(self) -> int:
        """How many steps came so far."""

    @property
    def late(self) -> Collection[str]:
        """Name the traced nodes that speak at the end of a stream, not step by step."""

    def step(self, chunk: Ports) -> Mapping[str, Values]:
        """Take the next steps in, and give the traced nodes' outputs at them, (B, T, width) each.

        Parameters
        ----------
        chunk
            Mantissas in the format of the network's input node, int64 (B, T, d_input), by name
            where there are several; for a float network what
            :func:`~snn_deploy.engines.floating.FloatEngine` takes.

        Raises
        ------
        DataError
            If the chunk does not fit, or came after the whole.
        """

    def finish(self) -> Result:
        """Give what is known at the end, as if the last step had been the last.

        Its ``trace`` is empty. A stream can go on afterwards; where every step is its network's
        answer, ``output`` has no steps (trace the output node), and the signals of the ``late``
        nodes are in the result's ``late``.
        """

    def state(self) -> Snapshot:
        """Copy what a stream carries from step to step.

        Raises
        ------
        ConfigError
            Of whole sequences, which carry nothing.
        """

    def restore(self, state: Snapshot) -> None:
        """Go on, before the first step of this session, from where ``state`` was taken.

        Raises
        ------
        DataError
            If it is one of another network, or of another number of sequences.
        """


class Engine(Protocol):
    """Runs networks; every engine of lowered networks gives the same integers."""

    name: str
    streams: bool
    """Whether it runs streams; if not, ``open`` needs to know how long sequences are."""

    def open(self, network: Network, watch: Watch) -> Session:
        """Begin a run.

        Raises
        ------
        ConfigError
            If the network, or any on this engine, cannot run as a stream, and it is to.
        BackendUnavailableError
            If what the engine stands on is not installed; here, or at the first step.
        BackendError
            If it crashed or hung; the message holds its log; here, or at a step.
        """


class WholeEngine(ABC):
    """An engine that takes whole sequences: it says what it makes of them, in ``compute``."""

    name: str
    streams = False
    several: ClassVar[bool] = False
    """Whether it takes networks of several inputs or outputs as they are."""

    @abstractmethod
    def compute(self, network: Network, run: Run) -> Result:
        """Run one batch."""

    def open(self, network: Network, watch: Watch) -> Session:
        """Begin a run, of a network of any number of inputs and outputs."""
        if self.several or len(network.inputs) == 1 == len(network.outputs):
            return self.open_one(network, watch)
        from snn_deploy.engines.ports import PortsSession

        return PortsSession(self.open_one, network, watch)

    def open_one(self, network: Network, watch: Watch) -> Session:
        """Begin a run of sequences that will come in one step, of a network that it takes."""
        return WholeSession(self, network, watch)


class WholeSession:
    """Takes whole sequences, in one step.

    Raises
    ------
    ConfigError
        If nobody says how long they are: a stream.
    """

    late = ()

    def __init__(self, engine: WholeEngine, network: Network, watch: Watch) -> None:
        if watch.steps is None:
            raise ConfigError(
                f"the backend {engine.name} runs whole sequences: streams and chunks need the "
                "backend native"
            )
        self._engine, self._network, self._watch = engine, network, watch
        self._result: Result | None = None

    @property
    def steps(self) -> int:
        """How many steps came so far: none, or all."""
        return 0 if self._result is None else self._watch.steps or 0

    def step(self, chunk: Ports) -> Mapping[str, Values]:
        """Take all steps in."""
        watch = self._watch
        if self._result is not None:
            raise DataError(f"all {watch.steps} steps of these sequences have come already")
        for array in by_name(self._network, chunk).values():
            if array.shape[:2] != (watch.samples, watch.steps):
                raise DataError(
                    f"inputs of shape {array.shape}; need {watch.samples} whole sequences of "
                    f"{watch.steps} steps at once"
                )
        lengths = watch.lengths
        if lengths is None:
            lengths = np.full(watch.samples, watch.steps, dtype=np.int64)
        run = Run(chunk, lengths, watch.trace, watch.record, watch.progress)
        self._result = self._engine.compute(self._network, run)
        return self._result.trace

    def finish(self) -> Result:
        """Give the answer and all counts."""
        if self._result is None:
            raise DataError("no step of these sequences came yet")
        return replace(self._result, trace={})

    def state(self) -> Snapshot:
        """Refuse: nothing is carried."""
        raise ConfigError(f"whole sequences on the backend {self._engine.name} carry no state")

    def restore(self, state: Snapshot) -> None:
        """Refuse: nothing is carried."""
        self.state()


def run_whole(engine: Engine, network: Network, run: Run) -> Result:
    """Run a batch of whole sequences, in one step."""
    first = next(iter(by_name(network, run.inputs).values()))
    if first.ndim < 2:
        raise DataError(f"inputs of shape {first.shape}; need (sequences, steps, …)")
    samples, steps = first.shape[:2]
    watch = Watch(samples, run.lengths, steps, run.trace, run.record, run.progress)
    session = engine.open(network, watch)
    trace = session.step(run.inputs)
    return replace(session.finish(), trace=trace)
