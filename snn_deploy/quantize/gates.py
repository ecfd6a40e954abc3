"""From a gated linear unit to integers: the format of its two halves, and the sigmoid's table."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Format
from snn_deploy.nodes.gate import QuantizedGlu, SigmoidGate
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.linear import Linear
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.dendrites import MAX_SHIFT
from snn_deploy.quantize.formats import choose_exponent

__all__ = ["gate_format", "quantize_glu"]


def gate_format(builder: Builder, node: Linear, glu: str) -> Format:
    """Give the format of a gated linear unit's two halves.

    The gate half has one exponent, at which the table's steps are a shift away; the value half one
    a row, fine enough for the output, wide enough for its range and, if that leaves room, for the
    worst case.
    """
    config, table = builder.config.at(node.name), builder.config.at(glu)
    half = node.width // 2
    high = np.maximum(node.weight, 0.0).sum(axis=1) + node.bias
    low = np.minimum(node.weight, 0.0).sum(axis=1) + node.bias
    worst = np.maximum(np.abs(high), np.abs(low)) * (1.0 + 2.0**-6)
    gate = int(choose_exponent(max(worst[half:].max(), table.table_span), config.gate_bits)[0])
    finest_needed = builder.formats[glu].exponents(half) - (table.table_bits - 1)
    _check_gate_range(builder, node, finest_needed, config)
    value = np.maximum(choose_exponent(worst[:half], config.gate_bits), finest_needed)
    exponent = (*(int(e) for e in value), *([max(gate, _index_exponent(table))] * half))
    return Format(config.gate_bits, exponent)


def _check_gate_range(
    builder: Builder, node: Linear, exponent: Any, config: QuantizationConfig
) -> None:
    """Check that the values that a gate scales fit at the exponents which its output needs."""
    largest = builder.ranges.reach(node.name, config, config.gate_bits)[: len(exponent)]
    excess = largest * 2.0**exponent / fp.limit_of(config.gate_bits)
    if not np.all(excess <= 1.0):
        bits = config.gate_bits + int(np.ceil(np.log2(excess.max())))
        raise ConfigError(
            f"node '{node.name}': for outputs as fine as residual_bits asks, its values would need "
            f"{bits} bits, over gate_bits={config.gate_bits}; set a larger gate_bits or "
            "table_bits, or a smaller residual_bits"
        )


def _index_exponent(config: QuantizationConfig) -> int:
    """Give the exponent at which a mantissa counts rows of the sigmoid's table."""
    span = np.log2(config.table_span)
    if span != np.floor(span):
        raise ConfigError(f"table_span={config.table_span}: must be a power of two")
    return int(config.table_index_bits - 1 - span)


def quantize_glu(builder: Builder, node: Glu) -> None:
    """Add the sigmoid's table, and the shifts from the halves to its rows and to the output."""
    config = builder.config.at(node.name)
    output = builder.formats[node.name]
    halves = builder.outputs[node.inputs[0].source].exponents(2 * node.channels)
    shift = halves[: node.channels] + config.table_bits - 1 - output.exponents(node.channels)
    table = fp.sigmoid_table(config.table_index_bits, config.table_bits, config.table_span)
    sigmoid = SigmoidGate(
        table=table,
        table_bits=config.table_bits,
        index_shift=int(halves[-1]) - _index_exponent(config),
        out_shift=np.minimum(shift, MAX_SHIFT).astype(np.int8),
    )
    builder.add(
        QuantizedGlu(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.channels,
            sigmoid=sigmoid,
        )
    )
