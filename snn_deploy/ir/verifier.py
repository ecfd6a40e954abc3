"""The rules of each stage; the pipeline checks them after every pass.

Structure: legal nodes, unique names, inputs that come earlier, widths that fit. For integer stages
also numbers: every array of its shape, every parameter within the bits that its node declares, one
exponent where signals are added, no accumulator that any input could overflow. For the lowered
stage also time: all paths into a node take equally long. Engines rely on all of it without looking
again, also for networks that come from a file. The rules of each kind of node are its own.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from snn_deploy.errors import NetworkError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.head import check_head
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network, Stage
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import arrival, latencies
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.rules import require, within

__all__ = ["check_accumulators", "verify_network"]


MAX_EXPONENT = 1000  # beyond it a float64 cannot hold what one unit stands for


def verify_network(network: Network) -> None:
    """Check every rule of the network's stage.

    Raises
    ------
    NetworkError
        Naming the node, the rule and the numbers.
    """
    _check_structure(network)
    _check_outputs(network)
    check_head(network)
    if network.stage == "float":
        return
    for node in network:
        _check_output(node)
        _check_widths(network, node)
        node.check(network)  # type: ignore[attr-defined]  # integer stage
    _check_host(network)
    _check_loops(network)
    check_accumulators(network)
    if network.stage == "lowered":
        _check_timing(network)


def _check_structure(network: Network) -> None:
    if not network.nodes:
        raise NetworkError(f"a network of stage '{network.stage}' has no nodes")
    seen: set[str] = set()
    legal, names = legal_kinds(network.stage), set(network.names)
    for node in network:
        told = f"not legal in stage '{network.stage}' ({', '.join(legal)})"
        known = type(node) in legal.values() or _computes_itself(network.stage, node)
        require(known, node, told)
        require(node.name not in seen, node, "another node has the same name")
        first = len(seen) < len(network.inputs) or not node.is_input
        require(first, node, f"comes after '{network.nodes[0].name}' and others: inputs come first")
        _check_edges(node, seen, names)
        seen.add(node.name)


def _check_outputs(network: Network) -> None:
    answers = len(network.answers)  # type: ignore[arg-type]  # a tuple, once it is made
    if not 1 <= answers == len(network.outputs):
        told = ", ".join(network.outputs) or "none"
        raise NetworkError(f"{answers} answers, of the nodes {told}: need one of each node")


def _computes_itself(stage: Stage, node: Any) -> bool:
    return stage == "float" and isinstance(node, FloatNode)


def _check_edges(node: Node, seen: set[str], names: Collection[str]) -> None:
    for edge in node.inputs:
        require(edge.delay >= 0, node, f"the path from '{edge.source}' has a negative delay")
        require(edge.steps_back >= 0, node, f"reads '{edge.source}' of a step to come")
        back = f"reads '{edge.source}', which is not before it"
        known = edge.source in seen or (edge.steps_back >= 1 and edge.source in names)
        require(known, node, back if edge.steps_back == 0 else f"reads '{edge.source}': no node")
    forwards = not node.inputs or any(edge.source in seen for edge in node.inputs)
    require(forwards, node, "reads nothing but nodes after it; put it behind what it reads")


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
    node.check_output()


def _check_widths(network: Network, node: Any) -> None:
    sources = network.sources(node)
    if node.is_input:
        require(not sources, node, "reads another node")
    else:
        require(bool(sources), node, "has no input")
    for source in sources:
        told = f"takes {node.input_width} channels, but '{source.name}' gives {source.width}"
        require(source.width == node.input_width, node, told)
    if node.ports is not None and not node.is_input:
        takes = {1: "one input", 2: "two inputs"}[node.ports]
        require(len(sources) == node.ports, node, f"takes {takes}, not {len(sources)}")


def _check_host(network: Network) -> None:
    """Check that what the host computes is a chain, so that one signal of it enters the chip."""
    host = network.placed("host")
    for node in host:
        readers = network.consumers(node.name)
        inside = [reader for reader in readers if reader in host]
        for reader in inside:
            rule = f"'{reader.name}' comes after it, so the host must compute it, which it cannot"
            require("host" in node.places, node, rule)
        for reader in readers if inside else ():
            rule = f"reads '{node.name}', as only '{inside[0].name}' can: the host computes a chain"
            require(reader is inside[0], reader, rule)
        reads = ", ".join(edge.source for edge in node.inputs)
        told = f"reads '{reads}'; the host computes a chain, so one signal alone"
        require(len(node.inputs) <= 1, node, told)
        for edge in node.inputs:
            require(edge.delay == 0 == edge.steps_back, node, "the host delays no signal")


def _check_loops(network: Network) -> None:
    """Check that nodes which read each other's past can take turns, step by step."""
    for node in network:
        for edge in node.inputs if node.runs_backwards else ():
            told = f"runs backwards in time, so it cannot read '{edge.source}' of a step before"
            require(edge.steps_back == 0, node, told)
    for group in groups(network):
        for node in group if is_recurrent(group) else ():
            backwards = node.runs_backwards
            require(not backwards, node, "runs backwards in time, so it cannot be in a loop")
            require(not hasattr(node, "run"), node, "has no step of its own, to be in a loop")


_UNCLIPPED = {
    "sum": ("a sum", "its accumulator's"),
    "product": ("a product", "an engine's"),
    "aligned": ("an aligned input", "its state's"),
    "centred": ("a centred input", "its state's"),
    "total": ("a sum over channels", "its two words'"),
}
"""What no node clips, as its bound names it, and what holds it."""


def check_accumulators(network: Network) -> None:
    """Prove that nothing unclipped can leave its width, whatever the input."""
    for name, bound in bound_network(network).items():
        for quantity, (told, holder) in _UNCLIPPED.items():
            if quantity in bound.reached and bound.can_exceed(quantity):
                worst, limit = bound.reached[quantity].max(), bound.limits[quantity]
                rule = f"{told} can reach {worst:.0f}, over {holder} {limit}"
                require(False, network[name], rule)


def _check_timing(network: Network) -> None:
    latency = latencies(network)
    for node in network:
        arrivals = [(e.source, arrival(latency, e)) for e in node.inputs]
        if len({steps for _, steps in arrivals}) > 1:
            told = ", ".join(f"{source} after {steps}" for source, steps in arrivals)
            require(False, node, f"its inputs arrive at different steps: {told}")
        for edge in node.inputs:
            early = -arrival(latency, edge)
            told = f"reads '{edge.source}' of {edge.steps_back} steps before, {early} too early: "
            require(early <= 0, node, f"{told}delay that edge by as many")
        if network.placement[node.name] == "chip":
            for edge in node.inputs:
                steps = node.crossing  # type: ignore[attr-defined]  # integer stage
                told = f"its input takes {edge.delay} steps, but crossing it takes {steps}"
                require(edge.delay >= steps, node, told)
