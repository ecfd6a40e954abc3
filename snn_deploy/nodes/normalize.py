"""Normalize: layer norm in integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.bounds import Bound, Magnitude, rescaled_bound, saturating, shifted
from snn_deploy.ir.cost import SUM_SLOTS, UNIT_WEIGHT_BITS, Memory, NodeCost, program_cost
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import (
    Program,
    Tracer,
    Value,
    bit_length,
    clip,
    floor_shift,
    lookup,
    minimum,
    multiply_shift,
    round_shift,
    saturate,
    signed_shift,
    sum_channels,
)
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import (
    SHIFT_BITS,
    Int8,
    IntegerNode,
    Rescale,
    check_rescale,
    rescaled,
)
from snn_deploy.nodes.rules import (
    MAX_MESSAGE_BITS,
    MAX_SHIFT,
    require,
    require_between,
    require_range,
)

__all__ = ["Normalize", "quotient_bound"]

_RESULTS = 2  # messages that a channel hears: the mean, and the root


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalize(IntegerNode):
    """Layer norm: ``y = sat(ms(z, mantissa, shift) + bias)``, z being x normalised over channels.

    ::

        a = x << align, or rs(x, -align);   d = a - mean_over_channels(Σ a, H, reciprocal_bits)
        r, t = inverse_root(Σ rs(d², square_shift) + epsilon),  1 / root = r 2^-(14 + t)
        z = d r shifted left by 8 - square_shift / 2 - t, or right, rounding half up

    with ``fixedpoint``'s mean and root; z is ``d / sqrt(Σ d² + epsilon 2^square_shift)`` with
    ``fixedpoint.QUOTIENT_FRACTION`` fractional bits. align (H,) -47 … 24; square_shift even,
    0 … 46; epsilon at least 1. a and d fit ``state_bits``, and both sums twice as many (the
    verifier proves it).

    Sums over channels take messages, twice, for the mean and for the root: to an adder on the core,
    on to the one adder of all cores, and back. Meanwhile a channel's value stays in its neuron.
    """

    crossing = 6
    holding = 6
    reductions = True

    align: Int8
    square_shift: int
    epsilon: int
    reciprocal_bits: int
    state_bits: int
    rescale: Rescale

    @property
    def width(self) -> int:
        return int(self.rescale.mantissa.shape[0])

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "coefficient_bits", "gain_bits", max(self.rescale.bits, self.reciprocal_bits)
        yield "coefficient_bits", "", fp.ROOT_BITS
        yield "state_bits", "message_bits", self.state_bits

    def check(self, network: Network) -> None:
        check_rescale(self, self.rescale, self.width)
        require_between(self, "align", self.align, (self.width,), -MAX_SHIFT, 24)
        (form,) = self.source_formats(network)
        exponents = form.exponents(self.width) + self.align
        told = f"align brings its channels to exponents {exponents.min()} … {exponents.max()}"
        require(bool(np.all(exponents == exponents[0])), self, f"{told}, not to one")
        require_range(self, "state_bits", self.state_bits, 2, MAX_MESSAGE_BITS)
        require_range(self, "reciprocal_bits", self.reciprocal_bits, 2, MAX_MESSAGE_BITS)
        require_range(self, "square_shift", self.square_shift, 0, 46)
        require(self.square_shift % 2 == 0, self, f"square_shift {self.square_shift} is odd")
        require(self.epsilon >= 1, self, f"epsilon {self.epsilon} is below 1")

    def step(self, t: Tracer) -> Value:
        aligned = signed_shift(t.input(), t.parameter("align", self.align, SHIFT_BITS))
        centred = aligned - self._mean(t, sum_channels(aligned))
        square = round_shift(centred * centred, self.square_shift)
        root, exponent = _inverse_root(t, sum_channels(square) + self.epsilon)
        fraction = fp.QUOTIENT_FRACTION - fp.ROOT_FRACTION - self.square_shift // 2
        quotient = signed_shift(centred * root, fraction - exponent)
        y = rescaled(t, quotient, self.rescale, self.output.bits)
        return saturate(y, self.output.bits, "output")

    def _mean(self, t: Tracer, total: Value) -> Value:
        """A first quotient, then one of what it left."""
        pre_shift, mantissa, shift = fp.reciprocal(self.width, self.reciprocal_bits, 0, 0)
        factor = t.parameter("reciprocal", mantissa, self.reciprocal_bits)
        first = multiply_shift(round_shift(total, pre_shift), factor, shift)
        remainder = total - first * self.width
        return first + multiply_shift(remainder, factor, shift + pre_shift)

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """Bound it by the proof in docs/arithmetic.md: a quotient is 1 at the most."""
        aligned, count = shifted(sources[0].magnitude, -self.align.astype(np.int64)), self.width
        # |a_i - S / H|, and how far the mean may be from S / H
        lost = 2.0 ** (2 - self.reciprocal_bits)
        inexact = 0.5 + lost * (lost * aligned.mean() + 2.5)
        centred = np.floor(aligned * (1 - 2 / count) + aligned.mean() + inexact)
        squares = np.floor(centred**2 / 2.0**self.square_shift + 0.5)
        output, product = rescaled_bound(quotient_bound(self), self.rescale)
        widest = np.maximum(centred * max(2.0 ** (fp.ROOT_BITS - 1), centred.max()), product)
        sums = np.array([aligned.sum(), squares.sum() + self.epsilon])
        state, total = self.state_bits, fp.limit_of(2 * self.state_bits)
        return saturating(
            self.output.limit,
            output,
            widest,
            aligned=(aligned, fp.limit_of(state)),
            centred=(centred, fp.limit_of(state)),
            total=(sums, total),
        )

    def cost(self, network: Network) -> NodeCost:
        """Cost a norm: its value, then its square, go to the core's adder in half words, whose sums
        fit an accumulator; a result comes back. Value and centred value wait for as long as that
        takes. Mean and root are worked out by the adder, once for all channels.
        """
        word = self.state_bits
        square_bits = max(2 * (word - 1) - self.square_shift, 1)
        sent = 2 + -(-square_bits // max(word // 2, 1))
        table = fp.inverse_root_table()
        gain = program_cost(self._gain()).memory
        return NodeCost(
            self.width,
            neurons=1,
            # align; take the mean off; the square's three products, shifted and added; what is
            # sent, shifted and cut; times the root; times the gain, bias and clip
            operations=1 + 1 + 3 * 3 + 2 * sent + 1 + 4,
            macs=3 + 1 + 1,
            own_messages=sent,
            own_synops=sent + _RESULTS,
            memory=gain
            + Memory(
                weights=(sent + _RESULTS) * UNIT_WEIGHT_BITS,
                coefficients=SHIFT_BITS,
                accumulators=_RESULTS * SUM_SLOTS * word,
                delays=self.holding * word,
            ),
            shared=Memory(
                coefficients=self.reciprocal_bits + 2 * word + 3 * SHIFT_BITS,
                tables=len(table) * fp.ROOT_BITS,
                accumulators=sent * SUM_SLOTS * word,
            ),
        )

    def _gain(self) -> Program:
        tracer = Tracer(self.width)
        return tracer.program(rescaled(tracer, tracer.input(), self.rescale, self.output.bits))


def _inverse_root(t: Tracer, x: Value) -> tuple[Value, Value]:
    """Trace ``fixedpoint.inverse_root``: mantissa and exponent."""
    fraction, shift, radicand_fraction = fp.ROOT_FRACTION, fp.ROOT_INDEX_SHIFT, fp.RADICAND_FRACTION
    content = fp.inverse_root_table()
    exponent = floor_shift(bit_length(x) + 1, 1)
    radicand = signed_shift(x, radicand_fraction - (exponent << 1))
    row = clip(floor_shift(radicand, shift) - fp.ROOT_FIRST_ROW, 0, len(content) - 1)
    start = lookup(t.table("table", content, fp.ROOT_BITS), row)
    root = multiply_shift(radicand, start, fraction)
    missing = (1 << radicand_fraction) - multiply_shift(root, start, fraction)
    step = multiply_shift(missing, start, radicand_fraction + 1)
    return minimum(start + step, fp.limit_of(fp.ROOT_BITS)), exponent


def quotient_bound(node: Normalize) -> Magnitude:
    """Bound what a norm's gain multiplies, (H,): 1 and the root's error.

    ``epsilon >= 1`` makes each ``d² < 2**square_shift * (Σ rs(d², square_shift) + epsilon)``.
    """
    one = 2.0**fp.QUOTIENT_FRACTION
    return np.full(node.width, np.floor(one * (1.0 + 2.0**-14) + 0.5))
