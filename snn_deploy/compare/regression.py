"""How far real-valued answers are from their targets, as sums that add up over parts of a data set.

With targets t and answers y, over all of them that are known:

- mean squared error, mean((t − y)²);
- R², 1 − Σ(t − y)² / Σ(t − mean(t))² of each channel, and the mean over channels that vary;
- signal to noise, 10 log₁₀(Σt² / Σ(t − y)²) dB;
- its scale-invariant form, SI-SNR, of each sequence and channel without their means, where y is
  measured against its projection on t (Luo & Mesgarani 2018, TasNet; Le Roux et al. 2019, "SDR –
  half-baked or well done?"), and the mean over those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Channel", "Regression", "signal_to_noise"]

Real = npt.NDArray[np.float64]

_FLOOR = 2.0**-52
"""Noise that a finite SI-SNR has at least, as a share of its signal's power: 156.5 dB."""


@dataclass(frozen=True)
class Channel:
    """Sums over one channel: known targets, their mean, Σ(t − mean)², Σt², Σ(t − y)²."""

    values: int = 0
    mean: float = 0.0
    spread: float = 0.0
    power: float = 0.0
    squared_error: float = 0.0

    def __add__(self, other: Channel) -> Channel:
        values = self.values + other.values
        if not values:
            return self
        apart, share = other.mean - self.mean, other.values / values
        return Channel(
            values=values,
            mean=self.mean + apart * share,
            spread=self.spread + other.spread + apart * apart * self.values * share,
            power=self.power + other.power,
            squared_error=self.squared_error + other.squared_error,
        )

    @property
    def r2(self) -> float | None:
        """The share of the targets' variance that the answers explain; None where there is none."""
        return 1.0 - self.squared_error / self.spread if self.spread > 0 else None


@dataclass(frozen=True)
class Regression:
    """Answers against targets.

    Parameters
    ----------
    channels
        Sums over each channel of the answer.
    si_snr_db_sum, si_snr_count
        Of each sequence's and channel's SI-SNR: their sum, and how many have one. Answers of one
        step have none.
    """

    channels: tuple[Channel, ...]
    si_snr_db_sum: float = 0.0
    si_snr_count: int = 0

    @classmethod
    def of(cls, answers: Real, targets: Real) -> Regression:
        """Compare answers (B, width) or (B, steps, width) with targets of that shape.

        NaN stands for a target that is not known.
        """
        answers, targets = np.asarray(answers, np.float64), np.asarray(targets, np.float64)
        known = ~np.isnan(targets)
        width = targets.shape[-1]
        pairs = zip(*(a.reshape(-1, width).T for a in (answers, targets, known)), strict=True)
        channels = tuple(_channel(y[k], t[k]) for y, t, k in pairs)
        levels: list[float] = []
        if targets.ndim == 3:
            for y, t, k in zip(answers, targets, known, strict=True):
                found = (_si_snr(y[k[:, c], c], t[k[:, c], c]) for c in range(width))
                levels += [level for level in found if level is not None]
        return cls(channels, math.fsum(levels), len(levels))

    def __add__(self, other: Regression) -> Regression:
        return Regression(
            tuple(a + b for a, b in zip(self.channels, other.channels, strict=True)),
            self.si_snr_db_sum + other.si_snr_db_sum,
            self.si_snr_count + other.si_snr_count,
        )

    @property
    def values(self) -> int:
        """How many targets are known."""
        return sum(channel.values for channel in self.channels)

    @property
    def squared_error(self) -> float:
        """Σ(t − y)²."""
        return math.fsum(channel.squared_error for channel in self.channels)

    @property
    def mean_squared_error(self) -> float | None:
        return self.squared_error / self.values if self.values else None

    @property
    def r2(self) -> float | None:
        """The mean of the channels' R²; None where no target varies."""
        found = [channel.r2 for channel in self.channels if channel.r2 is not None]
        return math.fsum(found) / len(found) if found else None

    @property
    def snr_db(self) -> float | None:
        """Signal to noise; None where either is zero."""
        return signal_to_noise(math.fsum(c.power for c in self.channels), self.squared_error)

    @property
    def si_snr_db(self) -> float | None:
        """The mean SI-SNR of a sequence and channel; None for answers of one step."""
        return self.si_snr_db_sum / self.si_snr_count if self.si_snr_count else None

    def figures(self) -> dict[str, float | int | None]:
        """Give the figures of merit by name, as plain data."""
        names = ("mean_squared_error", "r2", "snr_db", "si_snr_db", "values")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        told = [f"mean squared error {_brief(self.mean_squared_error)}, R² {_brief(self.r2)}"]
        levels = {"SNR": self.snr_db, "SI-SNR": self.si_snr_db}
        told += [f"{name} {level:.2f} dB" for name, level in levels.items() if level is not None]
        return ", ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Give the sums as plain data; :meth:`from_json` reads them back."""
        return {**asdict(self), "channels": [asdict(channel) for channel in self.channels]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Regression:
        """Read what :meth:`to_json` gave."""
        channels = tuple(Channel(**channel) for channel in record["channels"])
        return cls(**{**record, "channels": channels})


def signal_to_noise(power: float, noise: float) -> float | None:
    """Give 10 log₁₀(power / noise), in dB; None where either is zero."""
    return float(10.0 * np.log10(power / noise)) if power > 0 and noise > 0 else None


def _channel(answers: Real, targets: Real) -> Channel:
    if not len(targets):
        return Channel()
    mean = float(targets.mean())
    sums = ((targets - mean) ** 2, targets**2, (targets - answers) ** 2)
    return Channel(len(targets), mean, *(float(part.sum()) for part in sums))


def _si_snr(answers: Real, targets: Real) -> float | None:
    """Of one sequence, (T,) each; None where the targets do not vary."""
    if len(targets) < 2:
        return None
    y, t = answers - answers.mean(), targets - targets.mean()
    power = float(t @ t)
    if power <= 0:
        return None
    scale = float(y @ t) / power
    wanted = scale * scale * power
    noise = y - scale * t
    if wanted <= 0:  # nothing of the target is in the answer
        return -10.0 * math.log10(1 / _FLOOR)
    return float(10.0 * np.log10(wanted / max(float(noise @ noise), _FLOOR * wanted)))


def _brief(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
