"""Input: where mantissas enter an integer network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.bounds import Bound
from snn_deploy.ir.cost import NodeCost
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.rules import require

__all__ = ["Input"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Input(Channels, IntegerNode):
    """``y[t] = sat(floor(inputs[t] * 2**exponent + 1/2))``, computed by the host as it encodes.

    Of tokens, which an EmbeddingTable reads, the format is unsigned and the exponent 0: they are
    themselves.
    """

    places = ("host",)
    clips = False
    is_input = True

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield from ()

    def check(self, network: Network) -> None:
        if self.output.signed or self.output == SPIKE:
            return
        for reader in network.consumers(self.name):
            rule = f"'{reader.name}' reads it, so its output must be signed, or spikes, {SPIKE}"
            require(reader.reads_tokens, self, rule)

    def check_output(self) -> None:
        """Any format will do: see :meth:`check`."""

    def step(self, t: Tracer) -> Value:
        return t.input()

    def bound(self, sources: Sequence[Interval]) -> Bound:
        return Bound({}, {}, np.full(self.width, float(self.output.limit)))

    def cost(self, network: Network) -> NodeCost:
        """The host's work."""
        return NodeCost(channels=self.width)
