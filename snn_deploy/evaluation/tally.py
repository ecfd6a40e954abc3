"""What is counted over a test set: exact integers, and a regression's sums, which are added up in
the shards' order, whoever ran them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from snn_deploy.compare.regression import Regression
from snn_deploy.data.inputs import Data
from snn_deploy.io.schema import (
    COUNT,
    Choice,
    Items,
    Number,
    Optional,
    Record,
    SchemaError,
    Table,
    Text,
    Whole,
)
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import Simulation

__all__ = ["Tally", "TallySchema", "count"]

Counts = dict[str, int]

COUNTED_CLASSES = 1024


@dataclass(frozen=True)
class Tally:
    """Counts of some sequences.

    Parameters
    ----------
    sequences, steps
        How many sequences, and how many steps in all.
    correct, labelled
        Right predictions, of how many; None and 0 without labels.
    cross_entropy_micronats
        Sum of -log of the labels' probabilities, in millionths, each shard's rounded; None without
        labels.
    confusion
        By "label>prediction": how often. Empty without labels, and for answers of several steps.
    predictions
        By class: how often it was predicted. Empty for vocabularies over 1,024.
    spikes
        By layer: spikes of each neuron.
    saturated
        By node: clipped values.
    regression
        Sums of the answers' errors; None without targets.
    """

    sequences: int
    steps: int
    correct: int | None
    labelled: int
    cross_entropy_micronats: int | None
    confusion: Counts
    predictions: Counts
    spikes: dict[str, list[int]]
    saturated: Counts
    regression: Regression | None = None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            sequences=self.sequences + other.sequences,
            steps=self.steps + other.steps,
            correct=_sum(self.correct, other.correct),
            labelled=self.labelled + other.labelled,
            cross_entropy_micronats=_sum(
                self.cross_entropy_micronats, other.cross_entropy_micronats
            ),
            confusion=_added(self.confusion, other.confusion),
            predictions=_added(self.predictions, other.predictions),
            spikes={
                layer: [a + b for a, b in zip(counts, other.spikes[layer], strict=True)]
                for layer, counts in self.spikes.items()
            },
            saturated=_added(self.saturated, other.saturated),
            regression=None
            if self.regression is None or other.regression is None
            else self.regression + other.regression,
        )

    @property
    def cross_entropy(self) -> float | None:
        """Sum of -log of the labels' probabilities, in nats; None without labels."""
        micronats = self.cross_entropy_micronats
        return None if micronats is None else micronats / 1e6

    def to_json(self) -> dict[str, Any]:
        """Give plain data; :meth:`from_json` reads it back."""
        regression = None if self.regression is None else self.regression.to_json()
        return {**asdict(self), "regression": regression}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Tally:
        """Read what :meth:`to_json` gave."""
        held = record["regression"]
        return cls(**{**record, "regression": held and Regression.from_json(held)})


@dataclass(frozen=True)
class TallySchema:
    """What the tally of a shard of some sequences, of some steps each, must be."""

    network: Network
    sequences: int
    steps: int

    def check(self, value: Any, where: str) -> None:
        self._record.check(value, where)
        labelled, correct = value["labelled"], value["correct"]
        at_most = Whole(0, labelled)
        if (correct is None) != (labelled == 0):
            raise SchemaError(f"{where}: {correct} correct of {labelled} labelled")
        at_most.check(correct or 0, f"{where}.correct")
        at_most.check(sum(value["confusion"].values()), f"{where}.confusion, together")
        everything = Whole(0, self.sequences * self.steps)
        everything.check(sum(value["predictions"].values()), f"{where}.predictions, together")

    @cached_property
    def _record(self) -> Record:
        network, steps = self.network, self.sequences * self.steps
        classes = network.answer.width
        at_most = Whole(0, steps)
        layers = {soma.name.removesuffix(".lif"): soma.width for soma in network.spiking}
        return Record(
            {
                "sequences": Choice((self.sequences,)),
                "steps": Choice((steps,)),
                "correct": Optional(at_most),
                "labelled": at_most,
                "cross_entropy_micronats": Optional(COUNT),
                "confusion": Table(at_most, names=Text(64, r"\d{1,19}>\d{1,19}")),
                "predictions": Table(at_most, names=Text(19, r"\d+"), most=classes),
                "spikes": Record({name: Items(at_most, exactly=n) for name, n in layers.items()}),
                "saturated": Table(COUNT, names=Choice((*network.names,))),
                "regression": Optional(_regression_record(classes, at_most)),
            }
        )


def _regression_record(channels: int, at_most: Whole) -> Record:
    sums = {name: Number() for name in ("mean", "spread", "power", "squared_error")}
    channel = Record({"values": at_most, **sums})
    return Record(
        {
            "channels": Items(channel, exactly=channels),
            "si_snr_db_sum": Number(),
            "si_snr_count": COUNT,
        }
    )


def count(simulation: Simulation, data: Data) -> Tally:
    """Count the outcome of one shard."""
    predicted, labels = simulation.predictions, data.labels
    if labels is None or labels.shape != predicted.shape:
        labels = np.full(predicted.shape, -1)
    known = labels >= 0
    scored, classes = bool(known.any()), simulation.classes
    fits = scored and labels.max() < classes  # other numbers are no classes
    counted = not simulation.regresses and classes <= COUNTED_CLASSES
    steps = len(data) * data.inputs.shape[1]
    return Tally(
        sequences=len(data),
        steps=steps,
        correct=int((predicted == labels)[known].sum()) if scored else None,
        labelled=int(known.sum()),
        cross_entropy_micronats=round(simulation.cross_entropy(labels) * 1e6) if fits else None,
        confusion={f"{a}>{b}": n for (a, b), n in simulation.confusion.items()},
        predictions=_occurrences(predicted) if counted else {},
        spikes={
            layer: [int(n) for n in counts.sum(axis=0)]
            for layer, counts in simulation.spike_counts.items()
        },
        saturated={name: int(n) for name, n in simulation.saturated.items() if n},
        regression=simulation.regression,
    )


def _sum(first: Any, second: Any) -> Any:
    counted = [part for part in (first, second) if part is not None]
    return sum(counted) if counted else None


def _occurrences(values: Any) -> Counts:
    classes, numbers = np.unique(values, return_counts=True)
    return {str(c): int(n) for c, n in zip(classes, numbers, strict=True)}


def _added(first: Counts, second: Counts) -> Counts:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
