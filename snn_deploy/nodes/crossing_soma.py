"""CrossingSoma: a threshold that past crossings of a fixed one raise, the soma of D-RF."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.rules import fits, require, require_range, require_shape

__all__ = ["CrossingSoma"]

MOST_TAPS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossingSoma(Soma):
    """``y = x >= base + Σ_k rise_k p[t-k]``, ``p = x >= base``, k = 1 … K.

    One word holds the line of past crossings, the newest in its lowest bit; it starts empty. base
    (H,) and rise (K, H) are ``level_bits`` wide.
    """

    base: Int32
    rise: Int32
    level_bits: int

    @property
    def width(self) -> int:
        return int(self.base.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "level_bits", self.level_bits, 2, 32)
        taps = len(self.rise)
        require(1 <= taps <= MOST_TAPS, self, f"{taps} taps, not 1 to {MOST_TAPS}")
        require_shape(self, "base", self.base, (self.width,))
        require_shape(self, "rise", self.rise, (taps, self.width))
        inside = fits(self.base, self.level_bits) and fits(self.rise, self.level_bits)
        require(inside, self, f"base or rise exceeds {self.level_bits} bits")

    def step(self, t: Tracer) -> Value:
        taps = len(self.rise)
        line = t.state("crossings", taps + 1)
        base = threshold = t.parameter("base", self.base, self.level_bits)
        for tap, rise in enumerate(self.rise):
            raised = t.parameter(f"rise{tap + 1}", rise, self.level_bits)
            threshold = threshold + select(line & (1 << tap), raised, 0)
        x = t.input()
        newest = x >= base
        t.next(line, ((line << 1) & ((1 << taps) - 1)) | newest)
        return x >= threshold
