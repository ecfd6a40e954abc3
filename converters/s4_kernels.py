"""S4's kernel parameterisations, discretised: stored parameters -> a, b, c of a diagonal SSM.

Two layouts exist in SpikingSSM checkpoints. With fixed B (= 1): ``log_dt, C, log_A_real, A_imag``
and A = -exp(log_A_real) + i A_imag. With trainable B, S4's own diagonal kernel: ``inv_dt, C, B,
A_real, A_imag`` and A = -f(A_real) - i g(A_imag) (note the sign), dt = h(inv_dt), with f, g, h and
the discretisation chosen by the configuration. Sources: the SpikingSSM authors' code
(github.com/shenshuaijie/SDN) and S4's ``SSMKernelDiag`` (github.com/state-spaces/s4, version 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.s4_config import KernelOptions
from snn_deploy.converters.weights import Weights

__all__ = ["ContinuousSsm", "Discrete", "discretise", "positive", "read_kernel"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# S4 adds this to relu so that dt and the decay never become 0.
_RELU_FLOOR = 1e-4


@dataclass(frozen=True)
class ContinuousSsm:
    """A diagonal SSM per channel before discretisation.

    ``x' = pole * x + b * u``, ``y = 2 Re(c · x)``. Shapes: pole and b (H, N); dt (H, 1) or (H, N);
    c (rows, H, N), row 1 for the time-reversed half of a bidirectional layer.
    """

    pole: Complex
    b: Complex
    dt: Real
    c: Complex


@dataclass(frozen=True)
class Discrete:
    """``h[t] = a * h[t-1] + b * u[t]``; a and b (H, N)."""

    a: Complex
    b: Complex


def read_kernel(
    weights: Weights, prefix: str, channels: int, layer: KernelOptions, trainable_b: bool
) -> ContinuousSsm:
    """Take one layer's kernel parameters from under ``prefix`` (which ends in a dot)."""
    if trainable_b:
        return _with_trainable_b(weights, prefix, channels, layer)
    return _with_fixed_b(weights, prefix, channels, layer)


def discretise(ssm: ContinuousSsm, disc: str) -> Discrete:
    """Turn steps of length dt into steps of length 1: zero-order hold, bilinear, or DSS.

    DSS (Gupta et al. 2022) further divides c by ``pole * (a**L - 1)``, which needs the number of
    steps L: see :class:`~snn_deploy.nodes.ssm.DssSsm`.
    """
    step = ssm.dt * ssm.pole
    if disc == "dss":
        return Discrete(a=np.exp(step), b=ssm.b * np.expm1(step))
    if disc == "bilinear":
        return Discrete(
            a=(1 + step / 2) / (1 - step / 2),
            b=ssm.b * ssm.dt / (1 - step / 2),
        )
    return Discrete(a=np.exp(step), b=ssm.b * np.expm1(step) / ssm.pole)


def _with_fixed_b(
    weights: Weights, prefix: str, channels: int, layer: KernelOptions
) -> ContinuousSsm:
    rows, modes = _rows(layer), layer.d_state // 2
    names = [f"{prefix}{name}" for name in ("C", "log_dt", "log_A_real", "A_imag")]
    weights.require(names)
    c, log_dt, log_real, imag = names
    pole = -np.exp(weights.real(log_real, (channels, modes))) + 1j * weights.real(
        imag, (channels, modes)
    )
    return ContinuousSsm(
        pole=np.asarray(pole, dtype=np.complex128),
        b=np.ones((channels, modes), dtype=np.complex128),
        dt=np.exp(weights.real(log_dt, (channels,)))[:, None],
        c=_output_weights(weights, c, rows, channels, modes),
    )


def _output_weights(weights: Weights, key: str, rows: int, channels: int, modes: int) -> Complex:
    """Take C; S4's stand-alone kernel has no axis of rows."""
    if rows == 1 and len(weights.shape(key)) == 3:
        return weights.complex_pairs(key, (channels, modes))[None]
    return weights.complex_pairs(key, (rows, channels, modes))


def _with_trainable_b(
    weights: Weights, prefix: str, channels: int, layer: KernelOptions
) -> ContinuousSsm:
    rows, copies = _rows(layer), layer.n_ssm or channels
    modes = layer.d_state if layer.is_real else layer.d_state // 2
    names = ["inv_dt", "C", "B", "A_real"] + ([] if layer.is_real else ["A_imag"])
    weights.require(f"{prefix}{name}" for name in names)

    take: Callable[[str, tuple[int | None, ...]], Real | Complex]
    take = weights.real if layer.is_real else weights.complex_pairs
    b = take(f"{prefix}B", (1, copies, modes))[0].astype(np.complex128)
    c = take(f"{prefix}C", (rows, channels, modes))
    real = weights.real(f"{prefix}A_real", (copies, modes))
    pole = -positive(real, layer.real_transform) + 0j
    if not layer.is_real:
        imag = weights.real(f"{prefix}A_imag", (copies, modes))
        pole = pole - 1j * positive(imag, layer.imag_transform)

    dt_columns = 1 if layer.dt_tie else layer.d_state // 2
    inv_dt = weights.real(f"{prefix}inv_dt", (channels, dt_columns))
    dt = positive(np.sinh(inv_dt) if layer.dt_fast else inv_dt, layer.dt_transform)
    # head h uses SSM h mod n_ssm
    pole, b = (np.tile(x, (channels // copies, 1)) for x in (pole, b))
    return ContinuousSsm(pole=pole, b=b, dt=dt, c=_band_limited(c, dt, pole, layer.bandlimit))


def _rows(layer: KernelOptions) -> int:
    return 2 if layer.bidirectional else 1


def positive(parameter: Real, transform: str) -> Real:
    """Apply S4's map from a stored parameter to a (normally) positive number."""
    if transform == "exp":
        return np.exp(parameter)
    if transform == "relu":
        return np.maximum(parameter, 0.0) + _RELU_FLOOR
    if transform == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-parameter)))
    if transform == "softplus":
        return np.logaddexp(0.0, parameter)
    return parameter


def _band_limited(c: Real | Complex, dt: Real, pole: Complex, bandlimit: float | None) -> Complex:
    """Silence the modes that turn too fast for the sampling rate: dt |Im A| / 2π >= limit / 2."""
    gain = c.astype(np.complex128)
    if bandlimit is None:
        return gain
    frequency = dt * np.abs(pole.imag) / (2 * np.pi)
    return np.where(frequency < bandlimit / 2, gain, 0.0)
