"""Silence: nothing where a sequence has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, select
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import IntArray, IntegerNode, Place
from snn_deploy.nodes.rules import require

__all__ = ["Silence"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Silence(Channels, IntegerNode):
    """``y[t] = x[t]`` where ``t < length``, else 0; in the format of x.

    The sequencer tells whether a step belongs to the sequence.
    """

    clips = False

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        same = np.array_equal(form.exponents(self.width), self.output.exponents(self.width))
        told = "its output's format is not its input's"
        alike = (form.bits, form.signed) == (self.output.bits, self.output.signed)
        require(same and alike, self, told)

    def check_output(self) -> None:
        """What it reads may be of any format, spikes too."""

    def step(self, t: Tracer) -> Value:
        return select(t.clock("valid"), t.input(), 0)

    def clock(self, place: Place, steps: int) -> Mapping[str, IntArray]:
        at = place.start + np.arange(steps)
        return {"valid": (at < place.lengths[:, None]).astype(np.int64)[..., None]}

    def clock_bounds(self) -> Mapping[str, Interval]:
        return {"valid": Interval(np.zeros(1), np.ones(1))}
