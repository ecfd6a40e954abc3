"""What each process costs on a chip: neurons, compartments, synapses, bits of memory, operations.

All channels of a process cost the same, so a cost is given for one channel, beside what every core
that holds any of its channels must store once (a table, a shared constant). Memory is counted in
bits, exactly as the node declares its widths; only a core's total is rounded up to bytes.

A dendrite can be lowered in two ways. ``channel``: the programmable neuron of its channel holds all
its modes. ``mode``: each mode is a neuron of its own, as in the published S4D port; its input and
its contribution are then messages inside the core, through synapses of their own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import NetworkError
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import path_delay

__all__ = [
    "LIF_OPERATIONS",
    "Lowering",
    "Memory",
    "NodeCost",
    "cost_network",
    "cost_node",
]

Lowering = Literal["channel", "mode"]

SHIFT_BITS = 6  # holds 0 … 47, and -24 … 24
SUM_SLOTS = 2  # an accumulator fills for the next step while this step's is read
LIF_OPERATIONS = 7
"""Operations of one LIF update: multiply-and-shift (decay), shift and add (drive), minimum and
maximum (clip), compare, select (reset). Other programs are measured in these."""

_MODE_OPERATIONS = 16  # 6 multiply-and-shift, 2 + 1 + 2 additions, 1 shift, 2 clips of 2
_MODE_MACS = 6  # 4 of a complex product, 2 of its readout
_CLIP = 2
_POOL_STATE_BITS = 48
_UNIT_WEIGHT_BITS = 8  # a synapse that only passes its message on
_NORM_RESULTS = 2  # messages that a norm's channel hears: the mean, and the root


@dataclass(frozen=True)
class Memory:
    """Bits by what they hold.

    ``weights`` of synapses; ``coefficients``: gains, decays, shifts, thresholds, biases;
    ``tables``; ``state`` that persists from step to step; ``accumulators`` of synaptic input, two
    slots each; ``delays``: signals that wait for a later step.
    """

    weights: int = 0
    coefficients: int = 0
    tables: int = 0
    state: int = 0
    accumulators: int = 0
    delays: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(*map(operator.add, self._parts, other._parts))

    def __mul__(self, times: int) -> Memory:
        return Memory(*(part * times for part in self._parts))

    @property
    def _parts(self) -> tuple[int, ...]:
        kinds = (self.weights, self.coefficients, self.tables)
        return (*kinds, self.state, self.accumulators, self.delays)

    @property
    def bits(self) -> int:
        """Sum of all."""
        return sum(self._parts)

    @property
    def bytes(self) -> int:
        """Sum of all, rounded up to whole bytes."""
        return -(-self.bits // 8)

    @property
    def synaptic_bytes(self) -> int:
        """What a chip keeps in its synaptic memory: the weights."""
        return -(-self.weights // 8)


@dataclass(frozen=True)
class NodeCost:
    """Cost of one process.

    Parameters
    ----------
    channels
        How many channels the other figures are for one of.
    neurons
        Neurons a channel: 1 for each program that runs once a step; 0 for synapses, and for
        dendrites that lie within their soma's neuron.
    compartments
        Real compartments a channel: 2 for a complex mode.
    synapses, nonzero_synapses
        Synapses a channel; and how many of the whole process are not zero.
    operations
        Operations of the neuron's program in a channel and step; see :data:`LIF_OPERATIONS`.
    macs
        How many of them are multiplications.
    own_messages, own_synops
        Messages within the process, a channel and step, and the synaptic operations they cause.
    memory, shared
        Bits a channel; bits a core that holds at least one channel.
    """

    channels: int
    neurons: int = 0
    compartments: int = 0
    synapses: int = 0
    nonzero_synapses: int = 0
    operations: int = 0
    macs: int = 0
    own_messages: int = 0
    own_synops: int = 0
    memory: Memory = field(default_factory=Memory)
    shared: Memory = field(default_factory=Memory)

    @property
    def total(self) -> Memory:
        """Bits of all channels, the shared ones once."""
        return self.memory * self.channels + self.shared


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
    if type(node) not in COSTS:
        raise NetworkError(f"node '{node.name}' ({node.kind}) has no cost: lower the network first")
    cost = COSTS[type(node)](network, node)
    if lowering == "mode" and isinstance(node, nodes.Dendrite):
        cost = _spread_modes(network, node, cost)
    return replace(cost, memory=cost.memory + Memory(delays=_delay_bits(network, node)))


def _delay_bits(network: Network, node: Any) -> int:
    """Bits a channel in which a one-to-one path waits; synapses hold theirs in accumulators."""
    if isinstance(node, nodes.Synapses):
        return 0
    paths = zip(node.inputs, network.sources(node), strict=True)
    return sum(path_delay(node, edge) * source.output.bits for edge, source in paths)  # type: ignore[attr-defined]


def _input(network: Network, node: nodes.Input) -> NodeCost:
    return NodeCost(channels=node.width)  # the host's work


def _synapses(network: Network, node: nodes.Synapses) -> NodeCost:
    fan_in = int(node.weight.shape[1])
    slots = SUM_SLOTS - 1 + node.inputs[0].delay
    return NodeCost(
        channels=node.width,
        synapses=fan_in,
        nonzero_synapses=int(np.count_nonzero(node.weight)),
        memory=Memory(weights=fan_in * node.weight_bits, accumulators=slots * node.output.bits),
    )


def _rescale_memory(rescale: nodes.Rescale, bias_bits: int) -> Memory:
    return Memory(coefficients=rescale.bits + SHIFT_BITS + bias_bits)


def _relay(network: Network, node: nodes.Requantize) -> NodeCost:
    operations, macs, memory = len(node.inputs) - 1 + _CLIP, 0, Memory()
    if node.align is not None:
        operations += len(node.inputs)
        memory += Memory(coefficients=len(node.inputs) * SHIFT_BITS)
    if node.rescale is not None:
        operations, macs = operations + 2, 1
        memory += _rescale_memory(node.rescale, node.output.bits)
    return NodeCost(node.width, neurons=1, operations=operations, macs=macs, memory=memory)


def _dendrite(network: Network, node: nodes.Dendrite) -> NodeCost:
    bank = node.bank
    mode = Memory(
        coefficients=4 * bank.coefficient_bits + 2 * SHIFT_BITS,
        state=2 * bank.state_bits,
    )
    operations, macs = bank.modes * _MODE_OPERATIONS + 1 + _CLIP, bank.modes * _MODE_MACS
    memory = mode * bank.modes
    if np.any(node.skip_mantissa):
        operations, macs = operations + 2, macs + 1
        memory += Memory(coefficients=bank.coefficient_bits + SHIFT_BITS)
    return NodeCost(
        node.width,
        compartments=2 * bank.modes,
        operations=operations,
        macs=macs,
        memory=memory,
        shared=Memory(coefficients=2 * SHIFT_BITS),
    )


def _spread_modes(network: Network, node: nodes.Dendrite, cost: NodeCost) -> NodeCost:
    """Turn a dendrite of one neuron into one of a neuron a mode."""
    modes = node.bank.modes
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
            weights=2 * modes * _UNIT_WEIGHT_BITS,
            accumulators=inputs + contributions,
        ),
    )


def _lif(network: Network, node: nodes.LifSoma) -> NodeCost:
    return NodeCost(
        node.width,
        neurons=1,
        operations=LIF_OPERATIONS,
        macs=1,
        memory=Memory(state=fp.MEMBRANE_BITS),
        shared=Memory(coefficients=17 + fp.DECAY_UNITY_BITS),
    )


def _gate(network: Network, node: nodes.Gate) -> NodeCost:
    table = len(node.sigmoid.table) * node.sigmoid.table_bits
    return NodeCost(
        node.width,
        neurons=1,
        # twice multiply-and-shift, add, clip; index: shift, add, clip, look-up; then the product
        operations=2 * (2 + _CLIP) + (3 + _CLIP) + (1 + _CLIP),
        macs=3,
        memory=_rescale_memory(node.rescale, node.value_bits) * 2 + Memory(coefficients=SHIFT_BITS),
        shared=Memory(tables=table, coefficients=SHIFT_BITS),
    )


def _normalize(network: Network, node: nodes.Normalize) -> NodeCost:
    """Cost a norm: its value, then its square, go to the core's adder in half words, whose sums fit
    an accumulator; a result comes back. Value and centred value wait for as long as that takes.
    """
    word = node.state_bits
    square_bits = max(2 * (word - 1) - node.square_shift, 1)
    sent = 2 + -(-square_bits // max(word // 2, 1))
    table = fp.inverse_root_table()
    memory = _rescale_memory(node.rescale, node.output.bits) + Memory(
        weights=(sent + _NORM_RESULTS) * _UNIT_WEIGHT_BITS,
        coefficients=SHIFT_BITS,
        accumulators=_NORM_RESULTS * SUM_SLOTS * word,
        delays=node.holding * word,
    )
    return NodeCost(
        node.width,
        neurons=1,
        # align; take the mean off; the square's three products, shifted and added; what is sent,
        # shifted and cut; times the root; times the gain, bias and clip
        operations=1 + 1 + 3 * 3 + 2 * sent + 1 + (2 + _CLIP),
        macs=3 + 1 + 1,
        own_messages=sent,
        own_synops=sent + _NORM_RESULTS,
        memory=memory,
        shared=Memory(
            coefficients=node.reciprocal_bits + 2 * word + 3 * SHIFT_BITS,
            tables=len(table) * fp.ROOT_BITS,
            accumulators=sent * SUM_SLOTS * word,
        ),
    )


def _accumulator(network: Network, node: nodes.Accumulator) -> NodeCost:
    return NodeCost(
        node.width,
        neurons=1,
        operations=2,  # the sum is held in two words
        memory=Memory(state=_POOL_STATE_BITS),
        shared=Memory(coefficients=node.reciprocal_bits + 2 * SHIFT_BITS, state=24),  # step counter
    )


def _running_sum(network: Network, node: nodes.RunningSum) -> NodeCost:
    return NodeCost(
        node.width,
        neurons=1,
        operations=2 + 1 + _CLIP,  # the sum is held in two words; a shift
        memory=Memory(state=_POOL_STATE_BITS),
        shared=Memory(coefficients=SHIFT_BITS),
    )


COSTS: dict[type, Callable[[Network, Any], NodeCost]] = {
    nodes.Input: _input,
    nodes.Synapses: _synapses,
    nodes.Requantize: _relay,
    nodes.Dendrite: _dendrite,
    nodes.LifSoma: _lif,
    nodes.Gate: _gate,
    nodes.Accumulator: _accumulator,
    nodes.Normalize: _normalize,
    nodes.RunningSum: _running_sum,
}
