"""A family's float network in torch, as its recurrence: what a researcher runs step by step.

Nodes without memory work on whole sequences, as in training; those with one loop over steps, all
sequences side by side. No gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_deploy.ir.network import Network
from snn_deploy.nodes.adaptive_lif import AdaptiveLif
from snn_deploy.nodes.adaptive_threshold import AdaptiveThreshold
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.nplr_ssm import NplrSsm
from snn_deploy.nodes.padding_mask import PaddingMask
from snn_deploy.nodes.refractory_lif import RefractoryLif
from snn_deploy.nodes.resonate_and_fire import ResonateAndFire
from snn_deploy.nodes.softmax_sum import SoftmaxSum
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.stochastic_spikes import StochasticSpikes
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.nodes.threshold import Threshold
from snn_deploy.training.operations import OPERATIONS

__all__ = ["Recurrence"]

Numbers = dict[str, Tensor]
Step = Callable[[Tensor], Tensor]


class Recurrence:
    """A float network as a call, from inputs (B, L, C) and lengths (B,) to its answer."""

    def __init__(self, network: Network, dtype: torch.dtype = torch.float32) -> None:
        self.network, self.dtype = network, dtype
        self.numbers = {node.name: _numbers(node, dtype) for node in network}

    @torch.inference_mode()
    def __call__(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        signals: dict[str, Tensor] = {}
        draws: dict[int, Tensor] = {}
        for node in self.network:
            read = [signals[edge.source] for edge in node.inputs] or [inputs]
            numbers = self.numbers[node.name]
            if node.is_input:
                signal = inputs
            elif isinstance(node, StochasticSpikes):
                drawn = draws.setdefault(node.draw, torch.rand_like(read[0]))
                signal = (read[0] > drawn).to(self.dtype)
            elif isinstance(node, PaddingMask):
                valid = torch.arange(inputs.shape[1]) < lengths[:, None]
                signal = read[0] * valid[..., None]
            elif type(node) in WHOLE:
                signal = WHOLE[type(node)](node, numbers, read[0])
            elif type(node) in STEPS:
                signal = _steps(STEPS[type(node)](node, numbers, read[0]), read[0])
            else:
                signal = OPERATIONS[type(node)](node, numbers, read, lengths)
            signals[node.name] = signal
        return signal


def _numbers(node: Any, dtype: torch.dtype) -> Numbers:
    arrays = {f.name: getattr(node, f.name) for f in fields(node)}
    return {
        name: torch.from_numpy(array).to(dtype.to_complex() if np.iscomplexobj(array) else dtype)
        for name, array in arrays.items()
        if isinstance(array, np.ndarray)
    }


def _steps(step: Step, x: Tensor) -> Tensor:
    return torch.stack([step(row) for row in x.unbind(1)], dim=1)


def _ternary(node: Ternary, numbers: Numbers, x: Tensor) -> Tensor:
    level = node.fraction * x.abs().amax(dim=-1, keepdim=True)
    return (x >= level).to(x.dtype) - (x <= -level).to(x.dtype)


def _threshold(node: Threshold, numbers: Numbers, x: Tensor) -> Tensor:
    level = numbers["level"]
    return (x >= level if node.inclusive else x > level).to(x.dtype)


def _adaptive_threshold(node: AdaptiveThreshold, numbers: Numbers, x: Tensor) -> Tensor:
    crossed, threshold = (x >= node.base).to(x.dtype), torch.full_like(x, node.base)
    for lag, rise in enumerate(node.rise, start=1):
        threshold[:, lag:] += float(rise) * crossed[:, :-lag]
    return (x >= threshold).to(x.dtype)


def _softmax_sum(node: SoftmaxSum, numbers: Numbers, x: Tensor) -> Tensor:
    return x.softmax(dim=-1).sum(dim=1)


def _ssm(node: DiagonalSsm | NplrSsm, n: Numbers, x: Tensor) -> Tensor:
    y = n["d"] * x
    y += _steps(_modes(node, n, n["c"], x), x)
    if "c_reverse" in n:  # strictly the future
        later = x[:, 1:].flip(1)
        y[:, :-1] += _steps(_modes(node, n, n["c_reverse"], x), later).flip(1)
    return y


def _modes(node: DiagonalSsm | NplrSsm, n: Numbers, c: Tensor, x: Tensor) -> Step:
    a, b = n["a"], n["b"]
    h = torch.zeros(len(x), *b.shape, dtype=b.dtype)

    def step(row: Tensor) -> Tensor:
        nonlocal h
        entering = row.to(b.dtype)[..., None]
        if isinstance(node, NplrSsm):
            h = torch.einsum("hmn,bhn->bhm", a, h).addcmul_(b, entering)
            return (c * h).sum(-1).real
        h.mul_(a).addcmul_(b, entering)
        return 2 * (c * h).sum(-1).real

    return step


def _lif(node: Lif, n: Numbers, x: Tensor) -> Step:
    v = torch.zeros_like(x[:, 0])

    def step(row: Tensor) -> Tensor:
        nonlocal v
        v = node.decay * v + row / n["threshold"]
        fired = (v >= 1).to(x.dtype)
        v = v * (1 - fired)
        return fired

    return step


def _refractory(node: RefractoryLif, n: Numbers, x: Tensor) -> Step:
    v = r = torch.zeros_like(x[:, 0])

    def step(row: Tensor) -> Tensor:
        nonlocal v, r
        v = node.decay * v + row - r
        fired = (v >= n["threshold"]).to(x.dtype)
        r = node.refractory_decay * r + n["strength"] * fired
        return fired

    return step


def _adaptive(node: AdaptiveLif, n: Numbers, x: Tensor) -> Step:
    alpha, beta, a, b = (n[name] for name in ("alpha", "beta", "a", "b"))
    w = u = s = torch.zeros_like(x[:, 0])

    def step(row: Tensor) -> Tensor:
        nonlocal w, u, s
        w = beta * w + a * u + b * s
        u = alpha * (u - s) + (1 - alpha) * (row - w)
        s = (u > 1).to(x.dtype)
        return s

    return step


def _resonator(node: ResonateAndFire, n: Numbers, x: Tensor) -> Step:
    pole, gain, reset = (n[name] for name in ("pole", "gain", "reset"))
    u, s = torch.zeros_like(x[:, 0]).to(pole.dtype), torch.zeros_like(x[:, 0])

    def step(row: Tensor) -> Tensor:
        nonlocal u, s
        u = pole * u + gain * row - reset * s
        s = (u.real > 1).to(x.dtype)
        return s

    return step


WHOLE: dict[type, Callable[[Any, Numbers, Tensor], Tensor]] = {
    AdaptiveThreshold: _adaptive_threshold,
    DiagonalSsm: _ssm,
    NplrSsm: _ssm,
    SoftmaxSum: _softmax_sum,
    Ternary: _ternary,
    Threshold: _threshold,
}
STEPS: dict[type, Callable[[Any, Numbers, Tensor], Step]] = {
    AdaptiveLif: _adaptive,
    Lif: _lif,
    RefractoryLif: _refractory,
    ResonateAndFire: _resonator,
}
