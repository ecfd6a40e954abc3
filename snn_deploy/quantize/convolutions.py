"""From a convolution, or a pool, to shared synapses and the gains that follow them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.shared_synapses import QuantizedConvolution
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.formats import fitting
from snn_deploy.quantize.linear import output_format, without_overflow
from snn_deploy.quantize.weights import round_weights

__all__ = ["add_convolution"]

Real = npt.NDArray[np.float64]


def add_convolution(
    builder: Builder, node: FloatNode, windows: Windows, weight: Real, bias: Real
) -> None:
    """Add the integer form of ``windows.weigh(weight, x) + bias``, bias (filters,), as ``node``.

    A filter's weights are rounded at one scale, and its gain is the same at every place. No
    moments correct its rounding: what its taps read differs from place to place.

    Raises
    ------
    ConfigError
        If the accumulators, gains or offsets are too narrow.
    """
    name, config = node.name, builder.config.at(node.name)
    source = _with_one_exponent_a_map(builder, name, node.inputs[0].source, windows)
    rounded = round_weights(_in_units(builder, source, windows, weight), config.weight_bits)
    kernel = rounded.weight.reshape(weight.shape)
    mean = windows.weigh(kernel, builder.mean(source, windows.inputs))
    magnitude = np.abs(kernel.astype(np.float64))
    source, dropped = without_overflow(builder, name, source, lambda x: windows.weigh(magnitude, x))
    gain = np.repeat(rounded.scale, windows.places) * 2.0**dropped
    offset = np.repeat(bias, windows.places)
    output = fitting(output_format(builder, node), gain, offset, config)
    builder.add(
        QuantizedConvolution(
            name=name,
            inputs=(Edge(source),),
            output=output,
            windows=windows,
            kernel=kernel,
            weight_bits=rounded.bits,
            sum_bits=config.sum_bits,
            rescale=builder.gain(
                name,
                gain * 2.0 ** output.exponents(len(gain)),
                offset,
                output,
                mean * 2.0**-dropped,
            ),
        )
    )


def _in_units(builder: Builder, source: str, windows: Windows, weight: Real) -> Real:
    """Give the weights (filters, taps) for the mantissas that ``source`` sends."""
    exponents = builder.outputs[source].exponents(windows.inputs).reshape(windows.groups, -1)
    maps = windows.maps // windows.groups
    unit = 2.0 ** -exponents.reshape(windows.groups, 1, maps, -1)[..., 0]
    by_map = weight.reshape(windows.groups, -1, maps, windows.taps // maps)
    return np.asarray((by_map * unit[..., None]).reshape(len(weight), windows.taps))


def _with_one_exponent_a_map(builder: Builder, name: str, source: str, windows: Windows) -> str:
    """Bring the places of each map to one exponent, as they share weights."""
    wide = builder.format_of(source)
    exponents = wide.exponents(windows.inputs)
    by_map = exponents.reshape(windows.maps, -1)
    common = np.repeat(by_map.min(axis=1), by_map.shape[1])
    if np.array_equal(common, exponents):
        return source
    builder.add(
        Requantize(
            name=f"{name}.frame",
            inputs=(Edge(source),),
            output=Format(wide.bits, tuple(int(e) for e in common)),
            channels=windows.inputs,
            align=(common - exponents)[None].astype(np.int8),
        )
    )
    return f"{name}.frame"
