"""PRF (Huang et al.): resonators that fire, without reset, in the authors' SD-TCM blocks.

    s = the spikes of `prf_neuron` on x
    x1 = x + W1 s + b1        o = x1 + W2 (exp(alpha) [x1 >= 1/2]) + b2, or o = x1

The block has a residual of its own, inside the backbone's. In both directions a second neuron reads
the sequence backwards, and W1 mixes the spikes of both.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.prf_neuron import NeuronOptions, prf_neuron
from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import linear, linear_of_two
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.threshold import Threshold

__all__ = ["convert_prf", "convert_prf_block"]

Real = npt.NDArray[np.float64]


class _PrfOptions(NeuronOptions):
    """``model.layer`` of the authors' blocks; those without type are read by no code of theirs."""

    spatial: Literal["identity", "Binary", "Binary_vec"] | None = None
    bidirectional: bool = False
    fr_scale: float = 1.0  # acts on initial values
    neuron_lr: float = 0.001
    save_firerate: bool = False
    train_scale: Any = None
    use_gsu: Any = None
    norm: Any = None
    d_state: Any = None
    channels: Any = None
    weight_norm: Any = None
    trank: Any = None
    linear: Any = None
    l_max: Any = None
    activation: Any = None
    final_act: Any = None
    n_ssm: Any = None


def _plain_block(place: Place) -> tuple[Node, ...]:
    parse_options(_PrfOptions, place.config.model.layer, place.weights.where)
    return _block(place, _PrfOptions(spatial="Binary"), alpha=None)


def _gated_block(place: Place) -> tuple[Node, ...]:
    options = parse_options(_PrfOptions, place.config.model.layer, place.weights.where)
    size = {"Binary": 1, "Binary_vec": place.channels}.get(options.spatial or "")
    alpha = None if size is None else place.weights.real(f"{place.keys}layer.alpha", (size,))
    return _block(place, options, alpha)


def _block(place: Place, options: _PrfOptions, alpha: Real | None) -> tuple[Node, ...]:
    weights, keys, name, n = place.weights, f"{place.keys}layer.", place.name, place.channels
    if options.temporal == "identity":
        doubled = Affine(
            name=f"{name}.inner",
            inputs=(Edge(place.reads),),
            scale=np.full(n, 2.0),
            shift=np.zeros(n),
        )
        nodes: tuple[Node, ...] = (doubled,)
    else:
        temporal = _both_directions(place, options)
        inner = Residual(
            name=f"{name}.inner", inputs=(Edge(place.reads), Edge(temporal[-1].name)), channels=n
        )
        nodes = (*temporal, inner)
    if options.spatial in (None, "identity"):
        return nodes
    gate = Threshold(
        name=f"{name}.gate", inputs=(Edge(f"{name}.inner"),), level=np.full(n, 0.5), inclusive=True
    )
    mix = linear(weights, f"{keys}pro_linear2.", f"{name}.mix2", gate.name, (n, n))
    if alpha is not None:
        mix = replace(mix, weight=mix.weight * np.exp(alpha))
    inputs = (Edge(f"{name}.inner"), Edge(mix.name))
    return (*nodes, gate, mix, Residual(name=f"{name}.output", inputs=inputs, channels=n))


def _both_directions(place: Place, options: _PrfOptions) -> tuple[Node, ...]:
    """Give the temporal neurons and the linear layer that mixes their spikes."""
    weights, keys, name, n = place.weights, f"{place.keys}layer.", place.name, place.channels
    told = (name, place.reads)
    forward = prf_neuron(weights, f"{keys}neuron1.", told, n, options)
    spikes = forward[-1].name
    if not options.bidirectional:
        mix = linear(weights, f"{keys}pro_linear1.", f"{name}.mix1", spikes, (n, n))
        return (*forward, mix)
    if options.temporal in ("lif", "decoupled_reset"):
        raise UnsupportedNetworkError(
            f"{weights.where}: model.layer is bidirectional with temporal '{options.temporal}'; "
            "the authors' code cannot run this, so there is nothing to be faithful to"
        )
    told = (f"{name}.reverse", place.reads)
    backward = prf_neuron(weights, f"{keys}reverse_neuron1.", told, n, options, backwards=True)
    sources = (spikes, backward[-1].name)
    mix1 = linear_of_two(weights, f"{keys}pro_linear1.", f"{name}.mix1", sources, n)
    return (*forward, *backward, *mix1)


convert_prf = partial(convert_backbone, read_layer=_gated_block)
"""Networks of SD-TCM blocks (``spikingblockgate``)."""

convert_prf_block = partial(
    convert_backbone, read_layer=_plain_block, dead=(r"model\.layers\.\d+\.layer\.norm\..*",)
)
"""Networks of the older blocks (``spikingblock``), whose inner norm does nothing."""
