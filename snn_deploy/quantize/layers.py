"""From a float network to an integer one: one function a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir import float_nodes
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.bounds import Magnitude, bound_node
from snn_deploy.ir.encoder_decoder_nodes import (
    AdaptiveEmbedding,
    Conv1d,
    CumulativeReadout,
    PositionalEncoding,
)
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.dendrites import MAX_SHIFT, quantize_ssm
from snn_deploy.quantize.encoders import (
    convolution_weights,
    convolution_window,
    quantize_adaptive_embedding,
    quantize_embedding,
    quantize_positions,
    quantize_tokens,
)
from snn_deploy.quantize.formats import choose_exponent, plan_formats
from snn_deploy.quantize.norms import quantize_layer_norm
from snn_deploy.quantize.ranges import Ranges
from snn_deploy.quantize.weights import RoundedWeights, round_weights

__all__ = ["check_quantizable", "quantize_network"]

Real = npt.NDArray[np.float64]

MAX_SUM_GUARD = 14  # a 48-bit sum shifted left by more would leave 62 bits
FINEST_LOGIT_EXPONENT = 20  # more fractional bits of a logit mean nothing after 8-bit weights


def quantize_network(network: Network, ranges: Ranges, config: QuantizationConfig) -> Network:
    """Quantise a float network whose thresholds are folded.

    Raises
    ------
    ConfigError
        If a width is too small for a node's numbers.
    """
    _check_overrides(network, config)
    builder = _Builder(network, ranges, config, plan_formats(network, ranges, config))
    for node in network:
        _QUANTIZE[type(node)](builder, node)
    return replace(network, stage="integer", nodes=tuple(builder.built))


def _check_overrides(network: Network, config: QuantizationConfig) -> None:
    on_host = {node.name for node in network.head}
    for prefix in config.nodes:
        if prefix in on_host:
            raise ConfigError(
                f"formats are set for '{prefix}', but the host computes it, in float64; leave it "
                "out, or set a larger chip_outputs if it is a readout that the chip shall compute"
            )
        if not any(name == prefix or name.startswith(f"{prefix}.") for name in network.names):
            raise ConfigError(
                f"formats are set for '{prefix}', but no node has that name or begins with it; "
                f"there are: {', '.join(network.names)}"
            )


def check_quantizable(network: Network) -> None:
    """Check that every node has an integer form.

    Raises
    ------
    UnsupportedNetworkError
        Naming a node that has none.
    """
    for node in network:
        if type(node) not in _QUANTIZE:
            raise UnsupportedNetworkError(
                f"node '{node.name}': {node.kind} has no integer form yet; the float backends "
                "run this network (simulate --backend float)"
            )
        if isinstance(node, float_nodes.Lif):
            (source,) = network.sources(node)
            if not isinstance(source, float_nodes.DiagonalSsm):
                raise UnsupportedNetworkError(
                    f"node '{node.name}': a soma that '{source.name}' ({source.kind}) drives has "
                    "no integer form yet; one that a state-space model drives has"
                )


@dataclass
class _Builder:
    """The integer nodes made so far, with the worst case of each: later nodes are scaled by it."""

    network: Network
    ranges: Ranges
    config: QuantizationConfig
    formats: dict[str, Format]
    built: list[nodes.IntegerNode] = field(default_factory=list)
    bounds: dict[str, Magnitude] = field(default_factory=dict)
    outputs: dict[str, Format] = field(default_factory=dict)

    def add(self, node: nodes.IntegerNode) -> None:
        sources = [self.bounds[edge.source] for edge in node.inputs]
        spikes = any(self.outputs[edge.source] == SPIKE for edge in node.inputs)
        self.built.append(node)
        self.bounds[node.name] = bound_node(node, sources, spikes).output
        self.outputs[node.name] = node.output

    def rounded(self, name: str, weight: Real, source: str) -> RoundedWeights:
        """Round the weights (out, in) of node ``name`` for the mantissas that ``source`` sends."""
        unit = 2.0 ** -self.outputs[source].exponents(weight.shape[1])
        bits = self.config.at(name).weight_bits
        moments = self.ranges.moments.get(source)
        return round_weights(weight * unit, bits, moments and moments.in_units(unit))

    def mean(self, source: str, width: int) -> Real:
        """Give the mean mantissas (width,) of ``source`` in calibration; 0 where it is unknown."""
        mean = self.ranges.mean.get(source, np.zeros(width))
        return mean * 2.0 ** self.outputs[source].exponents(width)

    def gain(
        self, name: str, value: Real, bias: Real, output: Format, mean: Real | float = 0.0
    ) -> nodes.Rescale:
        """Represent ``value`` (in output mantissas per unit of input) and a real bias.

        What rounding the gain changes at the input's ``mean``, in units, goes into the bias.
        """
        config = self.config.at(name)
        bits = config.gain_bits
        largest = float(np.abs(value).max(initial=0.0))
        if not largest <= fp.limit_of(bits):
            raise ConfigError(
                f"node '{name}': channel {int(np.abs(value).argmax())} needs a gain of "
                f"{largest:.3g}, over the {fp.limit_of(bits)} that {bits} bits hold; set a larger "
                "gain_bits, or a smaller residual_bits"
            )
        mantissa, shift = fp.multiplier_of(value, bits, MAX_SHIFT)
        # gain and offset may cancel, so an offset may exceed the output's own range
        lost = (value - mantissa * 2.0 ** -shift.astype(np.float64)) * mean
        bias = bias + lost * 2.0 ** -output.exponents(len(value))
        offset, beyond = Format(config.sum_bits, output.exponent).encode(bias)
        if beyond:
            raise ConfigError(
                f"node '{name}': an offset of {float(np.abs(bias).max()):.3g} needs more than "
                f"{config.sum_bits} bits; set a larger sum_bits, or fewer bits for its output"
            )
        return nodes.Rescale(mantissa, shift, offset.astype(np.int32), bits)


def _input(builder: _Builder, node: float_nodes.FloatInput) -> None:
    builder.add(
        nodes.Input(name=node.name, output=builder.formats[node.name], channels=node.channels)
    )


def _tokens(builder: _Builder, node: float_nodes.TokenInput) -> None:
    builder.add(quantize_tokens(node))


def _embedding(builder: _Builder, node: float_nodes.Embedding) -> None:
    builder.add(quantize_embedding(node, builder.formats[node.name]))


def _adaptive_embedding(builder: _Builder, node: AdaptiveEmbedding) -> None:
    output = builder.formats[node.name]

    def gain(value: Real) -> nodes.Rescale:
        return builder.gain(node.name, value, np.zeros(node.width), output)

    builder.add(quantize_adaptive_embedding(node, output, gain))


def _positions(builder: _Builder, node: PositionalEncoding) -> None:
    source = builder.outputs[node.inputs[0].source]
    builder.add(quantize_positions(node, source, builder.formats[node.name]))


def _conv1d(builder: _Builder, node: Conv1d) -> None:
    window = convolution_window(node, builder.outputs[node.inputs[0].source])
    builder.add(window)
    output = builder.formats[node.name]
    _add_linear(builder, node.name, window.name, convolution_weights(node), node.bias, output)


def _linear(builder: _Builder, node: float_nodes.Linear) -> None:
    source = node.inputs[0].source
    consumers = builder.network.consumers(node.name)
    if any(isinstance(consumer, float_nodes.Glu) for consumer in consumers):
        output = _gate_format(builder, node, consumers[0].name)
    else:
        output = builder.formats[node.name]
    _add_linear(builder, node.name, source, node.weight, node.bias, output)


def _add_linear(
    builder: _Builder, name: str, source: str, weight: Real, bias: Real, output: Format
) -> None:
    rounded = builder.rounded(name, weight, source)
    mean = rounded.weight @ builder.mean(source, weight.shape[1])
    source, narrowed = _narrow(builder, name, source, rounded.weight)
    gain = rounded.scale * 2.0 ** (output.exponents(len(weight)) + narrowed)
    bias = bias + rounded.bias_change
    builder.add(
        nodes.QuantizedLinear(
            name=name,
            inputs=(Edge(source),),
            output=output,
            weight=rounded.weight,
            weight_bits=builder.config.at(name).weight_bits,
            sum_bits=builder.config.at(name).sum_bits,
            rescale=builder.gain(name, gain, bias, output, mean * 2.0**-narrowed),
        )
    )


def _narrow(builder: _Builder, name: str, source: str, weight: nodes.Int8) -> tuple[str, int]:
    """Drop low bits of graded messages whose weighted sum could overflow an accumulator."""
    if builder.outputs[source] == SPIKE:
        return source, 0
    excess = _excess_bits(builder, name, source, weight)
    if excess <= 0:
        return source, 0
    narrow = _narrowed(builder, name, source, excess)
    wide = builder.outputs[source]
    width = weight.shape[1]
    exponent = tuple(int(e) for e in wide.exponents(width) - excess)
    rescale = nodes.Rescale(
        mantissa=np.ones(width, np.int32),
        shift=np.full(width, excess, np.int8),
        bias=np.zeros(width, np.int32),
        bits=builder.config.at(name).gain_bits,
    )
    builder.add(
        nodes.Relay(
            name=f"{name}.narrow",
            inputs=(Edge(source),),
            output=Format(narrow, exponent),
            channels=width,
            rescale=rescale,
        )
    )
    return f"{name}.narrow", excess


def _excess_bits(builder: _Builder, name: str, source: str, weight: nodes.Int8) -> int:
    """Tell by how many bits the worst weighted sum of ``source`` exceeds the accumulators."""
    magnitude = np.abs(weight.astype(np.float64))
    worst = np.maximum(magnitude @ builder.bounds[source], 1.0)
    # dropping bits rounds each message by up to half a unit
    room = fp.limit_of(builder.config.at(name).sum_bits) - magnitude.sum(axis=1) / 2
    excess = np.ceil(np.log2(worst / np.maximum(room, 0.5)))
    return int(excess.max())


def _narrowed(builder: _Builder, name: str, source: str, bits: int) -> int:
    """Give the width that is left of ``source``'s messages when ``bits`` low ones are dropped."""
    width = builder.outputs[source].bits - bits
    if width < 2:
        sum_bits = builder.config.at(name).sum_bits
        raise ConfigError(
            f"node '{name}': a weighted sum of its messages would need accumulators of "
            f"{sum_bits + 2 - width} bits, over sum_bits={sum_bits}; set a larger sum_bits, or a "
            "smaller weight_bits"
        )
    return width


def _gate_format(builder: _Builder, node: float_nodes.Linear, glu: str) -> Format:
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
    builder: _Builder, node: float_nodes.Linear, exponent: Any, config: QuantizationConfig
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


def _glu(builder: _Builder, node: float_nodes.Glu) -> None:
    config = builder.config.at(node.name)
    output = builder.formats[node.name]
    halves = builder.outputs[node.inputs[0].source].exponents(2 * node.channels)
    shift = halves[: node.channels] + config.table_bits - 1 - output.exponents(node.channels)
    table = fp.sigmoid_table(config.table_index_bits, config.table_bits, config.table_span)
    sigmoid = nodes.SigmoidGate(
        table=table,
        table_bits=config.table_bits,
        index_shift=int(halves[-1]) - _index_exponent(config),
        out_shift=np.minimum(shift, MAX_SHIFT).astype(np.int8),
    )
    builder.add(
        nodes.QuantizedGlu(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.channels,
            sigmoid=sigmoid,
        )
    )


def _residual(builder: _Builder, node: float_nodes.Residual) -> None:
    output = builder.formats[node.name]
    exponents = [builder.outputs[e.source].exponents(node.channels) for e in node.inputs]
    align = (output.exponents(node.channels) - np.stack(exponents)).astype(np.int8)
    builder.add(
        nodes.Relay(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.channels,
            align=align if align.any() else None,
        )
    )


def _affine(builder: _Builder, node: float_nodes.Affine) -> None:
    output = _offset_fits(builder, node)
    source = builder.outputs[node.inputs[0].source]
    step = 2.0 ** (output.exponents(node.width) - source.exponents(node.width))
    mean = builder.mean(node.inputs[0].source, node.width)
    builder.add(
        nodes.Relay(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.width,
            rescale=builder.gain(node.name, node.scale * step, node.shift, output, mean),
        )
    )


def _layer_norm(builder: _Builder, node: float_nodes.LayerNorm) -> None:
    source, output = node.inputs[0].source, builder.formats[node.name]
    # a quotient has the root of the sum of squares below it, and not of their mean
    gain = node.weight * np.sqrt(node.width)
    step = 2.0 ** (output.exponents(node.width) - fp.QUOTIENT_FRACTION)
    builder.add(
        quantize_layer_norm(
            node,
            builder.outputs[source],
            builder.bounds[source],
            output,
            builder.gain(node.name, gain * step, node.bias, output),
            builder.config.at(node.name),
        )
    )


def _offset_fits(builder: _Builder, node: float_nodes.Affine) -> Format:
    """Give the output's format, no finer than the offset allows in each channel.

    Where a batch-norm's variance was next to nothing, gain and offset are huge and cancel.
    """
    output, sum_bits = builder.formats[node.name], builder.config.at(node.name).sum_bits
    offset = np.maximum(np.abs(node.shift), 2.0**-MAX_SHIFT)
    finest = np.floor(np.log2((fp.limit_of(sum_bits) - 1) / offset)).astype(np.int64)
    exponents = np.minimum(output.exponents(node.width), finest)
    return Format(output.bits, tuple(int(e) for e in exponents))


def _ssm(builder: _Builder, node: float_nodes.DiagonalSsm) -> None:
    source = node.inputs[0].source
    config = builder.config.at(node.name)
    largest = float(builder.ranges.reach(node.name, config, config.drive_bits, together=True)[0])
    builder.add(
        quantize_ssm(
            node,
            builder.outputs[source],
            builder.bounds[source],
            max(largest, 1.0),
            config,
            builder.ranges.steps,
        )
    )


def _lif(builder: _Builder, node: float_nodes.Lif) -> None:
    source = node.inputs[0].source
    exponent = int(builder.outputs[source].exponents(1)[0])
    if exponent < 0:
        raise ConfigError(
            f"node '{source}': its drive would count in steps of {2**-exponent} thresholds, too "
            "coarse to tell when the soma spikes; set a larger drive_bits, state_bits or "
            "readout_bits, or give calibration data"
        )
    decay = int(fp.round_half_up(np.asarray((1.0 - node.decay) * 2.0**fp.DECAY_UNITY_BITS)))
    builder.add(
        nodes.LifSoma(
            name=node.name,
            inputs=node.inputs,
            channels=node.width,
            threshold=1 << exponent,
            decay=decay,
        )
    )


def _readout(builder: _Builder, node: float_nodes.Readout) -> None:
    source = node.inputs[0].source
    if node.mode == "every":
        _project(builder, node, source)
    elif _is_identity(node):  # what a host compares: the pooled stream itself, no weights
        _add_pool(builder, node, node.name, _finest_pool(builder, node.name, source))
    else:
        pool = f"{node.name}.pool"
        _add_pool(builder, node, pool, _finest_weighted_pool(builder, node))
        _project(builder, node, pool)


def _cumulative_readout(builder: _Builder, node: CumulativeReadout) -> None:
    source, name = node.inputs[0].source, f"{node.name}.sum"
    guard = _finest_weighted_pool(builder, node)
    summed = _guard_of_sum(builder, guard)
    builder.add(
        nodes.RunningSum(
            name=name,
            inputs=(Edge(source),),
            output=_refined(builder, node.name, source, guard, summed),
            channels=node.weight.shape[1],
            guard_bits=summed,
        )
    )
    _project(builder, node, name)


def _project(builder: _Builder, node: float_nodes.Readout | CumulativeReadout, source: str) -> None:
    output = _logit_format(builder, node, source)
    _add_linear(builder, node.name, source, node.weight, node.bias, output)


def _is_identity(node: float_nodes.Readout) -> bool:
    return np.array_equal(node.weight, np.eye(node.width)) and not node.bias.any()


def _finest_pool(builder: _Builder, name: str, source: str) -> int:
    """Give how many more fractional bits than the stream a pooled vector may have."""
    config = builder.config.at(name)
    # the reciprocal's own precision counts, too
    return min(config.message_bits - builder.outputs[source].bits, config.gain_bits - 2)


def _finest_weighted_pool(builder: _Builder, node: float_nodes.Readout | CumulativeReadout) -> int:
    """The same, as far as the weighted sum that follows leaves room."""
    source = node.inputs[0].source
    weight = builder.rounded(node.name, node.weight, source).weight
    room = -_excess_bits(builder, node.name, source, weight) - 1
    return min(room, _finest_pool(builder, node.name, source))


def _guard_of_sum(builder: _Builder, guard: int) -> int:
    """Give the guard bits with which a sum stays within what a mean with ``guard`` takes, for
    sequences as long as those of the calibration.
    """
    steps = builder.ranges.steps
    assert steps is not None  # ranges without data refuse sums
    return min(guard - (steps - 1).bit_length(), MAX_SUM_GUARD)


def _refined(builder: _Builder, name: str, source: str, bits: int, guard: int) -> Format:
    """Give the stream's format with ``bits`` more bits, ``guard`` of them fractional."""
    stream = builder.outputs[source]
    exponents = stream.exponents(builder.network[source].width) + guard
    width = _narrowed(builder, name, source, -bits)
    return Format(width, tuple(int(e) for e in exponents))


def _add_pool(builder: _Builder, node: float_nodes.Readout, name: str, guard: int) -> None:
    """Pool over time, with ``guard`` more bits than the stream."""
    source = node.inputs[0].source
    config = builder.config.at(node.name)
    fraction = _guard_of_sum(builder, guard) if node.mode == "sum" else guard
    builder.add(
        nodes.Accumulator(
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


def _logit_format(
    builder: _Builder, node: float_nodes.Readout | CumulativeReadout, source: str
) -> Format:
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


_QUANTIZE: dict[type, Callable[[_Builder, Any], None]] = {
    float_nodes.FloatInput: _input,
    float_nodes.TokenInput: _tokens,
    float_nodes.Embedding: _embedding,
    AdaptiveEmbedding: _adaptive_embedding,
    PositionalEncoding: _positions,
    Conv1d: _conv1d,
    float_nodes.Linear: _linear,
    float_nodes.Glu: _glu,
    float_nodes.Residual: _residual,
    float_nodes.Affine: _affine,
    float_nodes.LayerNorm: _layer_norm,
    float_nodes.DiagonalSsm: _ssm,
    float_nodes.Lif: _lif,
    float_nodes.Readout: _readout,
    CumulativeReadout: _cumulative_readout,
}
