"""Accumulator and RunningSum: sums over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.bounds import Bound, saturating
from snn_deploy.ir.cost import Memory, NodeCost
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.pooling import Pooling, PoolMode
from snn_deploy.ir.program import (
    Tracer,
    Value,
    multiply_shift,
    round_shift,
    saturate,
    select,
    send_when,
    signed_shift,
)
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import SHIFT_BITS, IntArray, IntegerNode, Place
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    MAX_MESSAGE_BITS,
    require,
    require_product,
    require_range,
)

__all__ = ["MAX_POOLED_STEPS", "Accumulator", "RunningSum"]

MAX_POOLED_STEPS = 2**24
"""A sum over fewer steps than these fits the two words of an ``Accumulator``."""

SUM_BITS = 48
_COUNTER_BITS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulator(Channels, IntegerNode):
    """Pools a sequence into one vector, sent at its last valid step; silent (0) at all others.

    ``sum``: ``sat(signed_shift(Σ_t x[t], guard_bits))``. ``last``, ``first``: that step's x,
    likewise shifted. ``mean``: the sum divided by the number of valid steps through
    ``fixedpoint.reciprocal(steps, reciprocal_bits, headroom_bits, guard_bits)``. The running sum is
    held in two 24-bit words, 48 bits, which no sequence of fewer than ``MAX_POOLED_STEPS`` can
    fill. With ``use_lengths`` the valid steps are the first ``lengths`` of each sequence, else all.

    ``guard_bits`` is how many more fractional bits the output has than the input (or fewer).
    """

    once = True

    mode: PoolMode
    use_lengths: bool
    guard_bits: int
    headroom_bits: int
    reciprocal_bits: int

    @property
    def pooling(self) -> Pooling:
        return Pooling(self.mode, self.use_lengths)

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield from ()

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        require(
            form.bits <= MAX_MESSAGE_BITS, self, f"pools {form.bits} bits, over {MAX_MESSAGE_BITS}"
        )
        require_range(self, "headroom_bits", self.headroom_bits, 0, 24)
        require_range(self, "reciprocal_bits", self.reciprocal_bits, 2, MAX_FACTOR_BITS)
        highest = {"mean": self.reciprocal_bits - 2, "sum": 14}.get(self.mode, 24)
        require_range(self, "guard_bits", self.guard_bits, -24, highest)
        what, bits = "a mean's sum times its reciprocal", (form.bits, self.headroom_bits)
        require_product(self, what, *bits, self.reciprocal_bits)

    def step(self, t: Tracer) -> Value:
        x, held = t.input(), t.state("gathered", SUM_BITS)
        gathered = {
            "mean": lambda: held + x,
            "sum": lambda: held + x,
            "last": lambda: x,
            "first": lambda: select(t.clock("first"), x, held),
        }[self.mode]()
        t.next(held, gathered)
        if self.mode == "mean":
            short = round_shift(gathered, t.clock("pre_shift"))
            pooled = multiply_shift(short, t.clock("mantissa"), t.clock("shift"))
        else:
            pooled = signed_shift(gathered, self.guard_bits)
        last = t.clock("last")  # others' sums do not count as clipped
        return send_when(last, saturate(select(last, pooled, 0), self.output.bits, "output"))

    def clock(self, place: Place, steps: int) -> Mapping[str, IntArray]:
        every = np.full_like(place.lengths, place.steps)
        lengths = place.lengths if self.use_lengths else every
        at = place.start + np.arange(steps)
        words = {
            "first": np.broadcast_to(at == 0, (len(lengths), steps)).astype(np.int64),
            "last": (at == lengths[:, None] - 1).astype(np.int64),
        }
        if self.mode == "mean":
            divisors = np.array([self.divisor(int(n)) for n in lengths], np.int64)
            for name, column in zip(("pre_shift", "mantissa", "shift"), divisors.T, strict=True):
                words[name] = np.repeat(column[:, None], steps, axis=1)
        return {name: word[..., None] for name, word in words.items()}

    def clock_bounds(self) -> Mapping[str, Interval]:
        pre_shift, _, shift = self.divisor(MAX_POOLED_STEPS)
        most = {"first": 1, "last": 1, "pre_shift": pre_shift, "shift": shift}
        most["mantissa"] = fp.limit_of(self.reciprocal_bits)
        return {
            name: Interval(np.zeros(()), np.asarray(high, np.float64))
            for name, high in most.items()
        }

    @property
    def divides(self) -> tuple[int, int, int] | None:
        return (self.reciprocal_bits, self.headroom_bits, self.guard_bits)

    def divisor(self, steps: int) -> fp.Reciprocal:
        """Give the reciprocal of a number of steps."""
        return fp.reciprocal(steps, self.reciprocal_bits, self.headroom_bits, self.guard_bits)

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """A mean is no larger than what it is the mean of, which no interval shows."""
        worst = sources[0].magnitude
        if self.mode == "sum":
            reached = np.full(self.width, np.inf)  # grows with the sequence, whatever its values
        else:
            # the reciprocal's own rounding, and that of the sum when it is shifted before
            gain = 2.0**self.guard_bits * (1.0 + 2.0 ** (1 - self.reciprocal_bits))
            reached = np.floor((worst + 2.0**-self.headroom_bits) * gain + 0.5)
        return saturating(self.output.limit, reached, worst)

    def cost(self, network: Network) -> NodeCost:
        """Beside the sum, a core counts steps and keeps the reciprocal."""
        return NodeCost(
            self.width,
            neurons=1,
            operations=2,  # the sum is held in two words
            memory=Memory(state=SUM_BITS),
            shared=Memory(coefficients=self.reciprocal_bits + 2 * SHIFT_BITS, state=_COUNTER_BITS),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RunningSum(Channels, IntegerNode):
    """``y[t] = sat(signed_shift(Σ_{j ≤ t} x[j], guard_bits))``: a sum that speaks at every step.

    The sum is held as an :class:`Accumulator`'s, in 48 bits, for fewer than 2**24 steps. It takes
    in every step, valid or not. ``guard_bits`` is how many more fractional bits the output has than
    the input (or fewer).
    """

    guard_bits: int

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield from ()

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        rule = f"adds up {form.bits} bits, over {MAX_MESSAGE_BITS}"
        require(form.bits <= MAX_MESSAGE_BITS, self, rule)
        require_range(self, "guard_bits", self.guard_bits, -24, 14)

    def step(self, t: Tracer) -> Value:
        held = t.state("gathered", SUM_BITS)
        running = held + t.input()
        t.next(held, running)
        y = signed_shift(running, t.parameter("guard_bits", self.guard_bits, SHIFT_BITS))
        return saturate(y, self.output.bits, "output")

    def bound(self, sources: Sequence[Interval]) -> Bound:
        longest = sources[0].magnitude * MAX_POOLED_STEPS  # it grows with the sequence
        reached = np.floor(longest * 2.0**self.guard_bits + 0.5)
        return saturating(self.output.limit, reached, longest)
