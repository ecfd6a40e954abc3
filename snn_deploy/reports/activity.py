"""What a network did on real data, as exact counts, gathered from an engine's results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import path_delay

__all__ = ["Activity", "Counted", "gather_activity", "message_sources"]

Counts = npt.NDArray[np.int64]
Steps = npt.NDArray[np.float32]

SAMPLE_BYTES = 256 * 2**20


class Counted(Protocol):
    """What is read of an engine's result or a whole simulation; see ``engines.result.Result``."""

    @property
    def messages(self) -> Mapping[str, Counts]:
        """Non-zero messages by node, (B, width)."""

    @property
    def saturated(self) -> Mapping[str, int]:
        """Clipped values by node."""

    @property
    def trace(self) -> Mapping[str, Counts]:
        """Signals by node, (B, L, width), as far as they were asked for."""


@dataclass(frozen=True)
class Activity:
    """Counts over some sequences of equal length.

    Parameters
    ----------
    sequences, steps
        How many sequences; steps of each.
    messages
        By the name of each node that sends messages: how many each channel sent, (width,).
    chances
        By the same names: how many messages a channel could have sent; one a sequence for a pool.
    bounded
        Those of them that were not counted: assumed to send whenever they can, an upper bound.
    by_step
        By the same names: messages of each channel at each of some steps in a row, (S, width); one
        mean step, S = 1, where the results hold no traces.
    silent, always
        By soma: how many channels never spiked; how many spiked at every step.
    saturated
        By node: values that were clipped; None where the engine cannot count them.
    """

    sequences: int
    steps: int
    messages: Mapping[str, Counts]
    chances: Mapping[str, int]
    bounded: tuple[str, ...]
    by_step: Mapping[str, Steps]
    silent: Mapping[str, int]
    always: Mapping[str, int]
    saturated: Mapping[str, int] | None

    @property
    def total_steps(self) -> int:
        """Steps of all sequences together."""
        return self.sequences * self.steps


def message_sources(network: Network) -> tuple[Node, ...]:
    """The nodes whose output crosses from neuron to neuron: into synapses, or with a delay.

    A simulation that traces them all lets a report count every message and time every step. Of
    what the host computes it is the signal that enters the chip.
    """
    chip = chip_part(network)
    sources = {
        edge.source
        for node in chip
        for edge in node.inputs
        if node.synaptic or path_delay(node, edge) > 0 or edge.source in chip.inputs
    }
    return tuple(node for node in chip if node.name in sources or node.spikes)


def gather_activity(network: Network, results: Iterable[Counted], steps: int) -> Activity:
    """Add up the results of one or more batches of sequences, each ``steps`` long.

    Raises
    ------
    DataError
        If there is no sequence at all.
    ConfigError
        If nothing of the network runs on a chip.
    """
    if not message_sources(network):
        raise ConfigError(
            "nothing of this network runs on a chip: the host computes all its "
            f"{len(network)} nodes, so that there is nothing to account for"
        )
    gathering = _Gathering(network)
    for result in results:
        gathering.add(result)
    sequences = gathering.sequences
    if not sequences or steps < 1:
        raise DataError("a report needs at least one sequence of at least one step")
    chances = {node.name: sequences * (1 if node.once else steps) for node in gathering.sources}
    messages, bounded = gathering.totals(chances)
    somas = [node.name for node in network.spiking]
    return Activity(
        sequences=sequences,
        steps=steps,
        messages=messages,
        chances=chances,
        bounded=bounded,
        by_step=gathering.by_step()
        or {name: (sent / (sequences * steps))[None] for name, sent in messages.items()},
        silent={name: int(np.sum(messages[name] == 0)) for name in somas},
        always={name: int(np.sum(messages[name] == sequences * steps)) for name in somas},
        saturated=gathering.saturated if gathering.counts_saturation else None,
    )


class _Gathering:
    """Sums over batches, one batch in memory at a time."""

    def __init__(self, network: Network) -> None:
        self.sources = message_sources(network)
        self.sequences = 0
        self.counted: dict[str, Counts] = {}
        self.saturated: dict[str, int] = {}
        self.counts_saturation = True
        self.samples: dict[str, list[Steps]] = {node.name: [] for node in self.sources}
        self.room = SAMPLE_BYTES // (4 * sum(node.width for node in self.sources))

    def add(self, result: Counted) -> None:
        """Add one batch's counts, and its steps as far as there is room."""
        counts = {name: sent.sum(axis=0) for name, sent in result.messages.items()}
        for node in self.sources:
            if node.name in result.trace and node.name not in counts:
                counts[node.name] = np.count_nonzero(result.trace[node.name], axis=(0, 1))
        common = counts if not self.sequences else counts.keys() & self.counted.keys()
        self.counted = {name: counts[name] + self.counted.get(name, 0) for name in common}
        self.sequences += len(next(iter(result.messages.values()), ()))
        self.counts_saturation = self.counts_saturation and bool(result.saturated)
        for name, count in result.saturated.items():
            self.saturated[name] = self.saturated.get(name, 0) + count
        self._sample(result)

    def _sample(self, result: Counted) -> None:
        if any(node.name not in result.trace for node in self.sources):
            self.room = 0
            self.samples = {}
        taken = 0
        for name, kept in self.samples.items():
            signal = result.trace[name]
            rows = signal.reshape(-1, signal.shape[-1])[: self.room]
            kept.append((rows != 0).astype(np.float32))
            taken = len(rows)
        self.room -= taken

    def totals(self, chances: Mapping[str, int]) -> tuple[dict[str, Counts], tuple[str, ...]]:
        """Give all messages, and the names of the nodes whose messages had to be assumed."""
        bounded = tuple(node.name for node in self.sources if node.name not in self.counted)
        messages = {
            node.name: self.counted.get(node.name, np.full(node.width, chances[node.name]))
            for node in self.sources
        }
        return messages, bounded

    def by_step(self) -> dict[str, Steps]:
        """Give the sampled steps, or nothing if any batch came without traces."""
        return {name: np.concatenate(kept) for name, kept in self.samples.items()}
