"""SigmaDelta: a neuron that adds up changes, and sends changes on that are large enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, clip, round_shift, saturate, select
from snn_deploy.nodes.base import Int32, IntegerNode
from snn_deploy.nodes.rules import fits, require, require_range

__all__ = ["SigmaDelta"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SigmaDelta(IntegerNode):
    """``s = sat(s + x)``, ``a = max(sat(s + bias), 0)``; ``d = a - a[t-1] + r``;
    ``y = d`` where ``|d| >= threshold``, else 0, and ``r = d - y``;
    sent is ``sat(floor(y / 2**scale))``.

    s adds up what arrives, a is the activation (without max where it does not ``rectify``), r what
    was too little to be sent. s, a and bias (H,) are ``state_bits`` wide, threshold less.
    """

    bias: Int32
    threshold: int
    scale: int
    rectify: bool
    state_bits: int

    @property
    def width(self) -> int:
        return int(self.bias.shape[0])

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "state_bits", "state_bits", self.state_bits

    def check(self, network: Network) -> None:
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_range(self, "threshold", self.threshold, 0, fp.limit_of(self.state_bits))
        require_range(self, "scale", self.scale, 0, 24)
        require(fits(self.bias, self.state_bits), self, f"bias exceeds {self.state_bits} bits")

    def step(self, t: Tracer) -> Value:
        bits, limit = self.state_bits, fp.limit_of(self.state_bits)
        summed, last = t.state("gathered", bits), t.state("activation", bits)
        rest = t.state("rest", bits)
        total = saturate(summed + t.input(), bits, "gathered")
        active = total
        if self.bias.any():
            biased = total + t.parameter("bias", self.bias, bits)
            active = saturate(biased, bits, "activation")
        if self.rectify:
            active = clip(active, 0, limit)
        change = active - last + rest
        threshold = t.parameter("threshold", self.threshold, bits)
        enough = (change >= threshold) | (-change >= threshold)
        t.next(summed, total)
        t.next(last, active)
        # what is not sent is below the threshold: the clip changes nothing, and proves it
        t.next(rest, clip(select(enough, 0, change), -self.threshold, self.threshold))
        sent = select(enough, change, 0)
        if self.scale:
            sent = round_shift(sent - (1 << (self.scale - 1)), self.scale)  # rounds down
        return saturate(sent, self.output.bits, "output")
