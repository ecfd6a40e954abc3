"""What each process of a placed network costs; see ``ir/cost.py`` for what is counted.

A dendrite can be lowered in two ways. ``channel``: the programmable neuron of its channel holds all
its modes. ``mode``: each mode is a neuron of its own, as in the published S4D port; its input and
its contribution are then messages inside the core, through synapses of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from snn_deploy.errors import NetworkError
from snn_deploy.ir.cost import SUM_SLOTS, UNIT_WEIGHT_BITS, Memory, NodeCost
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import path_delay

__all__ = ["LIF_OPERATIONS", "Lowering", "Memory", "NodeCost", "cost_network", "cost_node"]

Lowering = Literal["channel", "mode"]

LIF_OPERATIONS = 7
"""Instructions of one LIF update, of which published constants are: multiply-and-shift (decay),
shift and add (drive), minimum and maximum (clip), compare, select (reset). Other programs are
measured in these; that the LIF's own program counts as many is tested."""


def cost_network(network: Network, lowering: Lowering = "channel") -> dict[str, NodeCost]:
    """Cost every node of a lowered network's part on the chip, by name."""
    chip = chip_part(network)
    return {node.name: cost_node(chip, node, lowering) for node in chip}


def cost_node(network: Network, node: Any, lowering: Lowering = "channel") -> NodeCost:
    """Cost one node of a lowered network; ``lowering`` is how dendrites are.

    Raises
    ------
    NetworkError
        If the node is of a kind that has no cost, as those of other stages.
    """
    if not getattr(node, "lowered", False):
        raise NetworkError(f"node '{node.name}' ({node.kind}) has no cost: lower the network first")
    cost: NodeCost = node.cost(network)
    if lowering == "mode" and node.modes is not None:
        cost = _spread_modes(network, node, cost)
    return replace(cost, memory=cost.memory + Memory(delays=_delay_bits(network, node)))


def _delay_bits(network: Network, node: Any) -> int:
    """Bits a channel in which a one-to-one path waits; synapses hold theirs in accumulators."""
    if node.synaptic:
        return 0
    paths = zip(node.inputs, network.sources(node), strict=True)
    return sum(path_delay(node, edge) * source.output.bits for edge, source in paths)  # type: ignore[attr-defined]


def _spread_modes(network: Network, node: Any, cost: NodeCost) -> NodeCost:
    """Turn a dendrite of one neuron into one of a neuron a mode."""
    modes = node.modes
    (source,) = network.sources(node)
    inputs = SUM_SLOTS * source.output.bits * modes  # type: ignore[attr-defined]  # lowered stage
    contributions = SUM_SLOTS * node.sum_bits
    return replace(
        cost,
        neurons=modes,
        own_messages=1 + modes,
        own_synops=2 * modes,
        memory=cost.memory
        + Memory(
            weights=2 * modes * UNIT_WEIGHT_BITS,
            accumulators=inputs + contributions,
        ),
    )
