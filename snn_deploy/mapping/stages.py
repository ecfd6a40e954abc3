"""In which pass over a sequence each process runs, and what must be buffered between passes.

A dendrite that runs backwards needs its whole input first, and its drive is wanted only when it
is done. So a network with such layers runs in stages: all that can be computed up to the first of
them, that dendrite's reversed pass, all that follows up to the next, and so on. A causal network
has one stage, no reversed pass and no buffer: it streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.inputs import Input

__all__ = ["BufferedSignal", "buffered_signals", "count_passes", "stages_of"]


@dataclass(frozen=True)
class BufferedSignal:
    """A signal that is kept for a whole sequence, outside the neurons.

    Parameters
    ----------
    name
        The process that sends it.
    width, bits
        Channels, and bits of one value.
    readers
        The processes that read it back.
    """

    name: str
    width: int
    bits: int
    readers: tuple[str, ...]


def stages_of(network: Network) -> dict[str, int]:
    """Give each process's stage, 0 … the number of reversed dendrites on the longest path.

    A reversed dendrite belongs to the stage that gives its input; its own pass comes after that.
    """
    stages: dict[str, int] = {}
    for node in network:
        earlier = [s for s in network.sources(node) if s.name in stages]  # a loop is one stage
        stages[node.name] = max((stages[s.name] + s.runs_backwards for s in earlier), default=0)
    for node in network.of_kind(Dendrite):
        # rather read its buffered input again than buffer its drive, which is wider
        consumers = network.consumers(node.name)
        if not node.reversed_time and consumers:
            stages[node.name] = min(stages[consumer.name] for consumer in consumers)
    return stages


def count_passes(network: Network) -> int:
    """How often the sequence is run through, the reversed passes included."""
    reversed_passes = sum(node.runs_backwards for node in network)
    return 1 + max(stages_of(network).values(), default=0) + reversed_passes


def buffered_signals(network: Network) -> tuple[BufferedSignal, ...]:
    """What a later pass reads; the input is not among it, the host has that anyway."""
    stages = stages_of(network)
    found = []
    for node in network:
        readers = tuple(
            reader.name
            for reader in network.consumers(node.name)
            if stages[reader.name] > stages[node.name] or reader.runs_backwards
        )
        if readers and not isinstance(node, Input):
            output: Any = node
            found.append(BufferedSignal(node.name, node.width, output.output.bits, readers))
    return tuple(found)
