"""The float network in torch, written from its equations: what a researcher would run instead.

A layer's SSM is a convolution by FFT with its impulse response, its neuron either the exact leaky
integrate-and-fire loop over steps or the surrogate, three small convolutions over time, with which
SpikingSSM is trained and evaluated. float32, no gradients, every core that torch is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv1d, glu, linear, relu

from snn_deploy.ir.network import Network
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.ssm import DiagonalSsm

Neuron = Literal["surrogate", "exact"]
TAPS = 8  # of the surrogate's first convolution, as many as it has hidden channels


def _tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


class Convolution(nn.Module):
    """``y = k * x + d x`` by FFT, on (B, H, L); k has a second half where time runs both ways.

    The kernel's spectrum is computed once and kept: the least that a convolution can take.
    """

    def __init__(self, ssm: DiagonalSsm, steps: int) -> None:
        super().__init__()
        self.size = 2 * steps
        kernel = np.zeros((ssm.width, self.size))
        kernel[:, :steps] = _impulse(ssm.a, ssm.b * ssm.c, steps)
        if ssm.c_reverse is not None:  # step -1 - j reaches x[t + 1 + j]
            kernel[:, steps + 1 :] = _impulse(ssm.a, ssm.b * ssm.c_reverse, steps - 1)[:, ::-1]
        self.register_buffer("spectrum", torch.fft.rfft(_tensor(kernel)))
        self.register_buffer("skip", _tensor(ssm.d)[:, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(x, n=self.size) * self.spectrum
        return torch.fft.irfft(spectrum, n=self.size)[..., : x.shape[-1]] + self.skip * x


def _impulse(a: Any, gain: Any, steps: int) -> Any:
    """``2 Re Σ_n gain_n a_n**j``, (H, steps), one mode after another."""
    kernel = np.zeros((len(a), steps))
    exponents = np.arange(steps)
    for mode in range(a.shape[1]):
        kernel += 2.0 * (gain[:, mode, None] * a[:, mode, None] ** exponents).real
    return kernel


class ExactLif(nn.Module):
    """``v = v/8 + y``; a spike where ``v >= 1``, which resets v: a loop over steps."""

    def forward(self, drive: torch.Tensor) -> torch.Tensor:
        membrane = torch.zeros_like(drive[..., 0])
        spikes = torch.empty_like(drive)
        for step, current in enumerate(drive.unbind(-1)):
            membrane = membrane / 8 + current
            fired = (membrane >= 1).to(drive.dtype)
            membrane = membrane * (1 - fired)
            spikes[..., step] = fired
        return spikes


class SurrogateLif(nn.Module):
    """Spikes where ``net(y) + y >= 1``; net is three convolutions over the last steps.

    Its weights do not matter for its time, and are random.
    """

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        shapes = ((TAPS, 1, TAPS), (TAPS, TAPS, 1), (1, TAPS, 1))
        self.weights = nn.ParameterList(
            0.1 * torch.randn(shape, generator=generator) for shape in shapes
        )

    def forward(self, drive: torch.Tensor) -> torch.Tensor:
        first, second, third = self.weights
        flat = drive.reshape(-1, 1, drive.shape[-1])
        past = nn.functional.pad(flat, (TAPS, 0))[..., :-1]
        hidden = relu(conv1d(past, first))
        hidden = relu(conv1d(hidden, second) + hidden)
        membrane = conv1d(hidden, third).reshape(drive.shape)
        return (membrane + drive - 1 >= 0).to(drive.dtype)


class Peer(nn.Module):
    """A float network of :func:`workloads.float_network`, from (B, L, 1) to class scores."""

    def __init__(self, network: Network, steps: int, neuron: Neuron) -> None:
        super().__init__()
        self.encoder, *mixes = (_weights(node) for node in network.of_kind(Linear))
        self.mixes = mixes
        (readout,) = network.of_kind(Readout)
        self.decoder = _weights(readout)
        ssms = network.of_kind(DiagonalSsm)
        self.convolutions = nn.ModuleList(Convolution(ssm, steps) for ssm in ssms)
        self.neuron = SurrogateLif() if neuron == "surrogate" else ExactLif()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = linear(x, *self.encoder).transpose(1, 2)
        for convolve, (weight, bias) in zip(self.convolutions, self.mixes, strict=True):
            spikes = self.neuron(convolve(h))
            h = h + glu(conv1d(spikes, weight[..., None], bias), dim=1)
        return linear(h.mean(-1), *self.decoder)


def _weights(node: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return _tensor(node.weight), _tensor(node.bias)


def peers(network: Network, batch: int, steps: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Give the float network's forms as calls, on random data of (batch, steps)."""
    data = torch.rand((batch, steps, 1), generator=torch.Generator().manual_seed(0))
    stream = torch.rand((batch, network.of_kind(DiagonalSsm)[0].width, steps))
    models = {
        "torch, surrogate neuron": (Peer(network, steps, "surrogate"), data),
        "torch, exact neuron": (Peer(network, steps, "exact"), data),
        "torch, FFT convolution alone": (
            nn.Sequential(*Peer(network, steps, "exact").convolutions),
            stream,
        ),
    }

    def call(model: nn.Module, values: torch.Tensor) -> Callable[[], torch.Tensor]:
        def work() -> torch.Tensor:
            with torch.inference_mode():
                result: torch.Tensor = model(values)
                return result

        return work

    return {name: call(model.eval(), values) for name, (model, values) in models.items()}
