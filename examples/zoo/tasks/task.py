"""What a task is: its data, and in which form it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Arrays", "Make", "Split", "Task", "divide"]

Arrays = Mapping[str, npt.NDArray[Any]]
"""What a DATA.npz holds: ``inputs``, ``labels`` or ``targets``, ``lengths`` where they differ."""

Split = tuple[Arrays, Arrays]
"""What is trained on, and what is tested with."""

Make = Callable[..., Split]
"""Gives the data, from a random generator and the task's options by name."""


@dataclass(frozen=True)
class Task:
    """A task.

    Parameters
    ----------
    title, about
        What a card calls it, and says of it.
    make, options
        What makes its data, and with which options.
    outputs
        Classes, or numbers of a regression.
    output_steps, decoder
        Whether there is one answer a sequence, and S4's options of how it is read out.
    regression
        Whether the answers are numbers.
    positive
        Whether those are magnitudes above zero, so that errors may be told as shares of them.
    """

    title: str
    about: str
    make: Make
    outputs: int
    options: Mapping[str, Any] = field(default_factory=dict)
    output_steps: Literal["one", "all"] = "one"
    decoder: Mapping[str, Any] = field(default_factory=dict)
    regression: bool = False
    positive: bool = False

    def data(self, seed: int = 0) -> Split:
        """Make the data; the same seed gives the same arrays."""
        return self.make(np.random.default_rng(seed), **self.options)

    def settings(self) -> dict[str, Any]:
        """Give what decides the data and the network's form, as plain data."""
        return {
            "options": dict(self.options),
            "outputs": self.outputs,
            "output_steps": self.output_steps,
            "decoder": dict(self.decoder),
        }


def divide(arrays: Arrays, train: int) -> Split:
    """Give the first ``train`` sequences, and the others."""
    return (
        {name: array[:train] for name, array in arrays.items()},
        {name: array[train:] for name, array in arrays.items()},
    )
