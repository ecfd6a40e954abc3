"""The rules of each stage; the pipeline checks them after every pass.

Structure: legal nodes, unique names, inputs that come earlier, widths that fit. For integer stages
also numbers: every array of its shape, every parameter within the bits that its node declares, one
exponent where signals are added, no accumulator that any input could overflow. For the lowered
stage also time: all paths into a node take equally long. Engines rely on all of it without looking
again, also for networks that come from a file. The rules of each kind of node: ``node_rules.py``.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.errors import NetworkError
from snn_deploy.ir import encoder_decoder_nodes, float_nodes
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.head import check_head
from snn_deploy.ir.host import HOST_CAPABLE, host_part
from snn_deploy.ir.host_nodes import EmbeddingTable, Positions, Window
from snn_deploy.ir.integer_nodes import (
    Accumulator,
    Dendrite,
    Gate,
    Input,
    LifSoma,
    Normalize,
    QuantizedGlu,
    QuantizedLinear,
    QuantizedSsm,
    Requantize,
    RunningSum,
    Synapses,
)
from snn_deploy.ir.network import Network, Stage
from snn_deploy.ir.node import Node
from snn_deploy.ir.node_rules import NODE_RULES, require, within
from snn_deploy.ir.timing import latencies
from snn_deploy.nodes.float_node import FloatNode

__all__ = ["LEGAL", "verify_network"]

_PROCESSES: tuple[type[Node], ...] = (
    Input,
    Synapses,
    Dendrite,
    LifSoma,
    Gate,
    Requantize,
    Accumulator,
    RunningSum,
    EmbeddingTable,
    Positions,
    Window,
    Normalize,
)
_FLOAT_NODE: type[Any] = FloatNode  # every node that computes its own float signal
LEGAL: dict[Stage, tuple[type[Node], ...]] = {
    "float": (
        _FLOAT_NODE,
        *(
            value
            for module in (float_nodes, encoder_decoder_nodes)
            for name in module.__all__
            if isinstance(value := getattr(module, name), type) and issubclass(value, Node)
        ),
    ),
    "integer": (*_PROCESSES, QuantizedLinear, QuantizedSsm, QuantizedGlu),
    "lowered": _PROCESSES,
}
MAX_EXPONENT = 1000  # beyond it a float64 cannot hold what one unit stands for


def verify_network(network: Network) -> None:
    """Check every rule of the network's stage.

    Raises
    ------
    NetworkError
        Naming the node, the rule and the numbers.
    """
    _check_structure(network)
    check_head(network)
    if network.stage == "float":
        return
    for node in network:
        _check_output(node)
        _check_widths(network, node)
        NODE_RULES[type(node)](network, node)
    _check_host(network)
    _check_accumulators(network)
    if network.stage == "lowered":
        _check_timing(network)


def _check_structure(network: Network) -> None:
    if not network.nodes:
        raise NetworkError(f"a network of stage '{network.stage}' has no nodes")
    seen: set[str] = set()
    for node in network:
        legal = LEGAL[network.stage]
        names = ", ".join(kind.__name__ for kind in legal)
        require(isinstance(node, legal), node, f"not legal in stage '{network.stage}' ({names})")
        require(node.name not in seen, node, "another node has the same name")
        for edge in node.inputs:
            require(edge.source in seen, node, f"reads '{edge.source}', which is not before it")
            require(edge.delay >= 0, node, f"the path from '{edge.source}' has a negative delay")
        seen.add(node.name)


def _check_output(node: Any) -> None:
    for name, dimensions in (("weight", 2), ("skip_mantissa", 1)):  # these give the width
        if hasattr(node, name):
            found = getattr(node, name).ndim
            told = f"{name} has {found} dimensions, not {dimensions}"
            require(found == dimensions, node, told)
    require(node.width >= 1, node, f"has {node.width} channels")
    exponent = node.output.exponent
    if isinstance(exponent, tuple):
        count = len(exponent)
        require(count == node.width, node, f"{count} exponents for {node.width} channels")
    require(
        within(exponent, -MAX_EXPONENT, MAX_EXPONENT),
        node,
        f"an exponent is outside ±{MAX_EXPONENT}",
    )
    if isinstance(node, LifSoma):
        require(node.output == SPIKE, node, f"its output must be spikes, {SPIKE}")
    else:
        require(node.output.signed or isinstance(node, Input), node, "its output must be signed")


def _check_widths(network: Network, node: Node) -> None:
    sources = network.sources(node)
    if isinstance(node, Input):
        require(not sources, node, "reads another node")
    else:
        require(bool(sources), node, "has no input")
    for source in sources:
        expected = _input_width(node)
        require(
            source.width == expected,
            node,
            f"takes {expected} channels, but '{source.name}' gives {source.width}",
        )
    if not isinstance(node, Requantize):
        require(len(sources) <= 1, node, f"takes one input, not {len(sources)}")


def _input_width(node: Node) -> int:
    if isinstance(node, Synapses | QuantizedLinear):
        return int(node.weight.shape[1])
    if isinstance(node, Gate | QuantizedGlu):
        return 2 * node.width
    if isinstance(node, EmbeddingTable):
        return 1
    if isinstance(node, Window):
        return node.channels
    return node.width


def _check_host(network: Network) -> None:
    """Check that what the host computes is a chain, so that one signal enters the chip."""
    *before, entry = host_part(network)
    chain = [node.name for node in before]
    for node, source in zip((*before, entry)[1:], chain, strict=True):
        rule = f"'{entry.name}' comes after it, so the host must compute it, which it cannot"
        require(isinstance(node, HOST_CAPABLE), node, rule)
        reads = [edge.source for edge in node.inputs]
        told = f"reads '{', '.join(reads)}'; the host computes a chain, so '{source}' alone"
        require(reads == [source], node, told)
        require(node.inputs[0].delay == 0, node, "the host delays no signal")
    for node in network.nodes[len(before) + 1 :]:
        for edge in node.inputs:
            rule = f"reads '{edge.source}', but only '{entry.name}' enters the chip"
            require(edge.source not in chain, node, rule)


_UNCLIPPED = {
    "sum": ("a sum", "its accumulator's"),
    "product": ("a product", "an engine's"),
    "aligned": ("an aligned input", "its state's"),
    "centred": ("a centred input", "its state's"),
    "total": ("a sum over channels", "its two words'"),
}
"""What no node clips, as its bound names it, and what holds it."""


def _check_accumulators(network: Network) -> None:
    """Prove that nothing unclipped can leave its width, whatever the input."""
    for name, bound in bound_network(network).items():
        for quantity, (told, holder) in _UNCLIPPED.items():
            if quantity in bound.reached and bound.can_exceed(quantity):
                worst, limit = bound.reached[quantity].max(), bound.limits[quantity]
                rule = f"{told} can reach {worst:.0f}, over {holder} {limit}"
                require(False, network[name], rule)


def _check_timing(network: Network) -> None:
    latency = latencies(network)
    host = host_part(network)
    for node in network:
        arrivals = [(e.source, latency[e.source] + e.delay) for e in node.inputs]
        if len({steps for _, steps in arrivals}) > 1:
            told = ", ".join(f"{source} after {steps}" for source, steps in arrivals)
            require(False, node, f"its inputs arrive at different steps: {told}")
        if node not in host:
            for edge in node.inputs:
                steps = node.crossing  # type: ignore[attr-defined]  # integer stage
                told = f"its input takes {edge.delay} steps, but crossing it takes {steps}"
                require(edge.delay >= steps, node, told)
