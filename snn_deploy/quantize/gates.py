"""From a gated linear unit to integers: the format of its two halves, and the sigmoid's table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Format
from snn_deploy.nodes.float_node import Channelwise
from snn_deploy.nodes.gate import QuantizedGlu, SigmoidGate
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.self_gate import SelfGate
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.dendrites import MAX_SHIFT
from snn_deploy.quantize.formats import choose_exponent, no_finer

__all__ = ["add_self_gate", "gate_format", "quantize_glu"]


def gate_format(builder: Builder, node: Linear, glu: str) -> Format:
    """Give the format of a gated linear unit's two halves.

    The gate half has one exponent, at which the table's steps are a shift away; the value half one
    a row, fine enough for the output, wide enough for its range and, if that leaves room, for the
    worst case of spikes.
    """
    config, table = builder.config.at(node.name), builder.config.at(glu)
    half = node.width // 2
    (source,) = builder.network.sources(node)
    if source.spikes:
        ones = np.ones(source.width)
        worst = node.largest([ones], [not source.signed]) * (1.0 + 2.0**-6)  # type: ignore[attr-defined]
    else:
        worst = builder.ranges.reach(node.name, config, config.gate_bits)
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


def add_self_gate(builder: Builder, node: Channelwise, function: Callable[[Any], Any]) -> None:
    """Add ``x · function(x)``, a function from 0 to 1, as its table and the shifts to its rows.

    The table's first and last entries are the function's limits: they hold beyond its span, too.
    """
    config, width = builder.config.at(node.name), node.width
    source = builder.format_of(node.inputs[0].source).exponents(width)
    fraction = config.table_bits - 1
    output = no_finer(builder.formats[node.name], source + fraction)
    shift = source + fraction - output.exponents(width)
    table = fp.function_table(
        function, config.table_index_bits, config.table_bits, config.table_span
    )
    table[0], table[-1] = 0, fp.limit_of(config.table_bits)  # what holds ever after
    builder.add(
        SelfGate(
            name=node.name,
            inputs=node.inputs,
            output=output,
            table=table,
            table_bits=config.table_bits,
            align=(_index_exponent(config) - source).astype(np.int8),
            out_shift=np.minimum(shift, MAX_SHIFT).astype(np.int8),
        )
    )
