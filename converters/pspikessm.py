"""P-SpikeSSM (Bal and Sengupta): spikes drawn with the probability that a graded signal says.

    y = norm(inp_a x + inp_b)      s = [y > U1]      f = out_a GELU(SSM(s)) + out_b
    one branch     o = GELU(W [f > U2] + b)
    two branches   s2 = [inp2_a x + inp2_b > U2],  r = GELU(SSM2(s2)),  o = GELU(W [f > U1, r > U1])

U1 and U2 are drawn anew for every layer, step and channel; two branches use U1 again. The second
branch reads neither the norm nor time backwards: ``model.layer.bidirectional`` is what looks ahead.
``sampling: threshold`` puts 1/2 in the place of all draws, which is another, deterministic network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_block import BlockOptions, block_ssm
from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import linear, linear_of_two
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.padding_mask import PaddingMask
from snn_deploy.nodes.stochastic_spikes import StochasticSpikes
from snn_deploy.nodes.threshold import Threshold

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["convert_pspikessm"]

# The block's own mixing is never called, and each form of the layer leaves parts of the other.
_DEAD = r"model\.layers\.\d+\.(reverse_)?layer\.output_linear\..*"
_DEAD_ONE = (_DEAD, r"model\.layers\.\d+\.inp2_[ab]")
_DEAD_TWO = (_DEAD, r"model\.layers\.\d+\.bidirectional_linear[12]\..*")


class _PSpikeOptions(BlockOptions):
    """``model.layer``; sampling is ours. The authors call neither activation nor mixing."""

    sampling: Literal["drawn", "threshold"] = "drawn"
    activation: Any = None
    final_act: Any = None


def convert_pspikessm(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a P-SpikeSSM checkpoint to a float network; as ``convert_backbone``."""
    model = (checkpoint.config or {}).get("model") or {}
    dead = _DEAD_TWO if isinstance(model, dict) and model.get("bidirectional") else _DEAD_ONE
    return convert_backbone(
        checkpoint, output_steps, weights, read_layer=_layer, dead=dead, own_block=True
    )


def _layer(place: Place) -> tuple[Node, ...]:
    options = parse_options(_PSpikeOptions, place.config.model.layer, place.weights.where)
    name, first, second = place.name, 2 * place.index, 2 * place.index + 1
    nodes: list[Node] = [_affine(place, f"{name}.input", place.reads, "inp")]
    if place.config.model.prenorm:
        nodes += place.norm(nodes[-1].name)
    nodes += _branch(place, options, name, nodes[-1].name, first)
    nodes.append(_affine(place, f"{name}.output", nodes[-1].name, "out"))
    two = place.config.model.bidirectional
    draw = first if two else second
    nodes.append(_spikes(place, options, f"{name}.out_spike", nodes[-1].name, draw))
    drawn = nodes[-1].name
    if two:
        other = f"{name}.second"
        nodes.append(_affine(place, f"{other}.input", place.reads, "inp2"))
        nodes += _branch(place, options, other, nodes[-1].name, second)
        nodes.append(_spikes(place, options, f"{other}.out_spike", nodes[-1].name, draw))
    nodes += _mix(place, drawn, nodes[-1].name)
    gelu = Gelu(name=f"{name}.gelu", inputs=(Edge(nodes[-1].name),), channels=place.channels)
    return (*nodes, gelu)


def _branch(
    place: Place, options: _PSpikeOptions, name: str, reads: str, draw: int
) -> tuple[Node, ...]:
    """Give the drawn spikes, the state-space model that they drive, and its GELU."""
    nodes: list[Node] = [_spikes(place, options, f"{name}.spike", reads, draw)]
    n = place.channels
    if place.masked:
        inputs = (Edge(nodes[-1].name),)
        nodes.append(PaddingMask(name=f"{name}.mask", inputs=inputs, channels=n))
    part = "layer" if name == place.name else "reverse_layer"
    keys = f"{place.keys}{part}.layer."
    nodes.append(block_ssm(place.weights, keys, f"{name}.ssm", nodes[-1].name, n, options))
    nodes.append(Gelu(name=f"{name}.ssm_gelu", inputs=(Edge(nodes[-1].name),), channels=n))
    return tuple(nodes)


def _affine(place: Place, name: str, reads: str, parameter: str) -> Affine:
    names = [f"{place.keys}{parameter}_{part}" for part in ("a", "b")]
    place.weights.require(names)
    scale, shift = (place.weights.real(key, (place.channels,)) for key in names)
    return Affine(name=name, inputs=(Edge(reads),), scale=scale, shift=shift)


def _spikes(place: Place, options: _PSpikeOptions, name: str, reads: str, draw: int) -> Node:
    inputs = (Edge(reads),)
    if options.sampling == "threshold":
        half = np.full(place.channels, 0.5)
        return Threshold(name=name, inputs=inputs, level=half, inclusive=False)
    return StochasticSpikes(name=name, inputs=inputs, channels=place.channels, draw=draw)


def _mix(place: Place, first: str, second: str) -> tuple[Node, ...]:
    """Give the linear map of one branch's spikes, or of both's, which lie side by side for it."""
    weights, n, name = place.weights, place.channels, f"{place.name}.mix"
    if first == second:
        return (linear(weights, f"{place.keys}bidirectional_linear1.", name, first, (n, n)),)
    keys = f"{place.keys}bidirectional_linear."
    return linear_of_two(weights, keys, name, (first, second), n)
