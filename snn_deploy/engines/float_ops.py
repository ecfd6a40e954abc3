"""What a float node may know beside the signals that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.draws import Draws

__all__ = ["Context", "Neuron", "Signal"]

Signal = npt.NDArray[np.float64]
Neuron = Literal["exact", "surrogate"]


@dataclass(frozen=True)
class Context:
    """What holds for a batch of sequences: valid steps of each, int64 (B,), and the neuron.

    ``spectra``, where it is given, keeps the SSMs' spectra for the next batch, by node name.
    ``draws`` are the batch's random numbers. ``states``, where it is given, keeps the largest
    magnitude (width,) of any word of state that a neuron of a name had.
    """

    lengths: npt.NDArray[np.int64]
    neuron: Neuron
    spectra: dict[str, npt.NDArray[np.complex128]] | None = None
    draws: Draws = field(default_factory=lambda: Draws(0, np.zeros(1, dtype=np.int64)))
    states: dict[str, Signal] | None = None

    def note_states(self, name: str, *words: Signal) -> None:
        """Keep how large the words of state (B, width) of neuron ``name`` are, where asked to."""
        if self.states is not None:
            largest = np.abs(words).max(axis=(0, 1))
            self.states[name] = np.maximum(self.states.get(name, 0.0), largest)
