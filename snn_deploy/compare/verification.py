"""Do all engines give the same bits? If not: the first node, neuron and step that differ.

:class:`Verification` holds the answer, and how the network compares with the float one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import Progress, block_size, run_blocks

if TYPE_CHECKING:
    from snn_deploy.compare.accuracy import AccuracyComparison

__all__ = ["Divergence", "EngineComparison", "Verification", "compare_engines", "first_divergence"]


@dataclass(frozen=True)
class Divergence:
    """The first place where two engines differ: first by node in order, then by step."""

    node: str
    sequence: int
    step: int
    neuron: int
    values: tuple[int, int]


@dataclass(frozen=True)
class EngineComparison:
    """Two engines on the same data, every output of every node at every step.

    ``values`` counts the integers that were compared; ``divergence`` is None when all are equal.
    """

    engines: tuple[str, str]
    sequences: int
    steps: int
    nodes: int
    values: int = 0
    divergence: Divergence | None = None
    outputs_equal: bool = True
    saturated: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every value was equal."""
        return self.divergence is None and self.outputs_equal

    def __str__(self) -> str:
        first, second = self.engines
        scope = f"{self.sequences} sequences × {self.steps} steps × {self.nodes} nodes"
        if self.passed:
            return f"{first} = {second}: {self.values:,} values equal ({scope})"
        d = self.divergence
        if d is None:
            return f"{first} ≠ {second}: traces agree, but the outputs differ ({scope})"
        return (
            f"{first} ≠ {second}: first divergence at node {d.node}, neuron {d.neuron}, step "
            f"{d.step} of sequence {d.sequence}: {first} {d.values[0]}, {second} {d.values[1]}"
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Verification:
    """Outcome of :meth:`~snn_deploy.Deployment.verify`."""

    engines: list[EngineComparison]
    accuracy: AccuracyComparison | None

    @property
    def passed(self) -> bool:
        """Whether every engine gave the same integers."""
        return all(comparison.passed for comparison in self.engines)

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {
            "passed": self.passed,
            "engines": [comparison.to_json() for comparison in self.engines],
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
        }


def compare_engines(
    network: Network, data: Data, engines: Sequence[Engine], progress: Progress | None = None
) -> list[EngineComparison]:
    """Run every engine with every node traced, and compare each with the first.

    Each engine runs all of ``data`` once; ``progress`` counts sequences, each once an engine.
    """
    block = block_size(network, data, network.names)
    runs = [run_blocks(network, data, e, network.names, progress, block) for e in engines]
    steps = data.inputs.shape[1]
    comparisons = [
        EngineComparison((engines[0].name, other.name), len(data), steps, len(network))
        for other in engines[1:]
    ]
    for blocks in zip(*runs, strict=True):
        start, base = blocks[0].rows.start, blocks[0].result
        for i, other in enumerate(block.result for block in blocks[1:]):
            found = first_divergence(network, base.trace, other.trace, start)
            comparisons[i] = _merged(
                comparisons[i],
                values=sum(signal.size for signal in base.trace.values()),
                divergence=found,
                outputs_equal=np.array_equal(base.output, other.output),
            )
    return comparisons


def first_divergence(
    network: Network,
    first: Mapping[str, IntArray],
    second: Mapping[str, IntArray],
    start: int = 0,
) -> Divergence | None:
    """Find where two traces (B, L, width) by node name differ first; None if nowhere.

    ``start`` is the number of the first sequence, for the message.
    """
    for name in network.names:
        a, b = first[name], second[name]
        if np.array_equal(a, b):
            continue
        positions = np.argwhere(a != b)
        sequence, step, neuron = (int(i) for i in positions[positions[:, 1].argmin()])
        values = (int(a[sequence, step, neuron]), int(b[sequence, step, neuron]))
        return Divergence(name, start + sequence, step, neuron, values)
    return None


def _merged(
    so_far: EngineComparison, values: int, divergence: Divergence | None, outputs_equal: bool
) -> EngineComparison:
    from dataclasses import replace

    return replace(
        so_far,
        values=so_far.values + values,
        divergence=so_far.divergence or divergence,
        outputs_equal=so_far.outputs_equal and outputs_equal,
    )
