"""S4D and Binary S4D (Stan & Rhodes 2024): graded or spiking, then a gated linear unit.

    y = SSM(u) + D u        o = GLU(W act(y) + b),  act = [y > threshold], GELU or ReLU

Two layouts: ``s4d``, with kernel ``log_dt, C, log_A_real, A_imag`` and B = 1, and S4's own
``s4block``, with all options of its kernel, both directions, and padding that it blanks. The latter
applies a GELU of its inner layer before the activation that is configured, spikes excepted.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_block import BlockOptions, block_ssm
from snn_deploy.converters.s4_config import KernelOptions, parse_options
from snn_deploy.converters.s4_kernels import read_kernel
from snn_deploy.converters.s4_parts import diagonal_ssm, glu_mix, linear
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.padding_mask import PaddingMask
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.threshold import Threshold

__all__ = ["convert_s4block", "convert_s4d", "s4d_ssm"]

Activation = Literal["spike", "gelu", "relu"]


class _S4dOptions(KernelOptions):
    """``model.layer`` of the stand-alone S4D layer."""

    disc: Literal["zoh"] = "zoh"
    bidirectional: Literal[False] = False
    activation: Activation = "gelu"
    final_act: Literal["glu"] = "glu"
    threshold: float = 0.0


class _S4BlockOptions(BlockOptions):
    """``model.layer`` of S4's own block."""

    activation: Activation = "gelu"
    final_act: Literal["glu", "id"] | None = "glu"
    threshold: float = 0.0


def s4d_ssm(place: Place, options: KernelOptions) -> Node:
    """Give the state-space model of a stand-alone S4D layer."""
    weights, keys, channels = place.weights, f"{place.keys}layer.", place.channels
    kernel = read_kernel(weights, f"{keys}kernel.", channels, options, trainable_b=False)
    d = weights.real(f"{keys}D", (channels,))
    told = weights.where, keys
    return diagonal_ssm(f"{place.name}.ssm", place.reads, kernel, d, "zoh", told)


def _s4d(place: Place) -> tuple[Node, ...]:
    options = parse_options(_S4dOptions, place.config.model.layer, place.weights.where)
    ssm = s4d_ssm(place, options)
    active = _activation(place, options.activation, options.threshold, ssm.name)
    keys = f"{place.keys}layer.output_linear.0."
    return ssm, active, *glu_mix(place.weights, keys, place.name, active.name, place.channels)


def _s4block(place: Place) -> tuple[Node, ...]:
    weights, keys, channels = place.weights, f"{place.keys}layer.", place.channels
    options = parse_options(_S4BlockOptions, place.config.model.layer, weights.where)
    nodes: list[Node] = []
    if place.masked:
        mask = PaddingMask(
            name=f"{place.name}.mask", inputs=(Edge(place.reads),), channels=channels
        )
        nodes.append(mask)
    reads = nodes[-1].name if nodes else place.reads
    nodes.append(block_ssm(weights, f"{keys}layer.", f"{place.name}.ssm", reads, channels, options))
    if options.activation != "spike":
        inner = Gelu(name=f"{place.name}.inner", inputs=(Edge(nodes[-1].name),), channels=channels)
        nodes.append(inner)
    nodes.append(_activation(place, options.activation, options.threshold, nodes[-1].name))
    source, mix = nodes[-1].name, f"{keys}output_linear.0."
    if options.final_act == "glu":
        nodes += glu_mix(weights, mix, place.name, source, channels)
    elif options.final_act == "id":
        nodes.append(linear(weights, mix, f"{place.name}.mix", source, (channels, channels)))
    return tuple(nodes)


def _activation(place: Place, kind: Activation, threshold: float, reads: str) -> Node:
    inputs, channels = (Edge(reads),), place.channels
    if kind == "spike":
        level = np.full(channels, threshold)
        return Threshold(name=f"{place.name}.spike", inputs=inputs, level=level, inclusive=False)
    node = Gelu if kind == "gelu" else Relu
    return node(name=f"{place.name}.{kind}", inputs=inputs, channels=channels)


convert_s4d = partial(convert_backbone, read_layer=_s4d)
"""Networks of stand-alone S4D layers."""

convert_s4block = partial(convert_backbone, read_layer=_s4block)
"""Networks of S4's own blocks."""
