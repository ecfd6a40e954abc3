"""The rules of each stage; the pipeline checks them after every pass.

Structure: legal nodes, unique names, inputs that come earlier, widths that fit. For integer stages
also numbers: every parameter within the bits that its node declares, one exponent where signals are
added, no accumulator that any input could overflow. For the lowered stage also time: all paths into
a node take equally long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import NetworkError
from snn_deploy.ir import encoder_decoder_nodes, float_nodes, integer_nodes
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.integer_nodes import (
    Accumulator,
    Dendrite,
    Gate,
    Input,
    LifSoma,
    ModeBank,
    QuantizedGlu,
    QuantizedLinear,
    QuantizedSsm,
    Relay,
    Rescale,
    SigmoidGate,
    Synapses,
)
from snn_deploy.ir.network import Network, Stage
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import latencies

__all__ = ["LEGAL", "verify_network"]

_PROCESSES: tuple[type[Node], ...] = (
    Input,
    Synapses,
    Dendrite,
    LifSoma,
    Gate,
    Relay,
    Accumulator,
)
LEGAL: dict[Stage, tuple[type[Node], ...]] = {
    "float": tuple(
        value
        for module in (float_nodes, encoder_decoder_nodes)
        for name in module.__all__
        if isinstance(value := getattr(module, name), type) and issubclass(value, Node)
    ),
    "integer": (*_PROCESSES, QuantizedLinear, QuantizedSsm, QuantizedGlu),
    "lowered": _PROCESSES,
}
MAX_DRIVE_BITS = 18  # Loihi shifts a drive left by 6 into a 24-bit register
MAX_SHIFT = 47


def verify_network(network: Network) -> None:
    """Check every rule of the network's stage.

    Raises
    ------
    NetworkError
        Naming the node, the rule and the numbers.
    """
    _check_structure(network)
    if network.stage == "float":
        return
    for node in network:
        _check_widths(network, node)
        _CHECKS[type(node)](network, node)
    _check_accumulators(network)
    if network.stage == "lowered":
        _check_timing(network)


def _require(condition: bool, node: Node, rule: str) -> None:
    if not condition:
        raise NetworkError(f"node '{node.name}' ({node.kind}): {rule}")


def _check_structure(network: Network) -> None:
    if not network.nodes:
        raise NetworkError(f"a network of stage '{network.stage}' has no nodes")
    seen: set[str] = set()
    for node in network:
        legal = LEGAL[network.stage]
        names = ", ".join(kind.__name__ for kind in legal)
        _require(isinstance(node, legal), node, f"not legal in stage '{network.stage}' ({names})")
        _require(node.name not in seen, node, "another node has the same name")
        for edge in node.inputs:
            _require(edge.source in seen, node, f"reads '{edge.source}', which is not before it")
            _require(edge.delay >= 0, node, f"the path from '{edge.source}' has a negative delay")
        seen.add(node.name)


def _check_widths(network: Network, node: Node) -> None:
    sources = network.sources(node)
    _require(bool(sources) != isinstance(node, Input), node, "has no input")
    for source in sources:
        expected = _input_width(node)
        _require(
            source.width == expected,
            node,
            f"takes {expected} channels, but '{source.name}' gives {source.width}",
        )
    if not isinstance(node, Relay):
        _require(len(sources) <= 1, node, f"takes one input, not {len(sources)}")


def _input_width(node: Node) -> int:
    if isinstance(node, Synapses | QuantizedLinear):
        return int(node.weight.shape[1])
    if isinstance(node, Gate | QuantizedGlu):
        return 2 * node.width
    return node.width


def _fits(value: Any, bits: int) -> bool:
    return bool(np.all(np.abs(np.asarray(value, dtype=np.int64)) <= fp.limit_of(bits)))


def _shifts(value: Any, low: int = 0, high: int = MAX_SHIFT) -> bool:
    return bool(np.all((np.asarray(value) >= low) & (np.asarray(value) <= high)))


def _check_input(network: Network, node: Input) -> None:
    _require(network.nodes[0] is node, node, "is not the first node")


def _check_weights(network: Network, node: Synapses | QuantizedLinear) -> None:
    bits = node.weight_bits
    _require(_fits(node.weight, bits), node, f"a weight exceeds {bits} bits")
    if isinstance(node, QuantizedLinear):
        _check_rescale(node, node.rescale, node.width)


def _check_rescale(node: Node, rescale: Rescale, width: int) -> None:
    for name in ("mantissa", "shift", "bias"):
        shape = getattr(rescale, name).shape
        _require(shape == (width,), node, f"{name} has shape {shape}, not ({width},)")
    _require(_fits(rescale.mantissa, rescale.bits), node, f"a gain exceeds {rescale.bits} bits")
    _require(_shifts(rescale.shift), node, f"a shift is outside 0 … {MAX_SHIFT}")


def _check_relay(network: Network, node: Relay) -> None:
    if node.rescale is not None:
        _check_rescale(node, node.rescale, node.width)
    exponents = [
        source.output.exponents(node.width)  # type: ignore[attr-defined]  # integer stage
        for source in network.sources(node)
    ]
    if node.align is not None:
        expected = (len(exponents), node.width)
        _require(node.align.shape == expected, node, f"align has a shape other than {expected}")
        _require(_shifts(node.align, -MAX_SHIFT, 24), node, f"align is outside -{MAX_SHIFT} … 24")
        exponents = [e + shift for e, shift in zip(exponents, node.align, strict=True)]
    if node.rescale is None:
        exponents.append(node.output.exponents(node.width))
    for other in exponents[1:]:
        _require(np.array_equal(exponents[0], other), node, "adds signals of different exponents")


def _check_bank(node: Node, bank: ModeBank) -> None:
    bits = bank.coefficient_bits
    for name in ("decay_real", "decay_imag", "readout_real", "readout_imag"):
        value = getattr(bank, name)
        expected = (node.width, bank.modes)
        _require(value.shape == expected, node, f"{name} has shape {value.shape}, not {expected}")
        _require(_fits(value, bits), node, f"{name} exceeds {bits} bits")
    _require(_shifts(bank.input_shift, -24, 24), node, "input_shift is outside -24 … 24")
    _require(_shifts(bank.readout_shift), node, f"readout_shift is outside 0 … {MAX_SHIFT}")
    modulus = np.hypot(bank.decay_real, bank.decay_imag)
    _require(
        bool(np.all(modulus < 2.0**bank.decay_shift)), node, "a decay is not inside the unit circle"
    )


def _check_driven(network: Network, node: Dendrite | QuantizedSsm) -> None:
    banks = (node.bank,) if isinstance(node, Dendrite) else (node.forward, node.reverse)
    for bank in banks:
        if bank is not None:
            _check_bank(node, bank)
    _require(_shifts(node.skip_shift), node, f"skip_shift is outside 0 … {MAX_SHIFT}")
    _require(_shifts(node.drive_shift), node, f"drive_shift is outside 0 … {MAX_SHIFT}")


def _check_lif(network: Network, node: LifSoma) -> None:
    (source,) = network.sources(node)
    bits = source.output.bits  # type: ignore[attr-defined]  # integer stage
    _require(bits <= MAX_DRIVE_BITS, node, f"a drive of {bits} bits, over {MAX_DRIVE_BITS}")
    _require(0 <= node.threshold < 1 << 17, node, f"threshold {node.threshold} exceeds 17 bits")
    _require(0 <= node.decay < 1 << 12, node, f"decay {node.decay} is outside 0 … 4095")


def _check_sigmoid(node: Gate | QuantizedGlu, sigmoid: SigmoidGate) -> None:
    size = len(sigmoid.table)
    _require(size >= 2 and size & (size - 1) == 0, node, f"table of {size} rows: no power of two")
    _require(_fits(sigmoid.table, sigmoid.table_bits), node, "a table value exceeds table_bits")
    _require(_shifts(sigmoid.out_shift), node, f"out_shift is outside 0 … {MAX_SHIFT}")
    _require(_shifts(sigmoid.index_shift), node, f"index_shift is outside 0 … {MAX_SHIFT}")


def _check_glu(network: Network, node: QuantizedGlu) -> None:
    _check_sigmoid(node, node.sigmoid)


def _check_gate(network: Network, node: Gate) -> None:
    _check_rescale(node, node.rescale, 2 * node.width)
    _check_sigmoid(node, node.sigmoid)


def _check_accumulator(network: Network, node: Accumulator) -> None:
    _require(node.headroom_bits >= 0, node, f"headroom_bits {node.headroom_bits} is negative")
    _require(-24 <= node.guard_bits <= 24, node, f"guard_bits {node.guard_bits} outside -24 … 24")


_CHECKS: dict[type, Callable[[Network, Any], None]] = {
    integer_nodes.Input: _check_input,
    Synapses: _check_weights,
    QuantizedLinear: _check_weights,
    Relay: _check_relay,
    Dendrite: _check_driven,
    QuantizedSsm: _check_driven,
    LifSoma: _check_lif,
    Gate: _check_gate,
    QuantizedGlu: _check_glu,
    Accumulator: _check_accumulator,
}


def _check_accumulators(network: Network) -> None:
    """Prove that no unclipped sum can leave its width, whatever the input."""
    for name, bound in bound_network(network).items():
        if "sum" in bound.reached and bound.can_exceed("sum"):
            worst, limit = bound.reached["sum"].max(), bound.limits["sum"]
            rule = f"a sum can reach {worst:.0f}, over its accumulator's {limit}"
            _require(False, network[name], rule)


def _check_timing(network: Network) -> None:
    latency = latencies(network)
    for node in network:
        arrivals = {e.source: latency[e.source] + e.delay for e in node.inputs}
        if len(set(arrivals.values())) > 1:
            told = ", ".join(f"{source} after {steps}" for source, steps in arrivals.items())
            _require(False, node, f"its inputs arrive at different steps: {told}")
        if isinstance(node, Synapses):
            _require(node.inputs[0].delay >= 1, node, "messages cross synapses in no time")
