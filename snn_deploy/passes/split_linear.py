"""Split linear layers into synapses and the neuron that receives them.

The receiver scales each row's synaptic units and adds its bias: a Requantize, or, for a gated
linear unit, the Gate neuron itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.gate import Gate, QuantizedGlu
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import QuantizedLinear, Synapses
from snn_deploy.passes.base import Pass

__all__ = ["SplitLinear"]


@dataclass(frozen=True)
class SplitLinear(Pass):
    """QuantizedLinear to Synapses and a Requantize, or, together with its QuantizedGlu, a Gate."""

    name = "split-linear"
    takes = "integer"
    gives = "integer"

    def __call__(self, network: Network) -> Network:
        replacements: dict[str, tuple[Node, ...]] = {}
        for linear in network.of_kind(QuantizedLinear):
            consumers = network.consumers(linear.name)
            if len(consumers) == 1 and isinstance(consumers[0], QuantizedGlu):
                replacements[linear.name] = (_synapses(linear),)
                replacements[consumers[0].name] = (_gate(linear, consumers[0]),)
            else:
                replacements[linear.name] = (_synapses(linear), _relay(linear))
        return network.rewrite(replacements)


def _synapses(linear: QuantizedLinear) -> Synapses:
    return Synapses(
        name=f"{linear.name}.synapses",
        inputs=linear.inputs,
        output=Format(linear.sum_bits, 0),
        weight=linear.weight,
        weight_bits=linear.weight_bits,
    )


def _relay(linear: QuantizedLinear) -> Requantize:
    return Requantize(
        name=linear.name,
        inputs=(Edge(f"{linear.name}.synapses"),),
        output=linear.output,
        channels=linear.width,
        rescale=linear.rescale,
    )


def _gate(linear: QuantizedLinear, glu: QuantizedGlu) -> Gate:
    return Gate(
        name=glu.name,
        inputs=(Edge(f"{linear.name}.synapses"),),
        output=glu.output,
        channels=glu.channels,
        rescale=linear.rescale,
        value_bits=linear.output.bits,
        sigmoid=glu.sigmoid,
    )
