"""Checkpoints of networks of doublets: what their training code computes, as float nodes.

Such a checkpoint holds, for i = 0, 1, …, ``layers.{i}.weight`` (H, I), ``layers.{i}.bias`` (H,) and
``layers.{i}.doublet_decay`` (), and at the end ``readout.weight`` (classes, H), ``readout.bias``.
"""

from __future__ import annotations

from itertools import count, takewhile
from typing import TYPE_CHECKING, Literal

from snn_deploy.converters.registry import Family
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy_doublet.neuron import Doublet

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["DOUBLET", "convert_doublet"]


def convert_doublet(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a checkpoint; its answer is the mean over time, through the readout."""
    where = checkpoint.path.name
    if output_steps != "one":
        raise UnsupportedNetworkError(f"{where}: a doublet network answers once; not each step")
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    layers = list(takewhile(lambda i: f"layers.{i}.weight" in source, count()))
    nodes: list[Node] = []
    reads = "input"
    for i in layers:
        nodes += _layer(source, f"layers.{i}", reads)
        reads = nodes[-1].name
    weight = source.real("readout.weight", (None, None))
    nodes.append(
        Readout(
            name="decoder",
            inputs=(Edge(reads),),
            mode="mean",
            weight=weight,
            bias=source.real("readout.bias", (len(weight),)),
        )
    )
    source.check_all_taken(())  # a tensor that nobody took is a part that we did not understand
    (_, channels) = source.shape("layers.0.weight")
    return Network("float", (FloatInput(name="input", channels=channels), *nodes))


def _layer(source: Weights, name: str, reads: str) -> tuple[Node, Node]:
    weight = source.real(f"{name}.weight", (None, None))
    mix = Linear(
        name=f"{name}.mix",
        inputs=(Edge(reads),),
        weight=weight,
        bias=source.real(f"{name}.bias", (len(weight),)),
    )
    decay = float(source.real(f"{name}.doublet_decay", ()))
    if not 0 <= decay < 1:
        raise UnsupportedNetworkError(
            f"{source.where}: {name}.doublet_decay is {decay:g}; a decay lies in 0 … 1"
        )
    soma = Doublet(name=f"{name}.lif", inputs=(Edge(mix.name),), channels=len(weight), decay=decay)
    return mix, soma


DOUBLET = Family(convert_doublet, key_marks=(".doublet_decay",))
"""A checkpoint with such a key is of this family, whatever else it says."""
