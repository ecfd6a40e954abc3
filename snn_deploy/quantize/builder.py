"""The integer nodes made so far, and what every node's quantiser needs of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir.bounds import Magnitude, bound_node
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.dendrites import MAX_SHIFT
from snn_deploy.quantize.formats import choose_exponent
from snn_deploy.quantize.ranges import Ranges
from snn_deploy.quantize.weights import RoundedWeights, round_weights

__all__ = ["Builder"]

Real = npt.NDArray[np.float64]


@dataclass
class Builder:
    """The integer nodes made so far, with the worst case of each: later nodes are scaled by it."""

    network: Network
    ranges: Ranges
    config: QuantizationConfig
    formats: dict[str, Format]
    lif: LifRegisters = LOIHI
    built: list[IntegerNode] = field(default_factory=list)
    bounds: dict[str, Magnitude] = field(default_factory=dict)
    outputs: dict[str, Format] = field(default_factory=dict)

    def add(self, node: IntegerNode) -> None:
        formats = [self.format_of(edge.source) for edge in node.inputs]
        sources = [
            # of a later node, all that its format holds
            self.bounds[edge.source]
            if edge.source in self.bounds
            else np.full(self.network[edge.source].width, float(form.limit))
            for edge, form in zip(node.inputs, formats, strict=True)
        ]
        self.built.append(node)
        self.bounds[node.name] = bound_node(node, sources, formats).output
        self.outputs[node.name] = node.output

    def format_of(self, name: str) -> Format:
        """Give the format of a node's output; of a later node, which a loop reads, the planned."""
        return self.outputs[name] if name in self.outputs else self.formats[name]

    def own_format(self, name: str, bits: int) -> Format:
        """Give the format of ``bits`` bits for a signal that is of no stream with others."""
        reach = self.ranges.reach(name, self.config.at(name), bits)
        return Format(bits, tuple(int(e) for e in choose_exponent(reach, bits)))

    def drive_exponent(self, source: str) -> int:
        """Give the exponent of a drive, at which 1 is a threshold.

        Raises
        ------
        ConfigError
            If its steps are coarser than a threshold.
        """
        exponent = int(self.format_of(source).exponents(1)[0])
        if exponent < 0:
            bounded = self.ranges.source != "calibration"
            raise ConfigError(
                f"node '{source}': its drive would count in steps of {2**-exponent} thresholds, "
                "too coarse to tell when the soma spikes; "
                + ("give calibration data, or " if bounded else "")
                + "set a larger drive_bits, state_bits or readout_bits"
            )
        return exponent

    def rounded(self, name: str, weight: Real, source: str) -> RoundedWeights:
        """Round the weights (out, in) of node ``name`` for the mantissas that ``source`` sends."""
        unit = 2.0 ** -self.outputs[source].exponents(weight.shape[1])
        bits = self.config.at(name).weight_bits
        moments, met = self.ranges.moments.get(source), self.ranges.comparisons.get(name)
        return round_weights(
            weight * unit, bits, moments and moments.in_units(unit), met and met.in_units(unit)
        )

    def mean(self, source: str, width: int) -> Real:
        """Give the mean mantissas (width,) of ``source`` in calibration; 0 where it is unknown."""
        mean = self.ranges.mean.get(source, np.zeros(width))
        return mean * 2.0 ** self.outputs[source].exponents(width)

    def check_gain(self, name: str, value: Real) -> None:
        """Refuse gains that are too large for their bits."""
        bits = self.config.at(name).gain_bits
        largest = float(np.abs(value).max(initial=0.0))
        if not largest <= fp.limit_of(bits):
            raise ConfigError(
                f"node '{name}': channel {int(np.abs(value).argmax())} needs a gain of "
                f"{largest:.3g}, over the {fp.limit_of(bits)} that {bits} bits hold; set a larger "
                "weight_bits or a smaller residual_bits, or, where the target's coefficients are "
                "wider, a larger gain_bits"
            )

    def gain(
        self, name: str, value: Real, bias: Real, output: Format, mean: Real | float = 0.0
    ) -> Rescale:
        """Represent ``value`` (in output mantissas per unit of input) and a real bias.

        What rounding the gain changes at the input's ``mean``, in units, goes into the bias.
        """
        config = self.config.at(name)
        bits = config.gain_bits
        self.check_gain(name, value)
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
        return Rescale(mantissa, shift, offset.astype(np.int32), bits)
