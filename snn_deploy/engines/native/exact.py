"""The ``exact`` program: some sequences on their way through a network, in 64-bit integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snn_deploy.engines.native.exact_steps import Pool, prepare
from snn_deploy.engines.native.plan import ChunkPosition, Plan
from snn_deploy.engines.result import IntArray
from snn_deploy.engines.session import MESSAGES
from snn_deploy.ir.loops import is_recurrent
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep

__all__ = ["ExactFlow"]


@dataclass(frozen=True)
class _Tape:
    """A signal from step ``first`` of its sequence on, (samples, steps, width)."""

    content: IntArray
    first: int

    def at(self, steps: ChunkPosition, back: int = 0) -> IntArray:
        """Give what was there in some steps, or ``back`` steps before each of them."""
        first = self.first + back
        return self.content[:, steps.start - first : steps.stop - first]


class ExactFlow:
    """Some sequences, from their first step to where they are now.

    Parameters
    ----------
    plan
        Of the network.
    samples
        How many sequences.
    steps
        How many steps they have, for networks of more than one sweep.
    """

    chunk_steps = 64  # what a chunk's signals take stays small, and the loops' overhead too

    def __init__(self, plan: Plan, samples: int, steps: int) -> None:
        self.plan = plan
        self.saturated: Counter[str] = Counter()
        self.messages = {
            node.name: np.zeros((samples, node.width), dtype=np.int64)
            for node in plan.network
            if node.name in plan.counted
        }
        self._steps = {
            node.name: prepare(node, samples) for sweep in plan.sweeps for node in sweep.nodes
        }
        # the last steps of what is read back, and whole sequences for later sweeps
        self._past = {
            name: np.zeros((samples, back, plan.network[name].width), dtype=np.int64)
            for name, back in plan.reach.items()
        }
        self._kept = {
            name: self._blank(name, samples, range(steps))
            for sweep in plan.sweeps
            for name in sweep.keeps
        }

    def _blank(self, name: str, samples: int, steps: range) -> _Tape:
        """Make room for a signal's steps, and for those before them that are read back."""
        back = self.plan.reach.get(name, 0)
        shape = (samples, back + len(steps), self.plan.network[name].width)
        return _Tape(np.zeros(shape, dtype=np.int64), steps.start - back)

    def advance(
        self,
        sweep: Sweep,
        position: ChunkPosition,
        inputs: IntArray,
        watched: Mapping[str, IntArray],
        workspace: None = None,
    ) -> None:
        """Run a sweep over the next chunk.

        Parameters
        ----------
        sweep, position
            Of the plan; chunks come in the sweep's order.
        inputs
            The network's input in these steps, (samples, steps, width).
        watched
            By name, where the output of a watched node is written; the same shape.
        """
        steps = range(position.start, position.stop)
        tapes = {name: self._kept[name] for name in sweep.reads}
        for node in sweep.nodes:
            tapes[node.name] = tape = self._blank(node.name, len(inputs), steps)
            if node.name in self._past:
                tape.content[:, : -len(steps)] = self._past[node.name]
        entering = _Tape(inputs, position.start)
        for group in sweep.groups:
            size = 1 if is_recurrent(group) else len(steps)
            for start in steps[::size]:
                part = ChunkPosition(start, start + size, position.last)
                for node in group:
                    self._run(node, tapes, entering, part)
        for name in sweep.keeps:
            self._kept[name].at(position)[...] = tapes[name].at(position)
        for node in sweep.nodes:
            signal = tapes[node.name].at(position)
            if node.name in self._past:  # of a sweep backwards nobody reads it
                self._past[node.name][...] = tapes[node.name].content[:, len(steps) :]
            if node.name in watched:
                watched[node.name][...] = signal
            if node.name in self.messages:
                self.messages[node.name] += np.count_nonzero(signal, axis=1)

    def _run(
        self, node: Node, tapes: Mapping[str, _Tape], entering: _Tape, part: ChunkPosition
    ) -> None:
        sources = [tapes[edge.source].at(part, edge.steps_back) for edge in node.inputs]
        signal, clipped = self._steps[node.name](sources or [entering.at(part)], part)
        tapes[node.name].at(part)[...] = signal
        if node.clips and node not in self.plan.closing:  # type: ignore[attr-defined]  # lowered
            self.saturated[node.name] += clipped

    def held(self, pool: str) -> IntArray:
        """What a pool has gathered, (samples, width)."""
        step = self._steps[pool]
        assert isinstance(step, Pool)
        return step.held

    def state(self) -> dict[str, IntArray]:
        """Copy what is carried from chunk to chunk: by ``node/what``, (samples, …) each."""
        return {name: array.copy() for name, array in self._carried().items()}

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave, here or in a ``FastFlow``."""
        for name, array in self._carried().items():
            array[...] = state[name]

    def _carried(self) -> dict[str, IntArray]:
        states = {
            f"{name}/{what}": array
            for name, step in self._steps.items()
            for what, array in step.state.items()
        }
        states |= {f"{name}/past": past for name, past in self._past.items()}
        return states | {f"{name}/{MESSAGES}": count for name, count in self.messages.items()}
