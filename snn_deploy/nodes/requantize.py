"""Requantize: sums, gains and offsets; the residual stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, saturate, signed_shift
from snn_deploy.nodes.base import SHIFT_BITS, Int8, IntegerNode, Rescale, check_rescale, rescaled
from snn_deploy.nodes.rules import MAX_SHIFT, require_between, require_one_exponent

__all__ = ["Requantize"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantize(Channels, IntegerNode):
    """``y = sat(ms(Σ_i (x_i << align_i), mantissa, shift) + bias)``, without ``rescale``
    ``y = sat(Σ_i (x_i << align_i))``; negative ``align`` is a right shift, rounding half up.

    ``align`` (inputs, width), -47 … 24, or None for no shifts, brings inputs of different exponents
    to one. All inputs have one width.
    """

    places = ("host", "chip")
    ports = None

    rescale: Rescale | None = None
    align: Int8 | None = None

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "state_bits", "residual_bits", self.output.bits
        if self.rescale is not None:
            yield "coefficient_bits", "gain_bits", self.rescale.bits

    def check(self, network: Network) -> None:
        if self.rescale is not None:
            check_rescale(self, self.rescale, self.width)
        exponents = [form.exponents(self.width) for form in self.source_formats(network)]
        if self.align is not None:
            shape = (len(exponents), self.width)
            require_between(self, "align", self.align, shape, -MAX_SHIFT, 24)
            exponents = [e + shift for e, shift in zip(exponents, self.align, strict=True)]
        if self.rescale is None:
            exponents.append(self.output.exponents(self.width))
        require_one_exponent(self, exponents)

    def step(self, t: Tracer) -> Value:
        inputs = [t.input(port) for port in range(len(self.inputs))]
        if self.align is not None:
            shifts = [t.parameter(f"align{i}", row, SHIFT_BITS) for i, row in enumerate(self.align)]
            inputs = [signed_shift(x, by) for x, by in zip(inputs, shifts, strict=True)]
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        if self.rescale is not None:
            total = rescaled(t, total, self.rescale, self.output.bits)
        return saturate(total, self.output.bits, "output")
