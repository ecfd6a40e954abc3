"""Which number format each signal gets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.rules import MAX_SHIFT
from snn_deploy.quantize.comparisons import levels_of
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.ranges import Ranges

__all__ = [
    "choose_exponent",
    "fitting",
    "highest_level",
    "no_finer",
    "plan_formats",
]

Real = npt.NDArray[np.float64]

QUIETEST = 2.0**-64  # a signal below this is silence: its exponent would fit no shift
SPREAD = 8  # a quiet channel's step is at most this many octaves below the loudest channel's


def choose_exponent(largest: npt.ArrayLike, bits: int) -> npt.NDArray[np.int64]:
    """Give the largest exponents at which magnitudes still fit ``bits`` wide signed mantissas.

    A magnitude of 0 gets the exponent of the smallest other one; all are at most ``SPREAD`` above
    the smallest exponent, so that a channel that was silent in calibration keeps some range. If no
    magnitude is as large as ``QUIETEST``, the exponents are those of magnitude 1.
    """
    magnitude = np.atleast_1d(np.asarray(largest, dtype=np.float64))
    loudest = magnitude.max()
    floor = loudest * 2.0**-SPREAD if loudest >= QUIETEST else 1.0
    room = (2.0 ** (bits - 1) - 1) / np.maximum(magnitude, floor)
    return np.asarray(np.floor(np.log2(room)), dtype=np.int64)


def plan_formats(network: Network, ranges: Ranges, config: QuantizationConfig) -> dict[str, Format]:
    """Choose the format of each stream: the input, the residual stream, normalised streams.

    Every signal gets the finest exponents, one a channel, at which its range fits. What a layer
    adds to the residual stream takes the format of the sum, so that only the stream itself, which
    grows with depth, is shifted on its way.
    """
    largest = {
        node.name: ranges.reach(
            node.name, config.at(node.name), _bits_of(node, config.at(node.name))
        )
        for node in network
        if node.stream is not None  # type: ignore[attr-defined]  # float stage
    }
    largest = {name: np.maximum(x, highest_level(network, name)) for name, x in largest.items()}
    for residual in (node for node in network if node.adds):  # type: ignore[attr-defined]
        added = [residual.name, *_layer_outputs(network, residual)]
        widest = np.max([largest[name] for name in added], axis=0)
        largest.update(dict.fromkeys(added, widest))
    for reader in network:
        largest.update(_same_in_a_map(network, reader, largest))
    formats = {
        name: _format(magnitude, _bits_of(network[name], config.at(name)))
        for name, magnitude in largest.items()
    }
    return formats | _drives(network, ranges, config, largest)


def no_finer(form: Format, finest: npt.NDArray[np.int64]) -> Format:
    """Give a format whose exponents, one a channel, are at most ``finest`` (width,)."""
    exponents = np.minimum(form.exponents(len(finest)), finest)
    return Format(form.bits, tuple(int(e) for e in exponents))


def fitting(form: Format, gain: Real, offset: Real, config: QuantizationConfig) -> Format:
    """Give a format no finer than a gain a unit and an offset (width,), in numbers, allow.

    A spike, whose unit is 1, needs a gain as large as the output's format is fine.
    """
    offset = np.maximum(np.abs(offset), 2.0**-MAX_SHIFT)
    gain = np.maximum(np.abs(gain), 2.0**-MAX_SHIFT)
    room = np.minimum(
        (fp.limit_of(config.sum_bits) - 1) / offset, fp.limit_of(config.gain_bits) / gain
    )
    finest = np.floor(np.log2(room)).astype(np.int64)
    if isinstance(form.exponent, int):
        return Format(form.bits, min(form.exponent, int(finest.min())))
    return no_finer(form, finest)


def highest_level(network: Network, name: str) -> npt.NDArray[np.float64] | float:
    """Give the largest magnitude (width,) that a signal is compared with, or 0."""
    levels = levels_of(network, name)
    return 0.0 if levels is None else np.asarray(np.abs(levels).max(axis=0))


def _drives(
    network: Network,
    ranges: Ranges,
    config: QuantizationConfig,
    largest: Mapping[str, npt.NDArray[np.float64]],
) -> dict[str, Format]:
    """Give the formats of drives, and of what is added up to them: one exponent for all channels.

    1 is a threshold, and fits.
    """
    formats: dict[str, Format] = {}
    for node in network:
        drives = [s for s in network.sources(node) if getattr(node, "driven", False)]
        for drive in (s for s in drives if s.name in largest):
            parts = [drive.name]
            if drive.adds:  # type: ignore[attr-defined]  # float stage
                parts += _layer_outputs(network, drive)
            bits = config.at(drive.name).drive_bits
            reach = [ranges.reach(n, config.at(n), bits, together=True).max() for n in parts]
            level = float(np.max(highest_level(network, drive.name)))
            exponent = int(choose_exponent(max(*reach, level, 1.0), bits)[0])
            form = Format(bits, min(exponent, bits - 2))
            formats.update(dict.fromkeys(parts, form))
    return formats


def _same_in_a_map(
    network: Network, reader: Node, largest: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Give the places of each map that a node reads one range, if they share its weights."""
    windows = reader.frame  # type: ignore[attr-defined]  # float stage
    if windows is None:
        return {}
    maps = {
        source.name: largest[source.name].reshape(windows.maps, -1)
        for source in network.sources(reader)
        if source.name in largest
    }
    return {name: np.repeat(x.max(axis=1), x.shape[1]) for name, x in maps.items()}


def _layer_outputs(network: Network, residual: Node) -> list[str]:
    """Name what only this residual connection reads: the layer's output, not the stream."""
    sources = network.sources(residual)
    return [source.name for source in sources if len(network.consumers(source.name)) == 1]


def _format(largest: npt.NDArray[np.float64], bits: int) -> Format:
    return Format(bits, tuple(int(e) for e in choose_exponent(largest, bits)))


def _bits_of(node: Node, config: QuantizationConfig) -> int:
    bits: int = getattr(config, node.stream)  # type: ignore[attr-defined]  # float stage
    return bits
