"""Fitting a state-space model's readout to its rounded decays.

A mode whose decay was rounded from ``a`` to ``q`` forgets a little too slowly or too fast, and the
longer the worse. Its neighbours can make that good: the readouts are moved, as little as possible,
so that the impulse response ``k[t] = Re Σ_n c_n a_n**t`` of the float network comes out again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.quantize.compensation import damped, round_compensated

__all__ = ["ReadoutCorrection"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

RIDGE = 1e-3  # how dear it is to move a readout, relative to the power of its mode's response
FAINTEST = 1e-6  # of a channel's strongest response: fainter ones are as dear to move as this


@dataclass(frozen=True)
class ReadoutCorrection:
    """Moves readouts (H, N) from decays ``a`` to ``q`` by least squares.

    The error counts as often as it occurs: an impulse response's step t does ``steps - t``
    times in a sequence of ``steps``. ``gram`` (H, 2 N, 2 N) holds the products of the responses of
    ``q``, real and imaginary parts of all modes, and ``cross`` those with the responses of ``a``.
    """

    gram: Real
    cross: Real

    @classmethod
    def of(cls, a: Complex, q: Complex, steps: int) -> ReadoutCorrection:
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
        corrected: Complex = readout + change[:, :modes] + 1j * change[:, modes:]
        return corrected

    def round(self, target: Real, unit: Real, limit: int) -> Real:
        """Round readouts to odd integers up to ``limit``, each error made good by the others.

        What is to change least is the impulse response: see ``compensation``.

        Parameters
        ----------
        target
            Real and imaginary parts (H, 2 N), in units of the integers.
        unit
            What a response is multiplied by that such an integer scales, (H, 2 N).
        """

        def nearest(values: Real) -> Real:
            return np.asarray(np.clip(2.0 * np.floor(values / 2.0) + 1.0, -limit, limit))

        metric = damped(self.gram * unit[:, :, None] * unit[:, None, :])
        return round_compensated(target[:, None, :], metric, nearest)[:, 0, :]


def _products(p: Complex, q: Complex, steps: int) -> Real:
    """Give the weighted products of the responses Re p**t, -Im p**t with those of q, all modes."""
    same = _weighted_sum(p[:, :, None], q[:, None, :], steps)
    opposite = _weighted_sum(p[:, :, None], q.conj()[:, None, :], steps)
    plus, minus = opposite + same, opposite - same
    return 0.5 * np.block([[plus.real, minus.imag], [-plus.imag, minus.real]])


def _weighted_sum(p: Complex, q: Complex, steps: int) -> Complex:
    """Give ``Σ_t (1 - t / steps) (p q)**t`` over the steps 0 … steps - 1."""
    z = p * q
    left = 1.0 - z
    total: Complex = (1.0 - z * (1.0 - p**steps * q**steps) / (steps * left)) / left
    return total
