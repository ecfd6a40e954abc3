"""What a layer of a live network says of itself, in NIR's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.forms import tensor_numbers
from snn_deploy.errors import UnsupportedNetworkError

__all__ = ["Layer", "Stated", "leaky", "numbers"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stated:
    """A primitive of NIR, with steps of 1 for time; None where a layer changes nothing.

    ``how`` are the conventions that its library runs it by. ``weights`` are its own ones of what it
    reads, ``recurrent`` those from its spikes to itself, also primitives.
    """

    primitive: Mapping[str, Any] | None
    how: Mapping[str, str] = field(default_factory=dict)
    recurrent: Mapping[str, Any] | None = None
    weights: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Layer:
    """A module of a network, and where it is."""

    module: Any
    where: str

    @property
    def names(self) -> tuple[str, str]:
        """Its package and its class."""
        kind = type(self.module)
        return kind.__module__.partition(".")[0], kind.__name__

    def only(self, name: str, *values: Any, told: str) -> None:
        """Refuse an attribute that is none of ``values``."""
        found = getattr(self.module, name, values[0])
        if not any(found is value or found == value for value in values):
            raise self.refused(f"{name}={found}: {told}")

    def refused(self, told: str) -> UnsupportedNetworkError:
        return UnsupportedNetworkError(f"{self.where} ({'.'.join(self.names)}): {told}")


def numbers(value: Any, what: str) -> Real:
    """Give a tensor's, or a number's, values."""
    if not hasattr(value, "detach"):
        return np.asarray(value, dtype=np.float64)
    return np.asarray(tensor_numbers(value, what), dtype=np.float64)


def leaky(decay: Real, what: str = "tau") -> dict[str, Real]:
    """Give the time constant, in Euler steps, of a state of which a step leaves ``decay``."""
    with np.errstate(divide="ignore"):
        return {what: np.minimum(1.0 / (1.0 - decay), NEVER)}


NEVER = 2.0**52
"""Steps: a state of this time constant loses nothing that float64 could tell."""
