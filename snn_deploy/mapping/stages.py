"""In which pass over a sequence each process runs, and what must be buffered between passes.

A network with parts that run backwards is cut into sweeps (``ir/sweeps.py``). A stage is a sweep
forwards and the one backwards that follows it; between passes, signals wait in buffers. A causal
network has one stage, no reversed pass and no buffer: it streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import turns

__all__ = ["BufferedSignal", "buffered_signals", "stages_of"]


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
    """Give each process's stage, 0 … the number of reversed passes on the longest path.

    What runs backwards belongs to the stage that gives its input; its own pass comes after that.
    """
    return {name: turn // 2 for name, turn in turns(network).items()}


def buffered_signals(network: Network) -> tuple[BufferedSignal, ...]:
    """What a later pass reads; the input is not among it, the host has that anyway."""
    turn = turns(network)
    found = []
    for node in network:
        readers = tuple(
            reader.name
            for reader in network.consumers(node.name)
            if turn[reader.name] > turn[node.name]
        )
        if readers and not node.is_input:
            output: Any = node
            found.append(BufferedSignal(node.name, node.width, output.output.bits, readers))
    return tuple(found)
