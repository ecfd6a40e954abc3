"""From a float network to an integer one: one function a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir import float_nodes
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.encoder_decoder_nodes import (
    AdaptiveEmbedding,
    Conv1d,
    CumulativeReadout,
    PositionalEncoding,
)
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.quantize.builder import Builder
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
from snn_deploy.quantize.formats import plan_formats
from snn_deploy.quantize.gates import gate_format, quantize_glu
from snn_deploy.quantize.linear import add_linear
from snn_deploy.quantize.norms import quantize_layer_norm
from snn_deploy.quantize.ranges import Ranges
from snn_deploy.quantize.readouts import quantize_cumulative_readout, quantize_readout

__all__ = ["check_quantizable", "quantize_network"]

Real = npt.NDArray[np.float64]


def quantize_network(network: Network, ranges: Ranges, config: QuantizationConfig) -> Network:
    """Quantise a float network whose thresholds are folded.

    Raises
    ------
    ConfigError
        If a width is too small for a node's numbers.
    """
    _check_overrides(network, config)
    builder = Builder(network, ranges, config, plan_formats(network, ranges, config))
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


def _input(builder: Builder, node: float_nodes.FloatInput) -> None:
    builder.add(
        nodes.Input(name=node.name, output=builder.formats[node.name], channels=node.channels)
    )


def _tokens(builder: Builder, node: float_nodes.TokenInput) -> None:
    builder.add(quantize_tokens(node))


def _embedding(builder: Builder, node: float_nodes.Embedding) -> None:
    builder.add(quantize_embedding(node, builder.formats[node.name]))


def _adaptive_embedding(builder: Builder, node: AdaptiveEmbedding) -> None:
    output = builder.formats[node.name]

    def gain(value: Real) -> nodes.Rescale:
        return builder.gain(node.name, value, np.zeros(node.width), output)

    builder.add(quantize_adaptive_embedding(node, output, gain))


def _positions(builder: Builder, node: PositionalEncoding) -> None:
    source = builder.outputs[node.inputs[0].source]
    builder.add(quantize_positions(node, source, builder.formats[node.name]))


def _conv1d(builder: Builder, node: Conv1d) -> None:
    window = convolution_window(node, builder.outputs[node.inputs[0].source])
    builder.add(window)
    output = builder.formats[node.name]
    add_linear(builder, node.name, window.name, convolution_weights(node), node.bias, output)


def _linear(builder: Builder, node: float_nodes.Linear) -> None:
    source = node.inputs[0].source
    consumers = builder.network.consumers(node.name)
    if any(isinstance(consumer, float_nodes.Glu) for consumer in consumers):
        output = gate_format(builder, node, consumers[0].name)
    else:
        output = builder.formats[node.name]
    add_linear(builder, node.name, source, node.weight, node.bias, output)


def _residual(builder: Builder, node: float_nodes.Residual) -> None:
    output = builder.formats[node.name]
    exponents = [builder.outputs[e.source].exponents(node.channels) for e in node.inputs]
    align = (output.exponents(node.channels) - np.stack(exponents)).astype(np.int8)
    builder.add(
        nodes.Requantize(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.channels,
            align=align if align.any() else None,
        )
    )


def _affine(builder: Builder, node: float_nodes.Affine) -> None:
    output = _offset_fits(builder, node)
    source = builder.outputs[node.inputs[0].source]
    step = 2.0 ** (output.exponents(node.width) - source.exponents(node.width))
    mean = builder.mean(node.inputs[0].source, node.width)
    builder.add(
        nodes.Requantize(
            name=node.name,
            inputs=node.inputs,
            output=output,
            channels=node.width,
            rescale=builder.gain(node.name, node.scale * step, node.shift, output, mean),
        )
    )


def _layer_norm(builder: Builder, node: float_nodes.LayerNorm) -> None:
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


def _offset_fits(builder: Builder, node: float_nodes.Affine) -> Format:
    """Give the output's format, no finer than the offset allows in each channel.

    Where a batch-norm's variance was next to nothing, gain and offset are huge and cancel.
    """
    output, sum_bits = builder.formats[node.name], builder.config.at(node.name).sum_bits
    offset = np.maximum(np.abs(node.shift), 2.0**-MAX_SHIFT)
    finest = np.floor(np.log2((fp.limit_of(sum_bits) - 1) / offset)).astype(np.int64)
    exponents = np.minimum(output.exponents(node.width), finest)
    return Format(output.bits, tuple(int(e) for e in exponents))


def _ssm(builder: Builder, node: float_nodes.DiagonalSsm) -> None:
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


def _lif(builder: Builder, node: float_nodes.Lif) -> None:
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


_QUANTIZE: dict[type, Callable[[Builder, Any], None]] = {
    float_nodes.FloatInput: _input,
    float_nodes.TokenInput: _tokens,
    float_nodes.Embedding: _embedding,
    AdaptiveEmbedding: _adaptive_embedding,
    PositionalEncoding: _positions,
    Conv1d: _conv1d,
    float_nodes.Linear: _linear,
    float_nodes.Glu: quantize_glu,
    float_nodes.Residual: _residual,
    float_nodes.Affine: _affine,
    float_nodes.LayerNorm: _layer_norm,
    float_nodes.DiagonalSsm: _ssm,
    float_nodes.Lif: _lif,
    float_nodes.Readout: quantize_readout,
    CumulativeReadout: quantize_cumulative_readout,
}
