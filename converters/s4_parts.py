"""What layers behind S4's backbone have in common: norms, state-space models, mixing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.s4_kernels import ContinuousSsm, discretise
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = [
    "batch_norm",
    "diagonal_ssm",
    "glu_mix",
    "linear",
    "linear_of_two",
    "norm",
    "refuse_overflow",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# Both constants are PyTorch's defaults, which the authors' code keeps.
_BATCH_NORM_EPSILON = 1e-5
_LAYER_NORM_EPSILON = 1e-5


def norm(weights: Weights, keys: str, name: str, kind: str, channels: int, reads: str) -> Node:
    """Give the norm stored under ``keys`` (ending in a dot): ``kind`` is batch or layer."""
    if kind == "batch":
        scale, shift = batch_norm(weights, keys, channels)
        return Affine(name=name, inputs=(Edge(reads),), scale=scale, shift=shift)
    if f"{keys}m" in weights:
        raise UnsupportedNetworkError(
            f"{weights.where}: '{keys}m' belongs to S4's transposed layer norm, which scales all "
            "channels alike; it is not known here"
        )
    weights.require([f"{keys}weight", f"{keys}bias"])
    return LayerNorm(
        name=name,
        inputs=(Edge(reads),),
        weight=weights.real(f"{keys}weight", (channels,)),
        bias=weights.real(f"{keys}bias", (channels,)),
        epsilon=_LAYER_NORM_EPSILON,
    )


def batch_norm(weights: Weights, keys: str, channels: int) -> tuple[Real, Real]:
    """Fold a batch norm in evaluation mode: ``y = scale * x + shift``, (channels,) each."""
    names = [f"{keys}{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    weights.require(names)
    weight, bias, mean, variance = (weights.real(name, (channels,)) for name in names)
    bad = np.flatnonzero(~(variance >= 0))
    if len(bad):
        raise CheckpointError(
            f"{weights.where}: '{names[3]}' holds {len(bad)} negative variances, the first "
            f"{variance[bad[0]]:g} in channel {bad[0]}; the file is damaged"
        )
    scale = weight / np.sqrt(variance + _BATCH_NORM_EPSILON)
    return scale, bias - mean * scale


def diagonal_ssm(
    name: str, reads: str, kernel: ContinuousSsm, d: Real, disc: str, told: tuple[str, str]
) -> DiagonalSsm:
    """Discretise a kernel and check it; ``told`` is how messages call the file and the keys."""
    with np.errstate(all="ignore"):  # overflow and 0/0 become inf and NaN, which the checks name
        discrete = discretise(kernel, disc)
    refuse_overflow(discrete.a, *told, "a")
    refuse_overflow(discrete.b, *told)
    return DiagonalSsm(
        name=name,
        inputs=(Edge(reads),),
        a=discrete.a,
        b=discrete.b,
        c=kernel.c[0],
        d=d,
        c_reverse=kernel.c[1] if len(kernel.c) > 1 else None,
    )


def linear(weights: Weights, keys: str, name: str, reads: str, shape: tuple[int, int]) -> Linear:
    """Give the linear layer of (out, in) weights under ``keys``; a 1x1 convolution is one, too."""
    rows, columns = shape
    weights.require([f"{keys}weight", f"{keys}bias"])
    convolution = len(weights.shape(f"{keys}weight")) == 3
    weight = weights.real(f"{keys}weight", (rows, columns, 1) if convolution else shape)
    return Linear(
        name=name,
        inputs=(Edge(reads),),
        weight=weight.reshape(rows, columns),
        bias=weights.real(f"{keys}bias", (rows,)),
    )


def linear_of_two(
    weights: Weights, keys: str, name: str, reads: tuple[str, str], channels: int
) -> tuple[Node, ...]:
    """Give the linear layer of (channels, 2 channels) that reads two signals side by side."""
    both = linear(weights, keys, name, reads[0], (channels, 2 * channels))
    parts = [
        Linear(
            name=f"{name}.{part}",
            inputs=(Edge(source),),
            weight=both.weight[:, columns],
            bias=both.bias if part == "first" else np.zeros(channels),
        )
        for part, source, columns in (
            ("first", reads[0], slice(channels)),
            ("second", reads[1], slice(channels, None)),
        )
    ]
    inputs = tuple(Edge(part.name) for part in parts)
    return (*parts, Residual(name=name, inputs=inputs, channels=channels))


def glu_mix(weights: Weights, keys: str, name: str, reads: str, channels: int) -> tuple[Node, ...]:
    """Give the linear layer under ``keys`` and the gated linear unit that halves its width."""
    mix = linear(weights, keys, f"{name}.mix", reads, (2 * channels, channels))
    return mix, Glu(name=f"{name}.glu", inputs=(Edge(mix.name),), channels=channels)


def refuse_overflow(values: Complex, where: str, keys: str, what: str = "b") -> None:
    """Refuse discretised weights (H, N) that are not finite; ``what`` is their name."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        channel, mode = (int(i) for i in bad[0])
        raise CheckpointError(
            f"{where}: {keys}kernel has no finite discretisation: {what} = {values[channel, mode]} "
            f"in channel {channel}, mode {mode} ({len(bad)} such modes); its dt or A has "
            "overflowed: use a checkpoint from before the training diverged"
        )
