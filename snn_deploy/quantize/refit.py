"""Fitting a state-space model's readout to its rounded decays.

A mode whose decay was rounded from ``a`` to ``q`` forgets a little too slowly or too fast, and the
longer the worse. Its neighbours can make that good: the readouts are moved, as little as possible,
so that the impulse response ``k[t] = Re Σ_n c_n a_n**t`` of the float network comes out again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Refit"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

RIDGE = 1e-3  # how dear it is to move a readout, relative to the power of its mode's response
DAMPING = 1e-3  # of the mean power: keeps faint modes from being over-used
FAINTEST = 1e-6  # of a channel's strongest response: fainter ones are as dear to move as this


@dataclass(frozen=True)
class Refit:
    """Moves readouts (H, N) from decays ``a`` to ``q`` by least squares.

    The error counts as often as it is heard: an impulse response's step t occurs ``steps - t``
    times in a sequence of ``steps``. ``gram`` (H, 2 N, 2 N) holds the products of the responses of
    ``q``, real and imaginary parts of all modes, and ``cross`` those with the responses of ``a``.
    """

    gram: Real
    cross: Real

    @classmethod
    def of(cls, a: Complex, q: Complex, steps: int) -> Refit:
        """Prepare for decays ``a`` that were rounded to ``q``, (H, N) each."""
        return cls(_products(q, q, steps), _products(q, a, steps))

    def __call__(self, readout: Complex) -> Complex:
        """Give the readouts (H, N) for the rounded decays."""
        parts = np.concatenate([readout.real, readout.imag], axis=1)[..., None]
        missing = self.cross @ parts - self.gram @ parts
        power = np.einsum("hii->hi", self.gram)
        dearth = np.maximum(power, FAINTEST * power.max(axis=1, keepdims=True, initial=0.0))
        ridge = RIDGE * dearth[:, None, :] * np.eye(power.shape[1])
        change = np.linalg.solve(self.gram + ridge, missing)[..., 0]
        modes = readout.shape[1]
        refitted: Complex = readout + change[:, :modes] + 1j * change[:, modes:]
        return refitted

    def round(self, target: Real, unit: Real, limit: int) -> Real:
        """Round readouts to odd integers up to ``limit``, one after another.

        Each error is made good, as far as the later ones can, by the parts not yet rounded: the
        procedure of ``weights``, with what a readout's change does to the impulse response.

        Parameters
        ----------
        target
            Real and imaginary parts (H, 2 N), in units of the integers.
        unit
            What a response is multiplied by that such an integer scales, (H, 2 N).
        """
        heard = self.gram * unit[:, :, None] * unit[:, None, :]
        power = np.einsum("hii->hi", heard)
        order = np.argsort(-power, axis=1, kind="stable")
        damping = np.maximum(DAMPING * power.mean(axis=1), np.finfo(float).tiny)
        heard = heard + damping[:, None, None] * np.eye(power.shape[1])
        heard = np.take_along_axis(heard, order[:, :, None], axis=1)
        heard = np.take_along_axis(heard, order[:, None, :], axis=2)
        factor = np.linalg.cholesky(np.linalg.inv(heard)).swapaxes(1, 2)
        remaining = np.take_along_axis(target, order, axis=1)
        rounded = np.empty_like(remaining)
        for j in range(remaining.shape[1]):
            rounded[:, j] = np.clip(2.0 * np.floor(remaining[:, j] / 2.0) + 1.0, -limit, limit)
            error = (remaining[:, j] - rounded[:, j]) / factor[:, j, j]
            remaining[:, j + 1 :] -= factor[:, j, j + 1 :] * error[:, None]
        result = np.empty_like(target)
        np.put_along_axis(result, order, rounded, axis=1)
        return result


def _products(p: Complex, q: Complex, steps: int) -> Real:
    """Give the weighted products of the responses Re p**t, -Im p**t with those of q, all modes."""
    same = _heard(p[:, :, None], q[:, None, :], steps)
    opposite = _heard(p[:, :, None], q.conj()[:, None, :], steps)
    plus, minus = opposite + same, opposite - same
    return 0.5 * np.block([[plus.real, minus.imag], [-plus.imag, minus.real]])


def _heard(p: Complex, q: Complex, steps: int) -> Complex:
    """Give ``Σ_t (1 - t / steps) (p q)**t`` over the steps 0 … steps - 1."""
    z = p * q
    left = 1.0 - z
    heard: Complex = (1.0 - z * (1.0 - p**steps * q**steps) / (steps * left)) / left
    return heard
