"""A network that was built, compared with the engines: everything but how it is started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from snn_deploy.engines.host import Host, HostSignals, check_mantissas
from snn_deploy.engines.result import IntArray, Result, Run, senders
from snn_deploy.ir.network import Network
from snn_deploy.targets.layout import Layout

__all__ = ["TargetProgram"]


class TargetProgram(ABC):
    """A program for this machine that computes what a layout's nodes send."""

    def __init__(self, network: Network, layout: Layout) -> None:
        self.network, self.layout = network, layout
        self.host = None if layout.alone else Host(network)

    def run(self, run: Run) -> Result:
        """Run one batch.

        Raises
        ------
        BackendError
            If the program failed.
        """
        check_mantissas(self.network, run.inputs, len(run.inputs))
        at_host = self._host(run.inputs)
        wanted = {*run.trace, *senders(self.network), self.network.output.name}
        signals = {name: at_host.signals[name] for name in wanted & at_host.signals.keys()}
        watched = [node for node in self.layout.network if node.name in wanted - signals.keys()]
        last = self._last_steps(run, at_host.entering.shape[1])
        signals |= self.compute(at_host.entering, run.lengths, last, watched)
        run.progress(1.0)
        return Result.collect(self.network, run, signals, at_host.saturated)

    def _host(self, inputs: IntArray) -> HostSignals:
        """Give what goes into the program, and what was computed before."""
        if self.host is None:
            return HostSignals({self.network.input.name: inputs}, inputs, {})
        return self.host.compute(inputs)

    @abstractmethod
    def compute(
        self, entering: IntArray, lengths: IntArray, last: IntArray, watched: Sequence[Any]
    ) -> dict[str, IntArray]:
        """Give the signals of the watched nodes, (B, L, width).

        ``entering`` (B, L, width) goes in; of each sequence ``lengths`` steps are valid, and pools
        end at step ``last``.
        """

    def _last_steps(self, run: Run, steps: int) -> IntArray:
        pools = [node for node in self.layout.closing if node.once]
        valid = bool(pools) and pools[0].use_lengths
        return run.lengths - 1 if valid else np.full(len(run.lengths), steps - 1)
