"""From a readout to a pool over time and the projection that follows it."""

from __future__ import annotations

import numpy as np

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.readout import CumulativeReadout, Readout
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.formats import choose_exponent
from snn_deploy.quantize.linear import add_linear, excess_bits, narrowed

__all__ = ["quantize_cumulative_readout", "quantize_readout"]

MAX_SUM_GUARD = 14  # a 48-bit sum shifted left by more would leave 62 bits
FINEST_LOGIT_EXPONENT = 20  # more fractional bits of a logit mean nothing after 8-bit weights


def quantize_readout(builder: Builder, node: Readout) -> None:
    """Add a pool, unless every step is read, and the projection."""
    source = node.inputs[0].source
    if node.mode == "every":
        _project(builder, node, source)
    elif _is_identity(node):  # what a host compares: the pooled stream itself, no weights
        _add_pool(builder, node, node.name, _finest_pool(builder, node.name, source))
    else:
        pool = f"{node.name}.pool"
        _add_pool(builder, node, pool, _finest_weighted_pool(builder, node))
        _project(builder, node, pool)


def quantize_cumulative_readout(builder: Builder, node: CumulativeReadout) -> None:
    """Add a running sum and the projection."""
    source, name = node.inputs[0].source, f"{node.name}.sum"
    guard = _finest_weighted_pool(builder, node)
    summed = _guard_of_sum(builder, guard)
    builder.add(
        RunningSum(
            name=name,
            inputs=(Edge(source),),
            output=_refined(builder, node.name, source, guard, summed),
            channels=node.weight.shape[1],
            guard_bits=summed,
        )
    )
    _project(builder, node, name)


def _project(builder: Builder, node: Readout | CumulativeReadout, source: str) -> None:
    output = _logit_format(builder, node, source)
    add_linear(builder, node.name, source, node.weight, node.bias, output)


def _is_identity(node: Readout) -> bool:
    return np.array_equal(node.weight, np.eye(node.width)) and not node.bias.any()


def _finest_pool(builder: Builder, name: str, source: str) -> int:
    """Give how many more fractional bits than the stream a pooled vector may have."""
    config = builder.config.at(name)
    # the reciprocal's own precision counts, too
    return min(config.message_bits - builder.outputs[source].bits, config.gain_bits - 2)


def _finest_weighted_pool(builder: Builder, node: Readout | CumulativeReadout) -> int:
    """The same, as far as the weighted sum that follows leaves room."""
    source = node.inputs[0].source
    weight = np.abs(builder.rounded(node.name, node.weight, source).weight.astype(np.float64))
    room = -excess_bits(builder, node.name, source, lambda x: weight @ x) - 1
    return min(room, _finest_pool(builder, node.name, source))


def _guard_of_sum(builder: Builder, guard: int) -> int:
    """Give the guard bits with which a sum stays within what a mean with ``guard`` takes, for
    sequences as long as those of the calibration.
    """
    steps = builder.ranges.steps
    assert steps is not None  # ranges without data refuse sums
    return min(guard - (steps - 1).bit_length(), MAX_SUM_GUARD)


def _refined(builder: Builder, name: str, source: str, bits: int, guard: int) -> Format:
    """Give the stream's format with ``bits`` more bits, ``guard`` of them fractional."""
    stream = builder.outputs[source]
    exponents = stream.exponents(builder.network[source].width) + guard
    width = narrowed(builder, name, source, -bits)
    return Format(width, tuple(int(e) for e in exponents))


def _add_pool(builder: Builder, node: Readout, name: str, guard: int) -> None:
    """Pool over time, with ``guard`` more bits than the stream."""
    source = node.inputs[0].source
    config = builder.config.at(node.name)
    fraction = _guard_of_sum(builder, guard) if node.mode == "sum" else guard
    builder.add(
        Accumulator(
            name=name,
            inputs=(Edge(source),),
            output=_refined(builder, node.name, source, guard, fraction),
            channels=node.weight.shape[1],
            mode=node.mode,  # type: ignore[arg-type]  # "every" was dealt with
            use_lengths=node.use_lengths,
            guard_bits=fraction,
            headroom_bits=max(0, config.message_bits - builder.outputs[source].bits),
            reciprocal_bits=config.gain_bits,
        )
    )


def _logit_format(builder: Builder, node: Readout | CumulativeReadout, source: str) -> Format:
    """Give the logits' format: one exponent, at which none can saturate."""
    stream = builder.outputs[source]
    largest = (builder.bounds[source] + 1.0) * 2.0 ** -stream.exponents(node.weight.shape[1])
    worst = np.abs(node.weight) @ largest + np.abs(node.bias)
    exponent = choose_exponent(
        worst.max() * (1.0 + 2.0**-6), builder.config.at(node.name).message_bits
    )[0]
    return Format(
        builder.config.at(node.name).message_bits, min(int(exponent), FINEST_LOGIT_EXPONENT)
    )
