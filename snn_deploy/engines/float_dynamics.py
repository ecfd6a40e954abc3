"""The two dynamics of a float network, in float64: state-space convolution and firing neurons."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.float_nodes import DiagonalSsm, SurrogateWeights

__all__ = ["convolve_ssm", "fire_exact", "fire_surrogate", "ssm_kernel"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


def convolve_ssm(ssm: DiagonalSsm, u: Real) -> Real:
    """Run a diagonal SSM over whole sequences u (B, L, H); give y, the same shape.

    Convolves with the SSM's impulse response by FFT, which agrees with the recurrence to about
    1e-15 of the largest output and costs O(L log L) instead of a Python loop over steps.
    """
    steps = u.shape[1]
    size = _fft_size(steps)
    response = np.zeros((size, ssm.width))
    response[:steps] = ssm_kernel(ssm.a, ssm.b * ssm.c, steps)
    if ssm.c_reverse is not None and steps > 1:
        # step -1 - j of the circular kernel reaches u[t + 1 + j]
        backward = ssm_kernel(ssm.a, ssm.b * ssm.c_reverse, steps - 1)
        response[size - steps + 1 :] = backward[::-1]
    spectrum = np.fft.rfft(response, axis=0) * np.fft.rfft(u, n=size, axis=1)
    return np.fft.irfft(spectrum, n=size, axis=1)[:, :steps] + ssm.d * u


def ssm_kernel(a: Complex, gain: Complex, steps: int) -> Real:
    """Give the impulse response ``k[j] = 2 Re Σ_n gain_n a_n**j``, (steps, H); a, gain (H, N).

    With j = q m + r the sum is a matrix product over n of (gain a**(q m)) and a**r, so that no
    array of steps × modes is ever held.
    """
    stride = math.isqrt(steps - 1) + 1
    fine = a[:, :, None] ** np.arange(stride)
    leap = a**stride
    coarse = gain[:, None, :] * leap[:, None, :] ** np.arange(stride)[:, None]
    kernel = 2.0 * (coarse @ fine).real
    return np.ascontiguousarray(kernel.reshape(len(a), -1)[:, :steps].T)


def fire_exact(drive: Real, decay: float) -> Real:
    """Run leaky integrate-and-fire neurons on drive (B, L, H); give their spikes, 0 or 1.

    ``v = decay * v + drive[t]``; a spike where ``v >= 1``, which resets v to 0.
    """
    spikes = np.empty_like(drive)
    v = np.zeros((drive.shape[0], drive.shape[2]))
    for t in range(drive.shape[1]):
        v = decay * v + drive[:, t]
        fired = v >= 1.0
        spikes[:, t] = fired
        v[fired] = 0.0
    return spikes


def fire_surrogate(drive: Real, net: SurrogateWeights) -> Real:
    """Run the surrogate neuron on drive (B, L, H): spikes where ``net(drive) + drive >= 1``."""
    taps = net.conv1_weight.shape[1]
    past = np.pad(drive[:, :-1], ((0, 0), (taps, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(past, taps, axis=1)
    hidden = windows.reshape(-1, taps) @ net.conv1_weight.T + net.conv1_bias
    np.maximum(hidden, 0.0, out=hidden)
    hidden += hidden @ net.conv2_weight.T + net.conv2_bias
    np.maximum(hidden, 0.0, out=hidden)
    membrane = (hidden @ net.conv3_weight + net.conv3_bias).reshape(drive.shape)
    return (membrane + drive - 1.0 >= 0.0).astype(np.float64)


def _fft_size(steps: int) -> int:
    """Give a power of two that holds two sequences, so that nothing wraps around."""
    return 1 << (2 * steps - 1).bit_length()
