"""S4D with the Gated Spiking Unit (Stan & Rhodes 2024), ternary on either side of a product.

    y = SSM(u) + D u        o = act((a1 W1 T(y) + b1) * (a2 T(W2) y + b2))
    T(x) = +1 where x >= θ, -1 where x <= -θ, else 0;  θ = fraction * max|x|

One factor has ternary activations, whose maximum is over the channels of one step; the other has
ternary weights, whose maximum is over the matrix, once. With one matrix both are made of it.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_config import KernelOptions, parse_options
from snn_deploy.converters.s4_parts import norm
from snn_deploy.converters.s4d import s4d_ssm
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.ternary import Ternary, ternarise

__all__ = ["convert_gsu"]

Real = npt.NDArray[np.float64]
_Matrices = tuple[Real, Real, Real, Real]  # W1, b1, W2, b2


class _GsuOptions(KernelOptions):
    """``model.layer`` of S4D with the Gated Spiking Unit."""

    disc: Literal["zoh"] = "zoh"
    bidirectional: Literal[False] = False
    mixing: Literal["gsu"] = "gsu"
    matrices: Literal[1, 2] = 2
    ternary_fraction: float = Field(0.15, gt=0)
    ternary_over: str = "channels"
    ternary_scale: bool = True
    inner_norm: Literal["layer"] | None = None
    post_activation: Literal["gelu", "relu"] | None = "gelu"


def _layer(place: Place) -> tuple[Node, ...]:
    options = parse_options(_GsuOptions, place.config.model.layer, place.weights.where)
    if options.ternary_over != "channels":
        raise UnsupportedNetworkError(
            f"{place.weights.where}: model.layer.ternary_over is '{options.ternary_over}': such a "
            "maximum depends on the batch or on steps to come, which no chip knows; known: channels"
        )
    ssm = s4d_ssm(place, options)
    name, channels, fraction = place.name, place.channels, options.ternary_fraction
    w1, b1, w2, b2 = _two(place, options) if options.matrices == 2 else _one(place)
    quantised = ternarise(w2, fraction * np.abs(w2).max())
    scale1, scale2 = _scale(place, "ternay1", options), _scale(place, "ternay2", options)
    ternary = Ternary(
        name=f"{name}.ternary", inputs=(Edge(ssm.name),), channels=channels, fraction=fraction
    )
    gate = Linear(name=f"{name}.gate", inputs=(Edge(ternary.name),), weight=scale1 * w1, bias=b1)
    value = Linear(
        name=f"{name}.value", inputs=(Edge(ssm.name),), weight=scale2 * quantised, bias=b2
    )
    product = Product(
        name=f"{name}.product", inputs=(Edge(gate.name), Edge(value.name)), channels=channels
    )
    nodes: list[Node] = [ssm, ternary, gate, value, product]
    if options.inner_norm:
        keys = f"{place.keys}layer.output_linear.LN."
        nodes.append(
            norm(place.weights, keys, f"{name}.inner_norm", "layer", channels, product.name)
        )
    if options.post_activation:
        kind = Gelu if options.post_activation == "gelu" else Relu
        inputs = (Edge(nodes[-1].name),)
        nodes.append(kind(name=f"{name}.activation", inputs=inputs, channels=channels))
    return tuple(nodes)


def _two(place: Place, options: _GsuOptions) -> _Matrices:
    keys, n = f"{place.keys}layer.output_linear.pro_linear", place.channels
    place.weights.require(f"{keys}{k}.{part}" for k in (1, 2) for part in ("weight", "bias"))
    w1, w2 = (place.weights.real(f"{keys}{k}.weight", (n, n)) for k in (1, 2))
    b1, b2 = (place.weights.real(f"{keys}{k}.bias", (n,)) for k in (1, 2))
    return w1, b1, w2, b2


def _one(place: Place) -> _Matrices:
    """Take the one matrix, which is stored (in, out), and the two biases."""
    keys, n = f"{place.keys}layer.output_linear.", place.channels
    place.weights.require(f"{keys}{part}" for part in ("w", "b", "c"))
    w = place.weights.real(f"{keys}w", (n, n)).T
    b1, b2 = (place.weights.real(f"{keys}{part}", (n,)) for part in ("b", "c"))
    return w, b1, w, b2


def _scale(place: Place, name: str, options: _GsuOptions) -> float:
    if not options.ternary_scale:
        return 1.0
    key = f"{place.keys}layer.output_linear.{name}.log_w"  # the authors' spelling
    return float(np.exp(place.weights.real(key, (1,))[0]))


convert_gsu = partial(convert_backbone, read_layer=_layer)
"""Networks of S4D layers with Gated Spiking Units."""
