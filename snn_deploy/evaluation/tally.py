"""What is counted over a test set: exact integers, so that shards add up in any order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snn_deploy.data import Data
from snn_deploy.simulation import Simulation

__all__ = ["Tally", "count"]

Counts = dict[str, int]


@dataclass(frozen=True)
class Tally:
    """Counts of some sequences.

    Parameters
    ----------
    sequences, steps
        How many sequences, and how many steps in all.
    correct
        Right predictions, or None without labels.
    confusion
        By "label>prediction": how often. Empty without labels.
    predictions
        By class: how often it was predicted.
    spikes
        By layer: spikes of each neuron.
    saturated
        By node: clipped values.
    """

    sequences: int
    steps: int
    correct: int | None
    confusion: Counts
    predictions: Counts
    spikes: dict[str, list[int]]
    saturated: Counts

    def __add__(self, other: Tally) -> Tally:
        correct = None
        if self.correct is not None and other.correct is not None:
            correct = self.correct + other.correct
        return Tally(
            sequences=self.sequences + other.sequences,
            steps=self.steps + other.steps,
            correct=correct,
            confusion=_added(self.confusion, other.confusion),
            predictions=_added(self.predictions, other.predictions),
            spikes={
                layer: [a + b for a, b in zip(counts, other.spikes[layer], strict=True)]
                for layer, counts in self.spikes.items()
            },
            saturated=_added(self.saturated, other.saturated),
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain data; :meth:`from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Tally:
        """Read what :meth:`to_json` gave."""
        return cls(**record)


def count(simulation: Simulation, data: Data) -> Tally:
    """Count the outcome of one shard."""
    predicted = simulation.predictions
    labels = data.labels if predicted.ndim == 1 else None
    return Tally(
        sequences=len(data),
        steps=len(data) * data.inputs.shape[1],
        correct=None if labels is None else int((predicted == labels).sum()),
        confusion={} if labels is None else _pairs(labels, predicted),
        predictions=_occurrences(predicted),
        spikes={
            layer: [int(n) for n in counts.sum(axis=0)]
            for layer, counts in simulation.spike_counts.items()
        },
        saturated={name: int(n) for name, n in simulation.saturated.items() if n},
    )


def _occurrences(values: Any) -> Counts:
    classes, numbers = np.unique(values, return_counts=True)
    return {str(c): int(n) for c, n in zip(classes, numbers, strict=True)}


def _pairs(labels: Any, predicted: Any) -> Counts:
    pairs, numbers = np.unique(np.stack([labels, predicted], axis=1), axis=0, return_counts=True)
    return {f"{a}>{b}": int(n) for (a, b), n in zip(pairs, numbers, strict=True)}


def _added(first: Counts, second: Counts) -> Counts:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
