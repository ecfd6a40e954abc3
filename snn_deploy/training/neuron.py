"""Spiking neurons for training: their spikes, and a gradient without a loop over time.

The reset makes the neuron sequential: whether it spikes at a step depends on whether it did before.
The spikes therefore come from a compiled loop. With the spikes known, the membrane
``v[t] = decay * (1 - s[t-1]) * v[t-1] + x[t]`` is a linear recurrence that needs no loop: every
round of :func:`membrane` doubles its reach, and with a decay of 1/8 three rounds reach 8 steps
back, beyond which ``8**-8`` is below float32's resolution. Through this form the gradient passes.

The gradient takes a spike for the arctangent of its membrane (Fang et al., ICCV 2021,
"Incorporating learnable membrane time constant"); that an earlier spike has reset the membrane is
taken as given and has no gradient of its own (Zenke and Vogels 2021).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from snn_deploy.engines.native.abi import FireTask, address
from snn_deploy.engines.native.library import load_target

__all__ = ["fire", "membrane", "pass_gradient", "surrogate", "ternary_surrogate"]

_RESOLUTION = 2.0**-24  # float32's: what weighs less does not change a sum


def membrane(drive: Tensor, spikes: Tensor, decay: float) -> Tensor:
    """Give the membrane before its reset, (B, L, H), from the drive and the known spikes."""
    keep = decay * (1.0 - _later(spikes, 1))
    v, reach = drive, 1
    while reach < drive.shape[1] and decay**reach > _RESOLUTION:
        v = v + keep * _later(v, reach)
        keep = keep * _later(keep, reach)
        reach *= 2
    return v


def fire(drive: Tensor, decay: float) -> Tensor:
    """Give the exact neuron's spikes, 0 or 1, for a drive (B, L, H) in units of the threshold."""
    signal = np.ascontiguousarray(drive.detach().numpy())
    spikes = np.zeros_like(signal)
    task = FireTask(address(signal), address(spikes), *signal.shape, decay)
    load_target().fire(task, signal.dtype == np.float32)
    return torch.from_numpy(spikes)


def pass_gradient(drive: Tensor, spikes: Tensor, decay: float) -> Tensor:
    """Give ``spikes`` as they are, with a gradient that reaches ``drive``."""
    return surrogate(membrane(drive, spikes, decay) - 1.0, spikes)


def surrogate(above: Tensor, spikes: Tensor) -> Tensor:
    """Give ``spikes`` as they are, with the gradient of how far a neuron is ``above`` its level."""
    smooth = torch.atan(math.pi * above) / math.pi
    return spikes + (smooth - smooth.detach())


def ternary_surrogate(x: Tensor, level: Tensor | float, spikes: Tensor | None = None) -> Tensor:
    """Give ternary spikes of x, or those given, with a gradient from either of their levels."""
    if spikes is None:
        spikes = (x >= level).to(x.dtype) - (x <= -level).to(x.dtype)
    smooth = (torch.atan(math.pi * (x - level)) + torch.atan(math.pi * (x + level))) / math.pi
    return spikes + (smooth - smooth.detach())


def _later(x: Tensor, steps: int) -> Tensor:
    """Delay x (B, L, H) by ``steps``; what comes before the sequence is 0."""
    return torch.nn.functional.pad(x[:, :-steps], (0, 0, steps, 0))
