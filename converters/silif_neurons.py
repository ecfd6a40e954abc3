"""The neurons of SiLIF and its relatives: which they are, and their parameters as they act.

The authors clamp what they learn, in every run: trained parameters lie far outside, so the clamps
are part of the network. Keys tell SiLIF, C-SiLIF and RF apart, but not cAdLIF from adLIF.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.s4_parts import refuse_overflow
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.adaptive_lif import AdaptiveLif
from snn_deploy.nodes.resonate_and_fire import ResonateAndFire

__all__ = ["CLAMPS", "Neuron", "read_neuron", "recognise_neuron"]

Real = npt.NDArray[np.float64]
Neuron = Literal["silif", "csilif", "rf", "cadlif", "adlif"]

CLAMPS: dict[Neuron, tuple[tuple[float, float], ...]] = {
    "silif": ((0, 1), (0, 1), (0, 1), (0, 2)),
    "cadlif": ((0.36, 0.96), (0.96, 0.99), (0, 1), (0, 2)),
    "adlif": (
        (math.exp(-1 / 5), math.exp(-1 / 25)),
        (math.exp(-1 / 30), math.exp(-1 / 120)),
        (-1, 1),
        (0, 2),
    ),
}
"""Alpha, beta, a and b of the adaptive neurons are clamped to these, low and high."""

_LARGEST_RF_DAMPING = -0.1


def recognise_neuron(source: Weights, keys: str) -> Neuron:
    """Tell whose parameters lie under ``keys``; refuse those that two neurons share."""
    for parameter, kind in (("log_log_alpha", "csilif"), ("alpha_real", "rf"), ("dt", "silif")):
        if f"{keys}{parameter}" in source:
            return kind  # type: ignore[return-value]
    if f"{keys}beta" in source:
        raise CheckpointError(
            f"{source.where}: '{keys}alpha, beta, a, b' are cAdLIF's as well as adLIF's, whose "
            "clamps differ, so the file does not say which network it is; give --family cadlif or "
            "--family adlif (or --set-model neuron=cadlif)"
        )
    raise UnsupportedNetworkError(
        f"{source.where}: the parameters under '{keys}' are those of no neuron that is known; "
        f"known: {', '.join(('csilif', 'rf', *CLAMPS))}"
    )


def read_neuron(
    source: Weights, keys: str, name: str, current: Node, kind: Neuron, dt: float
) -> Node:
    """Give the neurons that ``current`` drives; dt is RF's Euler step."""

    def take(*names: str) -> list[Real]:
        source.require(f"{keys}{parameter}" for parameter in names)
        return [source.real(f"{keys}{parameter}", (current.width,)) for parameter in names]

    place: dict[str, Any] = {"name": name, "inputs": (Edge(current.name),)}
    if kind == "csilif":
        log_dt, log_log_alpha, phase, b = take("log_dt", "log_log_alpha", "alpha_img", "b")
        with np.errstate(all="ignore"):  # overflow becomes inf and NaN, which the check names
            pole = np.exp((-np.exp(log_log_alpha) + 1j * phase) * np.exp(log_dt))
        refuse_overflow(pole[:, None], source.where, keys, "a")
        # 2 u is the state here: the authors' u fires where 2 Re u > 1, and loses half a spike
        return ResonateAndFire(**place, pole=pole, gain=2 * b, reset=pole)
    if kind == "rf":
        real, imaginary = take("alpha_real", "alpha_im")
        pole = 1 + dt * (np.minimum(real, _LARGEST_RF_DAMPING) + 1j * imaginary)
        ones = np.ones(current.width)
        return ResonateAndFire(**place, pole=pole, gain=dt * ones, reset=ones + 0j)
    alpha, beta, a, b = take("alpha", "beta", "a", "b")
    if kind == "silif":
        (log_dt,) = take("dt")
        with np.errstate(over="ignore"):  # a decay of exp(-inf) is one to nothing
            alpha, beta = (np.exp(-np.exp(rate + log_dt)) for rate in (alpha, beta))
    clamped = [
        np.clip(value, low, high)
        for value, (low, high) in zip((alpha, beta, a, b), CLAMPS[kind], strict=True)
    ]
    return AdaptiveLif(**place, alpha=clamped[0], beta=clamped[1], a=clamped[2], b=clamped[3])
