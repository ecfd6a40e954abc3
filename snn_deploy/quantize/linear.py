"""From a linear map to synapses and the gains that follow them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import QuantizedLinear
from snn_deploy.quantize.builder import Builder

__all__ = ["add_linear", "excess_bits", "narrowed", "output_format", "without_overflow"]

Real = npt.NDArray[np.float64]
Weigh = Callable[[Real], Real]
"""Weighs numbers (in,) with the weights' magnitudes: (out,)."""


def add_linear(
    builder: Builder, name: str, source: str, weight: Real, bias: Real, output: Format
) -> None:
    """Add the integer form of ``weight · x + bias``, weight (out, in), as node ``name``.

    Raises
    ------
    ConfigError
        If the accumulators, gains or offsets are too narrow.
    """
    rounded = builder.rounded(name, weight, source)
    mean = rounded.weight @ builder.mean(source, weight.shape[1])
    if name in builder.ranges.comparisons:
        mean = np.zeros(len(weight))  # what is compared is exact at rest, not on average
    magnitude = np.abs(rounded.weight.astype(np.float64))
    source, narrowed = without_overflow(builder, name, source, lambda x: magnitude @ x)
    gain = rounded.scale * 2.0 ** (output.exponents(len(weight)) + narrowed)
    bias = bias + rounded.bias_change
    builder.add(
        QuantizedLinear(
            name=name,
            inputs=(Edge(source),),
            output=output,
            weight=rounded.weight,
            weight_bits=rounded.bits,
            sum_bits=builder.config.at(name).sum_bits,
            rescale=builder.gain(name, gain, bias, output, mean * 2.0**-narrowed),
        )
    )


def output_format(builder: Builder, node: FloatNode) -> Format:
    """Give the format of what a node with weights sends: that for which its reader asks."""
    consumers = builder.network.consumers(node.name)
    asked = [ask for c in consumers if (ask := getattr(c, "input_format", None)) is not None]
    form: Format = asked[0](builder, node) if asked else builder.formats[node.name]
    return form


def without_overflow(builder: Builder, name: str, source: str, weigh: Weigh) -> tuple[str, int]:
    """Drop low bits of graded messages whose weighted sum could overflow an accumulator; say what
    to read, and how many were dropped.
    """
    if builder.outputs[source] == SPIKE:
        return source, 0
    excess = excess_bits(builder, name, source, weigh)
    if excess <= 0:
        return source, 0
    narrow = narrowed(builder, name, source, excess)
    wide = builder.outputs[source]
    width = len(builder.bounds[source])
    exponent = tuple(int(e) for e in wide.exponents(width) - excess)
    rescale = Rescale(
        mantissa=np.ones(width, np.int32),
        shift=np.full(width, excess, np.int8),
        bias=np.zeros(width, np.int32),
        bits=builder.config.at(name).gain_bits,
    )
    builder.add(
        Requantize(
            name=f"{name}.narrow",
            inputs=(Edge(source),),
            output=Format(narrow, exponent),
            channels=width,
            rescale=rescale,
        )
    )
    return f"{name}.narrow", excess


def excess_bits(builder: Builder, name: str, source: str, weigh: Weigh) -> int:
    """Tell by how many bits the worst weighted sum of ``source`` exceeds the accumulators."""
    largest = builder.bounds[source]
    worst = np.maximum(weigh(largest), 1.0)
    # dropping bits rounds each message by up to half a unit
    room = fp.limit_of(builder.config.at(name).sum_bits) - weigh(np.ones_like(largest)) / 2
    excess = np.ceil(np.log2(worst / np.maximum(room, 0.5)))
    return int(excess.max())


def narrowed(builder: Builder, name: str, source: str, bits: int) -> int:
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
