"""LongSpike: SpikingSSM with a kernel of several time scales, summed.

``k[l] = 2 Re Σ_i Σ_n eta_i C_n b_in exp(dt A_in l)``, ``A_i = -omega_i + eta_i A``: M diagonal
state-space models side by side, with omega and eta a layer's own, so M times the modes. With
``use_loop`` the kernel with trainable B is another network: eta is normalised to sum 1, and B plays
no part. Keys do not tell; the configuration does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from snn_deploy.converters.s4_kernels import read_kernel
from snn_deploy.converters.s4_parts import refuse_overflow
from snn_deploy.converters.spikingssm import Layout, convert_stack
from snn_deploy.converters.spikingssm_config import LayerConfig, ModelConfig, SpikingSsmConfig
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.ssm import DiagonalSsm

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["convert_longspike"]

Real = npt.NDArray[np.float64]

_FLOOR = 1e-6  # of omega and eta
_POLE_GUARD = 1e-8  # the authors add it to what they divide by
_LEAST_POLE = 1e-6  # below it they take the limit, dt


class _LongSpikeLayer(LayerConfig):
    """``model.layer``: SpikingSSM's, and the time scales."""

    frac_M: int = Field(2, ge=1)
    learnable_omega_eta: bool = True
    omega_max: float = 100.0
    eta_max: float = 10.0
    use_loop: bool = False
    manual_omega: list[float] | None = None  # initial values, or buffers that are stored
    manual_eta: list[float] | None = None
    disc: Literal["zoh", "bilinear"] = "zoh"


class _LongSpikeModel(ModelConfig):
    """``model`` of LongSpike."""

    layer: _LongSpikeLayer = Field(default_factory=_LongSpikeLayer)


class _LongSpikeConfig(SpikingSsmConfig):
    """What the converter reads of a configuration."""

    model: _LongSpikeModel


def convert_longspike(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a LongSpike checkpoint to a float network; otherwise as ``convert_spikingssm``."""
    if weights == "ema":
        raise UnsupportedNetworkError(
            f"{checkpoint.path.name}: averaged weights are known for SpikingSSM alone; use the "
            "trained ones"
        )
    return convert_stack(checkpoint, output_steps, weights, _LONGSPIKE)


def _ssm(weights: Weights, keys: str, name: str, model: ModelConfig, reads: str) -> Node:
    layer = model.layer
    assert isinstance(layer, _LongSpikeLayer)
    kernel = read_kernel(weights, f"{keys}kernel.", model.d_model, layer, layer.trainable_B)
    omega, eta = _time_scales(weights, f"{keys}kernel.", layer)
    b = kernel.b
    if layer.use_loop and layer.trainable_B:
        eta, b = eta / eta.sum(), np.ones_like(b)
    # (H, M, N): every mode at every time scale
    pole = -omega[:, None] + eta[:, None] * kernel.pole[:, None, :]
    step, dt = kernel.dt[:, None] * pole, kernel.dt[:, None]
    with np.errstate(all="ignore"):
        if layer.disc == "bilinear":
            a = (1 + step / 2) / (1 - step / 2 + _POLE_GUARD)
            held = dt / (1 - step / 2)
        else:
            a = np.exp(step)
            held = np.where(np.abs(pole) < _LEAST_POLE, dt, (a - 1) / (pole + _POLE_GUARD))
        gain = held * b[:, None] * eta[:, None]
    shape = (model.d_model, -1)
    refuse_overflow(a.reshape(shape), weights.where, keys, "a")
    refuse_overflow(gain.reshape(shape), weights.where, keys)
    c = [np.tile(row, (1, len(eta))) for row in kernel.c]
    return DiagonalSsm(
        name=name,
        inputs=(Edge(reads),),
        a=a.reshape(shape),
        b=gain.reshape(shape),
        c=c[0],
        d=weights.real(f"{keys}D", (1, model.d_model))[0],
        c_reverse=c[1] if layer.bidirectional else None,
    )


def _time_scales(weights: Weights, keys: str, layer: _LongSpikeLayer) -> tuple[Real, Real]:
    """Give omega and eta, (M,) each."""
    shape = (layer.frac_M,)
    if not layer.learnable_omega_eta:
        return weights.real(f"{keys}omega", shape), weights.real(f"{keys}eta", shape)
    shares = (1 / (1 + np.exp(-weights.real(f"{keys}{n}_logit", shape))) for n in ("omega", "eta"))
    omega, eta = (
        _FLOOR + share * (largest - _FLOOR)
        for share, largest in zip(shares, (layer.omega_max, layer.eta_max), strict=True)
    )
    return omega, eta


_LONGSPIKE = Layout(layers="loongspike_layers", config=_LongSpikeConfig, read_ssm=_ssm)
