"""A refractory LIF neuron behind S4D, after SPikE-SSM (arXiv 2410.17268).

    I = SSM(u) + D u        v[t] = tau v[t-1] + I[t] - r[t-1]        s = [v >= vth]
    r[t] = tau_r r[t-1] + rho s[t]        o = GLU(W s + b)

The paper's own equations were not at hand: the form and the keys (``ln_vth, ln_rho, tau_logit,
tau_r_logit``) are ours, and a network of the authors may differ in signs and steps.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_config import KernelOptions, parse_options
from snn_deploy.converters.s4_parts import glu_mix
from snn_deploy.converters.s4d import s4d_ssm
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.refractory_lif import RefractoryLif

__all__ = ["convert_refractory"]


class _RefractoryOptions(KernelOptions):
    """``model.layer`` of S4D with a refractory neuron."""

    disc: Literal["zoh"] = "zoh"
    bidirectional: Literal[False] = False
    activation: Literal["spike"] = "spike"
    final_act: Literal["glu"] = "glu"


def _layer(place: Place) -> tuple[Node, ...]:
    weights, keys, channels = place.weights, f"{place.keys}layer.", place.channels
    options = parse_options(_RefractoryOptions, place.config.model.layer, weights.where)
    names = [f"{keys}{name}" for name in ("ln_vth", "ln_rho", "tau_logit", "tau_r_logit")]
    weights.require(names)
    threshold, strength = (np.exp(weights.real(name, (channels,))) for name in names[:2])
    decay, refractory_decay = (1 / (1 + np.exp(-weights.real(name, ()))) for name in names[2:])
    ssm = s4d_ssm(place, options)
    lif = RefractoryLif(
        name=f"{place.name}.lif",
        inputs=(Edge(ssm.name),),
        threshold=threshold,
        strength=strength,
        decay=float(decay),
        refractory_decay=float(refractory_decay),
    )
    mix = glu_mix(weights, f"{keys}output_linear.0.", place.name, lif.name, channels)
    return ssm, lif, *mix


convert_refractory = partial(convert_backbone, read_layer=_layer)
"""Networks of S4D layers with refractory neurons."""
