"""State-space kernels as PyTorch sees them: stored parameters -> a, b, c, and the convolution.

The formulas are those of ``converters/s4_kernels.py`` and ``engines/float_dynamics.py``, written
once more because a gradient has to pass through them; that both agree on a checkpoint is checked
before any training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from snn_deploy.converters.s4_config import KernelOptions

__all__ = ["convolve", "discrete_ssm"]

Parameters = Mapping[str, Tensor]

_RELU_FLOOR = 1e-4  # S4's

_TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "exp": torch.exp,
    "relu": lambda x: torch.relu(x) + _RELU_FLOOR,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
}


def discrete_ssm(
    parameters: Parameters, prefix: str, layer: KernelOptions, trainable_b: bool
) -> dict[str, Tensor]:
    """Give a, b, c and, for a bidirectional layer, c_reverse of a DiagonalSsm, (H, N) complex."""
    read = _with_trainable_b if trainable_b else _with_fixed_b
    pole, b, dt, c = read(parameters, prefix, layer)
    step = dt * pole
    if layer.disc == "bilinear":
        fields = {"a": (1 + step / 2) / (1 - step / 2), "b": b * dt / (1 - step / 2)}
    else:
        fields = {"a": torch.exp(step), "b": b * torch.expm1(step) / pole}
    reverse = {"c_reverse": c[1]} if layer.bidirectional else {}
    return fields | {"c": c[0]} | reverse


def _with_fixed_b(
    parameters: Parameters, prefix: str, layer: KernelOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    real, imag = (parameters[f"{prefix}{name}"] for name in ("log_A_real", "A_imag"))
    pole = torch.complex(-torch.exp(real), imag)
    dt = torch.exp(parameters[f"{prefix}log_dt"])[:, None]
    c = _pairs(parameters[f"{prefix}C"])
    return pole, torch.ones_like(pole), dt, c if c.ndim == 3 else c[None]  # S4D's has no rows


def _with_trainable_b(
    parameters: Parameters, prefix: str, layer: KernelOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    b, c = (_complex(parameters[f"{prefix}{name}"], layer) for name in ("B", "C"))
    real = -_TRANSFORMS[layer.real_transform](parameters[f"{prefix}A_real"])
    imag = torch.zeros_like(real)
    if not layer.is_real:
        imag = -_TRANSFORMS[layer.imag_transform](parameters[f"{prefix}A_imag"])
    inv_dt = parameters[f"{prefix}inv_dt"]
    dt = _TRANSFORMS[layer.dt_transform](torch.sinh(inv_dt) if layer.dt_fast else inv_dt)
    copies = dt.shape[0] // real.shape[0]  # head h uses SSM h mod n_ssm
    pole, b = torch.complex(real, imag).repeat(copies, 1), b[0].repeat(copies, 1)
    if layer.bandlimit is not None:
        slow = dt * pole.imag.abs() / (2 * math.pi) < layer.bandlimit / 2
        c = torch.where(slow, c, torch.zeros_like(c))
    return pole, b, dt, c


def _complex(parameter: Tensor, layer: KernelOptions) -> Tensor:
    if layer.is_real:
        return torch.complex(parameter, torch.zeros_like(parameter))
    return _pairs(parameter)


def _pairs(parameter: Tensor) -> Tensor:
    return torch.complex(parameter[..., 0], parameter[..., 1])


def convolve(fields: Parameters, u: Tensor) -> Tensor:
    """Run a DiagonalSsm with ``fields`` over u (B, L, H): an FFT, no loop over time."""
    steps = u.shape[1]
    size = 1 << (2 * steps - 1).bit_length()  # nothing wraps around
    response = _padded(_kernel(fields["a"], fields["b"] * fields["c"], steps), size)
    if "c_reverse" in fields and steps > 1:
        backward = _kernel(fields["a"], fields["b"] * fields["c_reverse"], steps - 1)
        # step -1 - j of the circular kernel reaches u[t + 1 + j]
        response = response + _padded(backward, size).flip(0)
    spectrum = torch.fft.rfft(response, dim=0) * torch.fft.rfft(u, n=size, dim=1)
    return torch.fft.irfft(spectrum, n=size, dim=1)[:, :steps] + fields["d"] * u


def _kernel(a: Tensor, gain: Tensor, steps: int) -> Tensor:
    """Give ``k[j] = 2 Re Σ_n gain_n a_n**j``, (steps, H), without an array of steps x modes."""
    stride = math.isqrt(steps - 1) + 1
    j = torch.arange(stride, dtype=a.real.dtype)
    log_a = torch.log(a)
    fine = torch.exp(log_a[:, :, None] * j)
    coarse = gain[:, None, :] * torch.exp(log_a[:, None, :] * (stride * j)[:, None])
    return 2.0 * (coarse @ fine).real.reshape(len(a), -1)[:, :steps].T


def _padded(kernel: Tensor, size: int) -> Tensor:
    return torch.nn.functional.pad(kernel, (0, 0, 0, size - len(kernel)))
