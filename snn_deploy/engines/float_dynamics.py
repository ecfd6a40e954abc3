"""State-space dynamics over whole sequences, in float64: convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = [
    "convolve",
    "convolve_growing",
    "kernel_spectrum",
    "refuse_overflow",
    "response_spectrum",
    "ssm_kernel",
    "ssm_responses",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_FFT_BYTES = 2**22  # of the signals that one FFT works on
_LEAST_CHANNELS = 8  # side by side in memory: a cache line of them is read at once


def convolve(d: Real, u: Real, spectrum: Complex) -> Real:
    """Run a linear system over whole sequences u (B, L, H); give y, the same shape.

    Convolves with the system's impulse response by FFT, which agrees with the recurrence to about
    1e-15 of the largest output and costs O(L log L) instead of a Python loop over steps. A few
    channels at a time, so that what one FFT works on stays in the processor's cache.

    Parameters
    ----------
    d
        What passes straight through, (H,).
    spectrum
        The response's Fourier transform, of :func:`kernel_spectrum` or :func:`response_spectrum`.
    """
    y = d * u
    samples, steps, channels = u.shape
    for part in _groups(channels, samples * steps):
        transformed = np.fft.rfft(u[:, :, part].swapaxes(1, 2), n=_fft_size(steps))
        transformed *= spectrum[part]
        y[:, :, part] += np.fft.irfft(transformed, n=_fft_size(steps))[..., :steps].swapaxes(1, 2)
    return y


def kernel_spectrum(ssm: DiagonalSsm, steps: int) -> Complex:
    """Give the Fourier transform (H, size / 2 + 1) of the SSM's impulse response."""
    spectrum = np.empty((ssm.width, _fft_size(steps) // 2 + 1), dtype=np.complex128)
    for part in _groups(ssm.width, steps):
        spectrum[part] = response_spectrum(*ssm_responses(ssm, steps, part))
    return spectrum


def ssm_responses(
    ssm: DiagonalSsm, steps: int, part: slice = slice(None)
) -> tuple[Real, Real | None]:
    """Give the impulse responses of some channels: to the past (steps, H), to the future if any."""
    a, b, c = ssm.a[part], ssm.b[part], ssm.c[part]
    backward = None
    if ssm.c_reverse is not None and steps > 1:
        backward = ssm_kernel(a, b * ssm.c_reverse[part], steps - 1)
    return ssm_kernel(a, b * c, steps), backward


def convolve_growing(name: str, d: Real, u: Real, forward: Real, backward: Real | None) -> Real:
    """Do as :func:`convolve` does with responses that grow, tap by tap.

    A Fourier transform rounds every step to the largest one's precision, and would lose all that
    comes before the end. ``forward`` and ``backward`` are as for :func:`response_spectrum`.

    Raises
    ------
    DataError
        If node ``name`` grows beyond float64.
    """
    steps = u.shape[1]
    y = d * u
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
        for lag, weight in enumerate(forward):
            y[:, lag:] += weight * u[:, : steps - lag]
        for lead, weight in enumerate(() if backward is None else backward, start=1):
            y[:, : steps - lead] += weight * u[:, lead:]
    refuse_overflow(name, y)
    return y


def refuse_overflow(name: str, values: Real | Complex) -> None:
    """Refuse what grew beyond float64 at node ``name``.

    Raises
    ------
    DataError
        Saying so: whatever came after it would be a guess.
    """
    if not np.isfinite(values).all():
        raise DataError(
            f"node '{name}' is unstable and grows beyond float64 over these sequences: give "
            "shorter ones"
        )


def response_spectrum(forward: Real, backward: Real | None) -> Complex:
    """Give the Fourier transform (H, size / 2 + 1) of an impulse response over L steps.

    forward (L, H) weighs u[t], u[t - 1], …; backward (L - 1, H) weighs u[t + 1], u[t + 2], ….
    """
    steps, channels = forward.shape
    size = _fft_size(steps)
    response = np.zeros((channels, size))
    response[:, :steps] = forward.T
    if backward is not None:
        # step -1 - j of the circular kernel reaches u[t + 1 + j]
        response[:, size - steps + 1 :] = backward.T[:, ::-1]
    return np.fft.rfft(response)


def _groups(channels: int, values: int) -> Iterator[slice]:
    """Split channels of so many values each."""
    size = max(_LEAST_CHANNELS, _FFT_BYTES // (16 * values))
    return (slice(first, first + size) for first in range(0, channels, size))


def ssm_kernel(a: Complex, gain: Complex, steps: int) -> Real:
    """Give the impulse response ``k[j] = 2 Re Σ_n gain_n a_n**j``, (steps, H); a, gain (H, N).

    With j = q m + r the sum is a matrix product over n of (gain a**(q m)) and a**r, so that no
    array of steps × modes is ever held; real and imaginary parts make one real product.
    """
    stride = math.isqrt(steps - 1) + 1
    fine = _powers(a, stride)
    coarse = 2.0 * gain[..., None] * _powers(fine[..., -1] * a, stride)
    left = np.concatenate([coarse.real, -coarse.imag], axis=1).swapaxes(1, 2)
    right = np.concatenate([fine.real, fine.imag], axis=1)
    return np.asarray((left @ right).reshape(len(a), -1)[:, :steps].T)


def _powers(a: Complex, count: int) -> Complex:
    """Give a**0 … a**(count - 1) along a new last axis, each from about log2 products."""
    powers = np.ones((*a.shape, count), dtype=np.complex128)
    known, factor = 1, a
    while known < count:
        more = min(known, count - known)
        powers[..., known : known + more] = powers[..., :more] * factor[..., None]
        known, factor = known + more, factor * factor
    return powers


def _fft_size(steps: int) -> int:
    """Give a power of two that holds two sequences, so that nothing wraps around."""
    return 1 << (2 * steps - 1).bit_length()
