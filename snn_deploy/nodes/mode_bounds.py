"""Worst cases of complex modes: how large compartments get, and what a readout picks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp

if TYPE_CHECKING:
    from snn_deploy.nodes.dendrite import ModeBank

__all__ = ["contribution_bound", "projection_bound", "state_bound"]

Magnitude = npt.NDArray[np.float64]

HARMONICS = 16  # terms of |cos|'s Fourier series that are told apart from the rest


def state_bound(bank: ModeBank, x: Magnitude) -> Magnitude:
    """Bound a bank's compartments, (H, N), for inputs of magnitude x (H,).

    ``|h| <= Σ_j |a|**j (|in| + e) = (|in| + e) / (1 - |a|)``, where e is the most that a step's
    roundings can add: half a unit for each of four products, as a complex number sqrt(2), or for
    each of two sums; and half a unit for an input that is shifted right.
    """
    modulus = np.abs(bank.decay)
    return np.asarray((_entering(bank, x) + _roundings(bank)) / (1.0 - modulus))


def contribution_bound(bank: ModeBank, x: Magnitude) -> Magnitude:
    """Bound what each of a bank's modes adds to its channel's drive, (H, N)."""
    readout = np.hypot(bank.readout_real, bank.readout_imag)
    gain = readout / 2.0 ** bank.readout_shift.astype(float)
    roundings = 0.5 if bank.rounds_once else 1.0  # half a unit each
    contribution: Magnitude = projection_bound(bank, x) * gain + roundings * (gain > 0)
    return contribution


def projection_bound(bank: ModeBank, x: Magnitude) -> Magnitude:
    """Bound what a readout of modulus 1, whatever its phase, picks of a bank's modes, (H, N).

    It picks a turning mode only in part: ``Σ_j |a|**j |cos(j angle + phase)| |in|``, about 2/π of
    the state's bound. A state that may clip turns no more; it can fill both compartments.
    """
    modulus = np.abs(bank.decay)
    limit = fp.limit_of(bank.state_bits)
    picked = _entering(bank, x) * _rotation_sum(bank.decay) + _roundings(bank) / (1.0 - modulus)
    state = state_bound(bank, x)
    return np.minimum(state, np.where(state <= limit, picked, np.sqrt(2.0) * limit))


def _entering(bank: ModeBank, x: Magnitude) -> Magnitude:
    shift = bank.input_shift.astype(np.float64)
    return np.asarray(x[:, None] * 2.0**shift + np.where(shift < 0, 0.5, 0.0))


def _roundings(bank: ModeBank) -> Magnitude:
    return np.where(bank.decay != 0, np.sqrt(0.5 if bank.rounds_once else 2.0), 0.0)


def _rotation_sum(decay: npt.NDArray[np.complex128]) -> Magnitude:
    """Bound ``Σ_j |a|**j |cos(j angle + phase)|`` for every phase.

    With ``|cos x| = 2/π + 4/π Σ_k ± cos(2 k x) / (4 k² - 1)`` each term is a geometric series,
    ``Σ_j |a|**j cos(2 k (j angle + phase)) <= 1 / |1 - |a| exp(2 i k angle)|``. The terms beyond
    ``HARMONICS`` add up to at most what is left of the series at x = 0, times ``1 / (1 - |a|)``.
    """
    modulus, angle = np.abs(decay), np.angle(decay)
    whole = 1.0 / (1.0 - modulus)
    bound = (2.0 / np.pi) * (1.0 + 1.0 / (2 * HARMONICS + 1)) * whole
    for k in range(1, HARMONICS + 1):
        turned = np.abs(1.0 - modulus * np.exp(2j * k * angle))
        bound = bound + (4.0 / np.pi) / (4 * k * k - 1) / turned
    return np.asarray(np.minimum(bound, whole))
