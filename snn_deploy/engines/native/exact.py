"""The ``exact`` program: some sequences on their way through a network, in 64-bit integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.exact_steps import Pool, prepare
from snn_deploy.engines.native.plan import ChunkPosition, Plan
from snn_deploy.engines.result import IntArray
from snn_deploy.engines.session import MESSAGES
from snn_deploy.ir.sweeps import Sweep

__all__ = ["ExactFlow"]


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
        self._kept: dict[str, npt.NDArray[Any]] = {
            name: np.empty((samples, steps, plan.network[name].width), dtype=np.int64)
            for sweep in plan.sweeps
            for name in sweep.keeps
        }

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
        chunk = slice(position.start, position.stop)
        signals = {name: self._kept[name][:, chunk] for name in sweep.reads}
        for node in sweep.nodes:
            sources = [signals[edge.source] for edge in node.inputs] or [inputs]
            signals[node.name], clipped = self._steps[node.name](sources, position)
            if node.clips and node not in self.plan.closing:  # type: ignore[attr-defined]  # lowered
                self.saturated[node.name] += clipped
        for name in sweep.keeps:
            self._kept[name][:, chunk] = signals[name]
        for node in sweep.nodes:
            if node.name in watched:
                watched[node.name][...] = signals[node.name]
            if node.name in self.messages:
                self.messages[node.name] += np.count_nonzero(signals[node.name], axis=1)

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
        return states | {f"{name}/{MESSAGES}": count for name, count in self.messages.items()}
