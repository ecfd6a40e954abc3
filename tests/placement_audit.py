"""Checks a placement from the network's arrays alone, sharing no code with the placer.

What a core holds is counted by slicing the very arrays that would be written to it. A placement
that passes has every channel of every process on exactly one core, processes that a path without
delay joins on the same core, and no core or chip over a limit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from plain_count import connections, is_synaptic

from snn_deploy.errors import TargetError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import Lowering
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.synapses import Synapses

__all__ = ["CoreUse", "audit_placement"]

_SHIFT_BITS = 6


@dataclass
class CoreUse:
    """What one core holds, counted afresh.

    ``channels`` by process name: the set of its output channels that live here. Bits are of all
    memory, and of synapses alone.
    """

    channels: dict[str, set[int]] = field(default_factory=dict)
    bits: int = 0
    synapse_bits: int = 0
    synapses: int = 0
    neurons: int = 0
    in_axons: int = 0
    out_axons: int = 0

    @property
    def bytes(self) -> int:
        """All memory, rounded up."""
        return math.ceil(self.bits / 8)


def audit_placement(
    network: Network, placement: Placement, profile: Profile
) -> dict[tuple[int, int], CoreUse]:
    """Check a placement; give what each core, by chip and index, holds.

    Raises
    ------
    TargetError
        Naming the core or process, the rule, and the numbers.
    """
    uses = _locate(network, placement)
    _check_complete(network, uses)
    _check_joined(network, uses)
    for use in uses.values():
        for name, channels in use.channels.items():
            _add(use, network, network[name], np.array(sorted(channels)), placement.lowering)
    _count_axons(network, uses)
    _check_limits(uses, profile)
    return uses


def _locate(network: Network, placement: Placement) -> dict[tuple[int, int], CoreUse]:
    """Give each core the channels of each process: a population's channel i holds every
    process's channels i, i + H, i + 2 H, …; a gate's halves, for one, arrive at i and i + H.
    """
    members = {p.name: (p.nodes, p.channels) for p in placement.populations}
    uses: dict[tuple[int, int], CoreUse] = {}
    for core in placement.cores:
        if (core.chip, core.index) in uses:
            raise TargetError(f"core {core.chip}:{core.index} is placed twice")
        use = uses.setdefault((core.chip, core.index), CoreUse())
        for part in core.slices:
            names, period = members[part.population]
            for name in names:
                width = network[name].width
                held = use.channels.setdefault(name, set())
                held |= {
                    channel
                    for start in range(0, width, period)
                    for channel in range(start + part.start, start + part.stop)
                }
    return uses


def _check_complete(network: Network, uses: dict[tuple[int, int], CoreUse]) -> None:
    for node in network:
        if isinstance(node, Input):
            continue
        homes = [use.channels[node.name] for use in uses.values() if node.name in use.channels]
        placed, different = sum(map(len, homes)), len(set().union(*homes))
        if not placed == different == node.width:
            raise TargetError(
                f"'{node.name}': of {node.width} channels {different} are placed, {placed} times"
            )


def _check_joined(network: Network, uses: dict[tuple[int, int], CoreUse]) -> None:
    for use in uses.values():
        for name, channels in use.channels.items():
            for edge in network[name].inputs:
                source: Any = network[edge.source]
                if _waits(network[name], edge) or isinstance(source, Input):
                    continue
                if {c % network[name].width for c in use.channels.get(edge.source, ())} != channels:
                    raise TargetError(f"'{name}' and '{edge.source}' are on different cores")


def _add(use: CoreUse, network: Network, node: Any, rows: Any, lowering: Lowering) -> None:
    held, shared = BITS[type(node)](network, node, rows)
    for edge in node.inputs:
        source: Any = network[edge.source]
        if not is_synaptic(node):
            held += len(rows) * _waits(node, edge) * source.output.bits
    if isinstance(node, Synapses):
        weights = node.weight[rows]
        use.synapses += weights.size
        use.synapse_bits += weights.size * node.weight_bits
    elif isinstance(node, SharedSynapses):
        here = set(rows)
        use.synapses += sum(
            target in here for reached in connections(node).values() for target, _ in reached
        )
        use.synapse_bits += _filters(node, rows).size * node.weight_bits
    elif isinstance(node, Dendrite):
        if lowering == "mode":
            modes = node.bank.decay_real[rows].size
            use.neurons += modes
            use.synapse_bits += 2 * modes * 8
            held += 2 * modes * 8 + 2 * modes * _source_bits(network, node)
            held += 2 * len(rows) * node.sum_bits
    else:
        use.neurons += len(rows)
    if isinstance(node, Normalize):
        use.synapse_bits += (_half_words(node) + 2) * len(rows) * 8
    if isinstance(node, LayerSign):
        use.synapse_bits += 2 * len(rows) * 8
    use.bits += held + shared


def _waits(node: Any, edge: Edge) -> int:
    """Steps of delay on the way; a norm's six, and a maximum's three, are its own."""
    return edge.delay - {Normalize: 6, LayerSign: 3}.get(type(node), 0)


def _source_bits(network: Network, node: Any) -> int:
    source: Any = network[node.inputs[0].source]
    return int(source.output.bits)


def _synapse_bits(network: Network, node: Synapses, rows: Any) -> tuple[int, int]:
    slots = 1 + node.inputs[0].delay
    return node.weight[rows].size * node.weight_bits + len(rows) * slots * node.output.bits, 0


def _filters(node: SharedSynapses, rows: Any) -> Any:
    """The filters of some channels, each once."""
    return node.kernel[sorted({int(row) // node.windows.places for row in rows})]


def _shared_bits(network: Network, node: SharedSynapses, rows: Any) -> tuple[int, int]:
    slots = 1 + node.inputs[0].delay
    weights = _filters(node, rows).size * node.weight_bits
    return weights + len(rows) * slots * node.output.bits, 0


def _rescale_bits(rescale: Rescale, rows: Any, bias_bits: int) -> int:
    mantissa, shift, bias = rescale.mantissa[rows], rescale.shift[rows], rescale.bias[rows]
    return int(mantissa.size * rescale.bits + shift.size * _SHIFT_BITS + bias.size * bias_bits)


def _relay_bits(network: Network, node: Requantize, rows: Any) -> tuple[int, int]:
    bits = 0
    if node.align is not None:
        bits += node.align[:, rows].size * _SHIFT_BITS
    if node.rescale is not None:
        bits += _rescale_bits(node.rescale, rows, node.output.bits)
    return bits, 0


def _dendrite_bits(network: Network, node: Dendrite, rows: Any) -> tuple[int, int]:
    bank = node.bank
    coefficients = (bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag)
    bits = sum(array[rows].size for array in coefficients) * bank.coefficient_bits
    bits += (bank.input_shift[rows].size + bank.readout_shift[rows].size) * _SHIFT_BITS
    bits += 2 * bank.decay_real[rows].size * bank.state_bits
    if node.skip_mantissa.any():
        bits += node.skip_mantissa[rows].size * (bank.coefficient_bits + _SHIFT_BITS)
    return bits, 2 * _SHIFT_BITS  # decay_shift and drive_shift


def _lif_bits(network: Network, node: LifSoma, rows: Any) -> tuple[int, int]:
    return len(rows) * 24, 17 + 12  # the membrane; threshold and decay


def _gate_bits(network: Network, node: Gate, rows: Any) -> tuple[int, int]:
    both = np.concatenate([rows, rows + node.width])
    bits = _rescale_bits(node.rescale, both, node.value_bits)
    bits += node.sigmoid.out_shift[rows].size * _SHIFT_BITS
    return bits, node.sigmoid.table.size * node.sigmoid.table_bits + _SHIFT_BITS


def _accumulator_bits(network: Network, node: Accumulator, rows: Any) -> tuple[int, int]:
    return len(rows) * 48, node.reciprocal_bits + 2 * _SHIFT_BITS + 24


def _normalize_bits(network: Network, node: Normalize, rows: Any) -> tuple[int, int]:
    word = node.state_bits
    bits = _rescale_bits(node.rescale, rows, node.output.bits)
    bits += node.align[rows].size * _SHIFT_BITS
    sent = _half_words(node)
    bits += len(rows) * (sent + 2) * 8  # synapses: half words to the adder, two results back
    bits += len(rows) * 2 * 2 * word  # where the results arrive
    bits += len(rows) * 6 * word  # the aligned, then the centred value, three steps each
    # of the adder: where words arrive; epsilon, reciprocal and shifts; the roots' start values
    return bits, sent * 2 * word + 2 * word + node.reciprocal_bits + 3 * _SHIFT_BITS + 384 * 16


def _layer_sign_bits(network: Network, node: LayerSign, rows: Any) -> tuple[int, int]:
    word = _source_bits(network, node)
    bits = len(rows) * 2 * 8  # synapses: to the collector, and its answer back
    bits += len(rows) * (3 + 2) * word  # the value, three steps; where the answer arrives
    return bits, node.fraction_bits + _SHIFT_BITS + 2 * word


def _half_words(node: Normalize) -> int:
    """How many messages of half a word a value and its square, as large as they get, are."""
    largest = int((2 ** (node.state_bits - 1) - 1) ** 2) >> node.square_shift
    return 2 + max(1, math.ceil(largest.bit_length() / max(node.state_bits // 2, 1)))


def _running_sum_bits(network: Network, node: RunningSum, rows: Any) -> tuple[int, int]:
    return len(rows) * 48, _SHIFT_BITS


BITS: dict[type, Any] = {
    Synapses: _synapse_bits,
    SharedSynapses: _shared_bits,
    Requantize: _relay_bits,
    Dendrite: _dendrite_bits,
    LifSoma: _lif_bits,
    Gate: _gate_bits,
    Accumulator: _accumulator_bits,
    Normalize: _normalize_bits,
    LayerSign: _layer_sign_bits,
    RunningSum: _running_sum_bits,
}


def _count_axons(network: Network, uses: dict[tuple[int, int], CoreUse]) -> None:
    """An in-axon for each channel that speaks to a core; an out-axon for each core it speaks to."""
    senders = {
        name: {channel: use for use in uses.values() for channel in use.channels.get(name, ())}
        for name in network.names
    }
    shared = [node for node in network if isinstance(node, SharedSynapses)]
    wired = {node.name: connections(node) for node in shared}
    for use in uses.values():
        arriving: dict[str, set[int]] = defaultdict(set)
        for name, channels in use.channels.items():
            for edge in network[name].inputs:
                source: Any = network[edge.source]
                if isinstance(network[name], Synapses):  # a matrix: each message reaches all rows
                    arriving[edge.source] |= set(range(source.width))
                elif name in wired:
                    arriving[edge.source] |= {
                        channel
                        for channel, reached in wired[name].items()
                        if any(target in channels for target, _ in reached)
                    }
                elif _waits(network[name], edge) or isinstance(source, Input):
                    arriving[edge.source] |= channels
        for name, channels in arriving.items():
            use.in_axons += len(channels)
            for channel in channels:
                if channel in senders[name]:
                    senders[name][channel].out_axons += 1


def _check_limits(uses: dict[tuple[int, int], CoreUse], profile: Profile) -> None:
    chips: dict[int, list[CoreUse]] = defaultdict(list)
    for (chip, index), use in uses.items():
        chips[chip].append(use)
        asked = {
            "memory_per_core_bytes": use.bytes,
            "synaptic_memory_per_core_bytes": math.ceil(use.synapse_bits / 8),
            "neurons_per_core": use.neurons,
            "in_axons_per_core": use.in_axons,
            "out_axons_per_core": use.out_axons,
        }
        for rule, value in asked.items():
            _require(value, rule, f"core {chip}:{index}", profile)
        _require(index + 1, "cores_per_chip", f"chip {chip}", profile)
    _require(max(chips, default=0) + 1, "chips", "the network", profile)
    for chip, found in chips.items():
        _require(sum(use.synapses for use in found), "synapses_per_chip", f"chip {chip}", profile)


def _require(value: int, rule: str, where: str, profile: Profile) -> None:
    limit = profile.limits.get(rule)
    if limit is not None and value > limit:
        raise TargetError(
            f"target '{profile.name}': {where}: {rule.replace('_', ' ')}: {value:,} of {limit:,}"
        )
