"""DrawnSoma: a comparison with pseudo-random numbers, the samplers of P-SpikeSSM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, pseudo_random
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, Soma
from snn_deploy.nodes.rules import require, require_between, require_range, require_shape, within

__all__ = ["DRAW_BITS", "DrawnSoma", "first_words"]

DRAW_BITS = 24


def first_words(seed: int, draw: int, width: int) -> Int32:
    """Give the words (width,) that the neurons of a draw start with."""
    rng = np.random.default_rng((seed, draw))
    return rng.integers(1, 1 << DRAW_BITS, width).astype(np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnSoma(Soma):
    """``r' = next(r)``, ``y = x > (r' >> shift)``: a spike with the probability that x says.

    r is a word of the generator ``pseudo_random``, of 24 bits, which is ``first`` (H,) before each
    sequence, 1 … 2**24 - 1. ``24 - shift`` (H,) is the exponent of x. Nodes of the same ``draw``
    have the same first words, and so compare with the same numbers.
    """

    clips = False

    draw: int
    first: Int32
    shift: Int8

    @property
    def width(self) -> int:
        return int(self.first.shape[0])

    def reseeded(self, seed: int) -> DrawnSoma:
        return replace(self, first=first_words(seed, self.draw, self.width))

    def check(self, network: Network) -> None:
        require_range(self, "draw", self.draw, 0, 2**31 - 1)
        require_shape(self, "first", self.first, (self.width,))
        inside = within(self.first, 1, (1 << DRAW_BITS) - 1)
        require(inside, self, f"a first word is outside 1 … {(1 << DRAW_BITS) - 1}")
        require_between(self, "shift", self.shift, (self.width,), 0, DRAW_BITS)
        (form,) = self.source_formats(network)
        together = form.exponents(self.width) + self.shift
        require(within(together, DRAW_BITS, DRAW_BITS), self, "its shift is not that of its input")

    def step(self, t: Tracer) -> Value:
        word = t.state("random", DRAW_BITS, start=self.first)
        drawn = pseudo_random(word)
        t.next(word, drawn)
        shift = t.parameter("shift", self.shift, SHIFT_BITS)
        return t.input() > decay_towards_zero(drawn, 1, shift)
