"""S4's own block (``s4block``): the options of its inner layer, and that layer's SSM.

The inner layer is a convolution with a kernel: ``mode: diag`` is S4D's, ``nplr`` (or ``dplr``)
S4's, whose state matrix is diagonal plus low-rank, discretised by the bilinear transform.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.s4_config import KernelOptions
from snn_deploy.converters.s4_kernels import positive, read_kernel
from snn_deploy.converters.s4_parts import diagonal_ssm, refuse_overflow
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import CheckpointError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.nplr_ssm import NplrSsm

__all__ = ["BlockOptions", "block_ssm"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


class BlockOptions(KernelOptions):
    """``model.layer`` of S4's block; what is None or False here is not known otherwise."""

    disc: Literal["zoh", "bilinear"] = "zoh"
    mode: Literal["diag", "nplr", "dplr"] = "dplr"
    layer: Literal["fftconv"] = "fftconv"
    l_max: int | None = None
    gate: None = None
    gate_act: str | None = None
    bottleneck: None = None
    mult_act: None = None
    postact: None = None
    weight_norm: Literal[False] = False
    swap_channels: Literal[False] = False


def block_ssm(
    weights: Weights, keys: str, name: str, reads: str, channels: int, options: BlockOptions
) -> Node:
    """Give the state-space model stored under ``keys``: kernel and skip weights D."""
    kernel = f"{keys}kernel."
    d = weights.real(f"{keys}D", (1, channels))[0]
    if options.mode == "diag":
        continuous = read_kernel(weights, kernel, channels, options, trainable_b=True)
        return diagonal_ssm(name, reads, continuous, d, options.disc, (weights.where, keys))
    a, b = _bilinear(weights, kernel, channels, options)
    refuse_overflow(a.reshape(channels, -1), weights.where, keys, "a")
    c = _output_weights(weights, kernel, a, 2 if options.bidirectional else 1)
    return NplrSsm(
        name=name,
        inputs=(Edge(reads),),
        a=a,
        b=b,
        c=c[0],
        d=d,
        c_reverse=c[1] if options.bidirectional else None,
        taps=options.l_max,
    )


def _bilinear(
    weights: Weights, keys: str, channels: int, options: BlockOptions
) -> tuple[Complex, Complex]:
    """Give the discretised a (H, 2N, 2N) and b (H, 2N) over conjugate pairs of N states."""
    copies, modes = options.n_ssm or channels, options.d_state // 2
    if channels % copies:
        raise CheckpointError(
            f"{weights.where}: model.layer.n_ssm is {copies}, which does not divide {channels}"
        )
    weights.require(f"{keys}{name}" for name in ("inv_dt", "C", "B", "A_real", "A_imag", "P"))
    real = positive(weights.real(f"{keys}A_real", (copies, modes)), options.real_transform)
    imag = positive(weights.real(f"{keys}A_imag", (copies, modes)), options.imag_transform)
    pole = _conjugate_pairs(np.asarray(-real - 1j * imag))
    low_rank = _conjugate_pairs(weights.complex_pairs(f"{keys}P", (None, copies, modes)))
    b = _conjugate_pairs(weights.complex_pairs(f"{keys}B", (1, copies, modes))[0])
    matrix = np.einsum("sn,nm->snm", pole, np.eye(2 * modes)) - np.einsum(
        "rsn,rsm->snm", low_rank, low_rank.conj()
    )
    inv_dt = weights.real(f"{keys}inv_dt", (channels, 1))
    dt = positive(np.sinh(inv_dt) if options.dt_fast else inv_dt, options.dt_transform)
    # head h uses SSM h mod n_ssm
    matrix, b = (np.tile(x, (channels // copies, *[1] * (x.ndim - 1))) for x in (matrix, b))
    half = dt[..., None] / 2 * matrix
    identity = np.eye(2 * modes)
    a = np.linalg.solve(identity - half, identity + half)
    return a, np.linalg.solve(identity - half, (dt * b)[..., None])[..., 0]


def _output_weights(weights: Weights, keys: str, a: Complex, rows: int) -> Complex:
    """Give c (rows, H, 2N): stored is ``c (I - a**l_kernel)``, once a kernel was computed."""
    channels, states, _ = a.shape
    stored = weights.complex_pairs(f"{keys}C", (rows, channels, states // 2))
    stored = _conjugate_pairs(stored)
    taps = weights.whole(f"{keys}l_kernel")
    if not taps:
        return stored
    truncated = np.eye(states) - np.linalg.matrix_power(a, taps)
    return np.stack(
        [np.linalg.solve(truncated.swapaxes(1, 2), row[..., None])[..., 0] for row in stored]
    )


def _conjugate_pairs(half: Complex) -> Complex:
    return np.concatenate([half, half.conj()], axis=-1)
