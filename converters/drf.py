"""D-RF (arXiv 2509.17186): dendrites that resonate, a soma whose threshold past crossings raise.

    z_i[t] = exp(dt (-1/tau_i + i w_i)) z_i[t-1] + g_i x[t]        h = Σ_i c_i Re z_i
    p[t] = [h[t] >= v],  s[t] = [h[t] >= v + Σ_k a_k p[t-k]]       o = W s + b

No code was published: the keys are those of our own training (``log_dt, log_tau, log_omega, gamma,
C, alpha_logit, output_linear``), and so is the reading that the first lag is 1.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import BaseModel, Field

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import linear, refuse_overflow
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.adaptive_threshold import AdaptiveThreshold
from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = ["convert_drf"]


class _DrfOptions(BaseModel):
    """``model.layer`` of D-RF."""

    dendrites: int = Field(4, ge=1)
    threshold_taps: int = Field(4, ge=1)
    v_pre: float = Field(1.0, gt=0)


def _layer(place: Place) -> tuple[Node, ...]:
    weights, keys, channels = place.weights, f"{place.keys}layer.", place.channels
    options = parse_options(_DrfOptions, place.config.model.layer, weights.where)
    shape = (channels, options.dendrites)
    names = [f"{keys}{name}" for name in ("log_tau", "log_omega", "gamma", "C")]
    weights.require([f"{keys}log_dt", *names, f"{keys}alpha_logit"])
    log_tau, log_omega, gain, c = (weights.real(name, shape) for name in names)
    dt = np.exp(weights.real(f"{keys}log_dt", (channels,)))[:, None]
    logit = weights.real(f"{keys}alpha_logit", (options.threshold_taps,))
    with np.errstate(all="ignore"):
        pole = np.exp(dt * (-np.exp(-log_tau) + 1j * np.exp(log_omega)))
    refuse_overflow(pole, weights.where, keys, "a")
    dendrites = DiagonalSsm(
        name=f"{place.name}.dendrites",
        inputs=(Edge(place.reads),),
        a=pole,
        b=gain.astype(np.complex128),
        c=c / 2 + 0j,  # the node itself doubles
        d=np.zeros(channels),
    )
    soma = AdaptiveThreshold(
        name=f"{place.name}.spike",
        inputs=(Edge(dendrites.name),),
        channels=channels,
        base=options.v_pre,
        rise=1 / (1 + np.exp(-logit)),
    )
    shape = (channels, channels)
    mix = linear(weights, f"{keys}output_linear.", f"{place.name}.mix", soma.name, shape)
    return dendrites, soma, mix


convert_drf = partial(convert_backbone, read_layer=_layer)
"""Networks of dendritic resonate-and-fire layers."""
