"""Weights of several words: synapses for each word, whose sums their neuron shifts and adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.nodes.base import Int8
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.rules import MAX_SHIFT
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.linear import without_overflow

if TYPE_CHECKING:
    from snn_deploy.nodes.linear import Linear

__all__ = ["add_words", "limit_of_words", "split_words"]


def add_words(builder: Builder, linear: Linear, words: int) -> None:
    """Add the integer form of a linear map whose weights have several words.

    The gain is rounded first, and weights are counted in units that it holds exactly: as fine as
    they are, a gain's rounding would be the larger error. Nor is what was weighed so finely cut
    off again: the output is as wide as a message.

    Raises
    ------
    ConfigError
        If gains, accumulators or offsets are too narrow.
    """
    name, source = linear.name, linear.inputs[0].source
    config, rows = builder.config.at(name), linear.width
    bits, output = config.weight_bits, builder.own_format(name, config.message_bits)
    in_units = linear.weight * 2.0 ** -builder.outputs[source].exponents(linear.weight.shape[1])
    scale = np.abs(in_units).max(axis=1, initial=0.0) / limit_of_words(bits, words)
    to_output = 2.0 ** output.exponents(rows)
    enough = scale * to_output * (1 + 2.0 ** (2 - config.gain_bits))  # rounding leaves it no less
    builder.check_gain(name, enough)  # a gain that is cut off would leave weights too large
    mantissa, shift = fp.multiplier_of(enough, config.gain_bits, MAX_SHIFT)
    scale = mantissa * 2.0 ** -shift.astype(np.float64) / to_output
    integer = fp.round_half_up(in_units / np.where(scale > 0, scale, 1.0)[:, None])
    parts = split_words(integer, bits, words)
    magnitude = np.abs(np.concatenate(parts).astype(np.float64))
    source, narrowed = without_overflow(builder, name, source, lambda x: magnitude @ x)
    for word, part in enumerate(parts):
        builder.add(
            Synapses(
                name=f"{name}.synapses{word}",
                inputs=(Edge(source),),
                output=Format(config.sum_bits, -(bits - 1) * word),
                weight=part,
                weight_bits=bits,
            )
        )
    align = np.repeat((bits - 1) * np.arange(words, dtype=np.int8)[:, None], rows, axis=1)
    builder.add(
        Requantize(
            name=name,
            inputs=tuple(Edge(f"{name}.synapses{word}") for word in range(words)),
            output=output,
            channels=rows,
            rescale=builder.gain(name, scale * to_output * 2.0**narrowed, linear.bias, output),
            align=align,
        )
    )


def limit_of_words(bits: int, words: int) -> int:
    """Give the largest weight of several words of ``bits`` signed bits: see ``split_words``."""
    limit = fp.limit_of(bits)
    for _ in range(1, words):
        limit = (limit << bits - 1) + (1 << bits - 2) - 1
    return limit


def split_words(weight: npt.NDArray[np.int64], bits: int, words: int) -> list[Int8]:
    """Split weights into words of ``bits`` signed bits, ``Σ_k word_k << (bits - 1) k``.

    No weight exceeds ``limit_of_words``.
    """
    step, parts = bits - 1, []
    for _ in range(1, words):
        higher = weight + (1 << step - 1) >> step
        parts.append((weight - (higher << step)).astype(np.int8))
        weight = higher
    return [*parts, weight.astype(np.int8)]
