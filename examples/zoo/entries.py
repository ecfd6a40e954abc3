"""What the zoo holds: a table of networks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from snn_deploy.examples.zoo.tasks.registry import TASKS
from snn_deploy.examples.zoo.tasks.task import Task

__all__ = ["ENTRIES", "FAMILIES", "TRIED_TOO", "Entry"]

FAMILIES = {
    "spikingssm": "SpikingSSM",
    "s4d": "Binary S4D",
    "s4d_gsu": "Gated Spiking Unit",
    "spikingblockgate": "PRF",
    "silif": "SiLIF",
}
"""Family, as ``snn_deploy.training.initialise`` calls it -> what people call it."""

_MAXIMA = (
    "By default a constant stands for the largest value of every step, which sets a Gated Spiking "
    "Unit's thresholds in float."
)
TRIED_TOO = {"s4d_gsu": ({"ternary_maxima": "every_step"}, _MAXIMA)}
"""Family -> settings that are measured beside the defaults, where those cost it accuracy, and why
they do.
"""


@dataclass(frozen=True)
class Entry:
    """One network: what it learns, and how it is made and trained.

    Parameters
    ----------
    task, family
        By name, of ``TASKS`` and ``FAMILIES``.
    channels, layers, modes
        Its size; complex modes a channel, 0 where the neurons have none.
    epochs, learning_rate, batch_size
        Of its training.
    seed
        Of its first values and of the order of the sequences.
    """

    task: str
    family: str
    channels: int
    layers: int
    modes: int
    epochs: int
    learning_rate: float = 0.01
    batch_size: int = 40
    seed: int = 0

    @property
    def name(self) -> str:
        """What it and its files are called."""
        return f"{self.task}-{self.family}".replace("_", "-")

    @property
    def what(self) -> Task:
        """Its task."""
        return TASKS[self.task]

    def settings(self) -> dict[str, Any]:
        """Give all that decides the trained network, as plain data."""
        return {**asdict(self), "data": self.what.settings()}

    @property
    def digest(self) -> str:
        """Name its settings by 12 hexadecimal digits: other settings, another name."""
        text = json.dumps(self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


ENTRIES = (
    Entry("digits", "spikingssm", channels=64, layers=2, modes=16, epochs=20),
    Entry("chirps", "s4d", channels=48, layers=2, modes=8, epochs=15),
    Entry("chirps", "silif", channels=48, layers=2, modes=0, epochs=15),
    Entry("mnist1d", "s4d_gsu", channels=48, layers=2, modes=16, epochs=12),
    Entry("vowels", "spikingblockgate", channels=64, layers=2, modes=1, epochs=60),
    Entry("recall", "s4d", channels=64, layers=2, modes=32, epochs=8),
    Entry("mackey_glass", "s4d", channels=32, layers=2, modes=8, epochs=20),
    Entry("denoising", "spikingssm", channels=48, layers=2, modes=16, epochs=20),
)
