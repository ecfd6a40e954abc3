"""From a layer norm to the integers of its Normalize.

The norm divides by the root of a sum of squares, so the number of channels goes into the gain that
follows. What is to choose is how finely the inputs are aligned, and how far squares are shifted
before they are added up.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.quantize.config import QuantizationConfig

__all__ = ["quantize_layer_norm"]

Real = npt.NDArray[np.float64]

MOST_LEFT = 24  # bits by which an input may be shifted
MOST_LOST = 4  # bits of the loudest channel that may be shifted out
LARGEST_SQUARE_SHIFT = 46


def quantize_layer_norm(
    node: LayerNorm,
    source: Format,
    source_bound: Real,
    output: Format,
    rescale: Rescale,
    config: QuantizationConfig,
) -> Normalize:
    """Quantise a layer norm.

    Parameters
    ----------
    node
        The float norm.
    source, source_bound
        Format of its input, and the input's largest mantissa per channel (H,).
    output
        Format of its output.
    rescale
        From quotients to the output.
    config
        Widths.

    Inputs are aligned as finely as messages, and sums of two words, can hold for any input; squares
    keep as many bits as sums leave room for.

    Raises
    ------
    ConfigError
        If messages are too narrow.
    """
    exponents = source.exponents(node.width)
    coarsest = Normalize(
        name=node.name,
        inputs=(Edge(node.inputs[0].source),),
        output=output,
        align=np.zeros(node.width, np.int8),
        square_shift=LARGEST_SQUARE_SHIFT,
        epsilon=1,
        reciprocal_bits=config.gain_bits,
        state_bits=config.message_bits,
        rescale=rescale,
    )
    exponent = int(exponents.min()) + MOST_LEFT
    while not _holds(_aligned(coarsest, exponent - exponents), source_bound):
        exponent -= 1
        if exponent < exponents.min() - MOST_LOST:
            raise ConfigError(
                f"node '{node.name}': sums over its {node.width} channels would not fit two words "
                f"of message_bits={config.message_bits}; set a larger message_bits, or a smaller "
                "residual_bits"
            )
    while True:
        for shift in range(0, LARGEST_SQUARE_SHIFT + 1, 2):
            epsilon = node.epsilon * node.width * 2.0 ** (2 * exponent - shift)
            if epsilon < 2.0 ** (2 * config.message_bits):
                made = replace(coarsest, square_shift=shift, epsilon=max(int(epsilon + 0.5), 1))
                made = _aligned(made, exponent - exponents)
                if _holds(made, source_bound):
                    return made
        exponent -= 1  # epsilon alone would overflow the sum


def _aligned(node: Normalize, align: npt.NDArray[np.int64]) -> Normalize:
    return replace(node, align=align.astype(np.int8))


def _holds(node: Normalize, source_bound: Real) -> bool:
    bound = node.bound([Interval(-source_bound, source_bound)])
    return not any(bound.can_exceed(quantity) for quantity in ("aligned", "centred", "total"))
