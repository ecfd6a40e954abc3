"""The rules of each kind of integer node: shapes, widths and ranges of all that it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import NetworkError
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.host_nodes import EmbeddingTable, Positions, Window
from snn_deploy.ir.integer_nodes import (
    Accumulator,
    Dendrite,
    Gate,
    Input,
    LifSoma,
    ModeBank,
    Normalize,
    QuantizedGlu,
    QuantizedLinear,
    QuantizedSsm,
    Requantize,
    Rescale,
    RunningSum,
    SigmoidGate,
    Synapses,
)
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["NODE_RULES", "require", "within"]

MAX_DRIVE_BITS = 18  # Loihi shifts a drive left by 6 into a 24-bit register
MAX_SHIFT = 47
MAX_FACTOR_BITS = 32  # what coefficients are stored in
MAX_PRODUCT_BITS = 63  # factors of together so many signed bits have a product below 2**62
MAX_WINDOW = 1 << 16  # steps to either side of one
MAX_MESSAGE_BITS = 24  # a longer word would fill a pool's 48-bit sum in fewer than 2**24 steps


def require(condition: bool, node: Node, rule: str) -> None:
    """Refuse a network in which a node breaks a rule.

    Raises
    ------
    NetworkError
        Naming the node and the rule.
    """
    if not condition:
        raise NetworkError(f"node '{node.name}' ({node.kind}): {rule}")


def _fits(value: Any, bits: int) -> bool:
    return bool(np.all(np.abs(np.asarray(value, dtype=np.int64)) <= fp.limit_of(bits)))


def within(value: Any, low: int, high: int) -> bool:
    """Tell whether all of ``value`` is ``low`` … ``high``."""
    return bool(np.all((np.asarray(value) >= low) & (np.asarray(value) <= high)))


def _require_range(node: Node, what: str, value: int, low: int, high: int) -> None:
    require(low <= value <= high, node, f"{what} {value} is outside {low} … {high}")


def _require_shape(node: Node, what: str, value: Any, shape: tuple[int, ...]) -> None:
    require(value.shape == shape, node, f"{what} has shape {value.shape}, not {shape}")


def _require_shifts(
    node: Node, what: str, value: Any, shape: tuple[int, ...], low: int = 0, high: int = MAX_SHIFT
) -> None:
    _require_shape(node, what, value, shape)
    require(within(value, low, high), node, f"{what} is outside {low} … {high}")


def _require_product(node: Node, what: str, *bits: int) -> None:
    told = " + ".join(map(str, bits))
    require(sum(bits) <= MAX_PRODUCT_BITS, node, f"{what}: {told} bits, over {MAX_PRODUCT_BITS}")


def _check_input(network: Network, node: Input) -> None:
    require(network.nodes[0] is node, node, "is not the first node")
    if node.output.signed or node.output == SPIKE:
        return
    for reader in network.consumers(node.name):
        rule = f"'{reader.name}' reads it, so its output must be signed, or spikes, {SPIKE}"
        require(isinstance(reader, EmbeddingTable), node, rule)


def _check_entries(node: Node, table: Any, bits: int) -> None:
    """Check that a table's numbers fit."""
    require(table.ndim == 2 and table.size > 0, node, f"table of shape {table.shape}")
    limit = fp.limit_of(bits)
    fits = -limit <= int(table.min()) and int(table.max()) <= limit
    require(fits, node, f"an entry of its table exceeds {bits} bits")


def _check_lookup(network: Network, node: EmbeddingTable) -> None:
    require(bool(node.clusters), node, "has no table")
    for cluster in node.clusters:
        projection = cluster.projection
        bits = node.output.bits if projection is None else MAX_FACTOR_BITS
        _check_entries(node, cluster.table, bits)
        rows, inner = cluster.table.shape
        if projection is None:
            _require_shape(node, "a table", cluster.table, (rows, node.width))
        else:
            _require_shape(node, "a projection", projection.weight, (node.width, inner))
            _check_rescale(node, projection.rescale, node.width)
    tokens = network.sources(node)[0].output  # type: ignore[attr-defined]  # integer stage
    require(
        tokens.exponent == 0 and not tokens.signed and node.vocabulary <= tokens.limit + 1,
        node,
        f"reads {tokens}, which does not stand for tokens 0 … {node.vocabulary - 1}",
    )


def _check_positions(network: Network, node: Positions) -> None:
    (source,) = network.sources(node)
    _check_entries(node, node.table, MAX_FACTOR_BITS)
    _require_shape(node, "its table", node.table, (len(node.table), node.width))
    exponents = source.output.exponents(node.width)  # type: ignore[attr-defined]  # integer stage
    if node.align is not None:
        _require_shifts(node, "align", node.align, (node.width,), -MAX_SHIFT, 24)
        exponents = exponents + node.align
    same = np.array_equal(exponents, node.output.exponents(node.width))
    require(same, node, "adds signals of different exponents")


def _check_window(network: Network, node: Window) -> None:
    (source,) = network.sources(node)
    form = source.output  # type: ignore[attr-defined]  # integer stage
    require(isinstance(source, Input), node, f"reads '{source.name}', which is no Input")
    for what in ("before", "after"):
        _require_range(node, what, getattr(node, what), 0, MAX_WINDOW)
    exponents = np.tile(form.exponents(node.channels), node.steps)
    same = np.array_equal(exponents, node.output.exponents(node.width))
    require(same and form.bits == node.output.bits, node, "its output's format is not its input's")


def _check_weights(network: Network, node: Synapses | QuantizedLinear) -> None:
    bits = node.weight_bits
    _require_range(node, "weight_bits", bits, 2, 8)
    require(_fits(node.weight, bits), node, f"a weight exceeds {bits} bits")
    if isinstance(node, QuantizedLinear):
        _require_range(node, "sum_bits", node.sum_bits, 2, 48)
        _check_rescale(node, node.rescale, node.width)


def _check_rescale(node: Node, rescale: Rescale, width: int) -> None:
    _require_range(node, "bits", rescale.bits, 2, MAX_FACTOR_BITS)
    _require_shape(node, "mantissa", rescale.mantissa, (width,))
    _require_shape(node, "bias", rescale.bias, (width,))
    _require_shifts(node, "shift", rescale.shift, (width,))
    require(_fits(rescale.mantissa, rescale.bits), node, f"a gain exceeds {rescale.bits} bits")


def _check_relay(network: Network, node: Requantize) -> None:
    if node.rescale is not None:
        _check_rescale(node, node.rescale, node.width)
    exponents = [
        source.output.exponents(node.width)  # type: ignore[attr-defined]  # integer stage
        for source in network.sources(node)
    ]
    if node.align is not None:
        shape = (len(exponents), node.width)
        _require_shifts(node, "align", node.align, shape, -MAX_SHIFT, 24)
        exponents = [e + shift for e, shift in zip(exponents, node.align, strict=True)]
    if node.rescale is None:
        exponents.append(node.output.exponents(node.width))
    for other in exponents[1:]:
        require(np.array_equal(exponents[0], other), node, "adds signals of different exponents")


def _check_bank(node: Node, bank: ModeBank, source_bits: int) -> None:
    require(bank.decay_real.ndim == 2, node, "decay_real is no matrix, channels × modes")
    shape = (node.width, bank.modes)
    bits = bank.coefficient_bits
    _require_range(node, "coefficient_bits", bits, 2, MAX_FACTOR_BITS)
    _require_range(node, "state_bits", bank.state_bits, 2, 48)
    _require_range(node, "decay_shift", bank.decay_shift, 0, MAX_SHIFT)
    _require_product(node, "compartments times coefficients", bank.state_bits, bits)
    for name in ("decay_real", "decay_imag", "readout_real", "readout_imag"):
        value = getattr(bank, name)
        _require_shape(node, name, value, shape)
        require(_fits(value, bits), node, f"{name} exceeds {bits} bits")
    _require_shifts(node, "input_shift", bank.input_shift, shape, -24, 24)
    _require_product(node, "inputs shifted by up to 24", source_bits, 24)
    _require_shifts(node, "readout_shift", bank.readout_shift, shape)
    modulus = np.hypot(bank.decay_real, bank.decay_imag)
    require(
        bool(np.all(modulus < 2.0**bank.decay_shift)), node, "a decay is not inside the unit circle"
    )


def _check_driven(network: Network, node: Dendrite | QuantizedSsm) -> None:
    (source,) = network.sources(node)
    banks = (node.bank,) if isinstance(node, Dendrite) else (node.forward, node.reverse)
    _require_shifts(node, "skip_shift", node.skip_shift, (node.width,))
    _require_range(node, "drive_shift", node.drive_shift, 0, MAX_SHIFT)
    _require_range(node, "sum_bits", node.sum_bits, 2, 48)
    for bank in banks:
        if bank is not None:
            _check_bank(node, bank, source.output.bits)  # type: ignore[attr-defined]


def _check_lif(network: Network, node: LifSoma) -> None:
    (source,) = network.sources(node)
    bits = source.output.bits  # type: ignore[attr-defined]  # integer stage
    require(bits <= MAX_DRIVE_BITS, node, f"a drive of {bits} bits, over {MAX_DRIVE_BITS}")
    require(0 <= node.threshold < 1 << 17, node, f"threshold {node.threshold} exceeds 17 bits")
    require(0 <= node.decay < 1 << 12, node, f"decay {node.decay} is outside 0 … 4095")


def _check_sigmoid(node: Gate | QuantizedGlu, sigmoid: SigmoidGate) -> None:
    size = sigmoid.table.size
    _require_shape(node, "table", sigmoid.table, (size,))
    require(size >= 2 and size & (size - 1) == 0, node, f"table of {size} rows: no power of two")
    _require_range(node, "table_bits", sigmoid.table_bits, 2, MAX_FACTOR_BITS)
    require(_fits(sigmoid.table, sigmoid.table_bits), node, "a table value exceeds table_bits")
    _require_shifts(node, "out_shift", sigmoid.out_shift, (node.width,))
    _require_range(node, "index_shift", sigmoid.index_shift, 0, MAX_SHIFT)


def _check_glu(network: Network, node: QuantizedGlu) -> None:
    _check_sigmoid(node, node.sigmoid)


def _check_gate(network: Network, node: Gate) -> None:
    _require_range(node, "value_bits", node.value_bits, 2, 48)
    _check_rescale(node, node.rescale, 2 * node.width)
    _check_sigmoid(node, node.sigmoid)


def _check_accumulator(network: Network, node: Accumulator) -> None:
    (source,) = network.sources(node)
    bits = source.output.bits  # type: ignore[attr-defined]  # integer stage
    require(bits <= MAX_MESSAGE_BITS, node, f"pools {bits} bits, over {MAX_MESSAGE_BITS}")
    _require_range(node, "headroom_bits", node.headroom_bits, 0, 24)
    _require_range(node, "reciprocal_bits", node.reciprocal_bits, 2, MAX_FACTOR_BITS)
    highest = {"mean": node.reciprocal_bits - 2, "sum": 14}.get(node.mode, 24)
    _require_range(node, "guard_bits", node.guard_bits, -24, highest)
    _require_product(
        node, "a mean's sum times its reciprocal", bits, node.headroom_bits, node.reciprocal_bits
    )


def _check_normalize(network: Network, node: Normalize) -> None:
    _check_rescale(node, node.rescale, node.width)
    _require_shifts(node, "align", node.align, (node.width,), -MAX_SHIFT, 24)
    (source,) = network.sources(node)
    exponents = source.output.exponents(node.width) + node.align  # type: ignore[attr-defined]
    require(
        bool(np.all(exponents == exponents[0])),
        node,
        f"align brings its channels to exponents {exponents.min()} … {exponents.max()}, not to one",
    )
    _require_range(node, "state_bits", node.state_bits, 2, MAX_MESSAGE_BITS)
    _require_range(node, "reciprocal_bits", node.reciprocal_bits, 2, MAX_MESSAGE_BITS)
    _require_range(node, "square_shift", node.square_shift, 0, 46)
    require(node.square_shift % 2 == 0, node, f"square_shift {node.square_shift} is odd")
    require(node.epsilon >= 1, node, f"epsilon {node.epsilon} is below 1")


def _check_running_sum(network: Network, node: RunningSum) -> None:
    (source,) = network.sources(node)
    bits = source.output.bits  # type: ignore[attr-defined]  # integer stage
    require(bits <= MAX_MESSAGE_BITS, node, f"adds up {bits} bits, over {MAX_MESSAGE_BITS}")
    _require_range(node, "guard_bits", node.guard_bits, -24, 14)


NODE_RULES: dict[type, Callable[[Network, Any], None]] = {
    Input: _check_input,
    EmbeddingTable: _check_lookup,
    Positions: _check_positions,
    Window: _check_window,
    Synapses: _check_weights,
    QuantizedLinear: _check_weights,
    Requantize: _check_relay,
    Dendrite: _check_driven,
    QuantizedSsm: _check_driven,
    LifSoma: _check_lif,
    Gate: _check_gate,
    QuantizedGlu: _check_glu,
    Accumulator: _check_accumulator,
    Normalize: _check_normalize,
    RunningSum: _check_running_sum,
}
