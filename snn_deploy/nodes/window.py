"""Window: neighbouring steps side by side, on the host: what a convolution over time reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.bounds import Bound
from snn_deploy.ir.network import Network
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import IntArray, IntegerNode, Place
from snn_deploy.nodes.part import Part
from snn_deploy.nodes.rules import require, require_range

__all__ = ["Window"]

MAX_STEPS = 1 << 16  # to either side of one


@dataclass(frozen=True, kw_only=True, eq=False)
class Window(IntegerNode):
    """``y[t] = [x[t - before], …, x[t], …, x[t + after]]``, x being 0 outside the sequence.

    It reads the input, x (channels,), whose format each part keeps.
    """

    places = ("host",)
    clips = False

    channels: int
    before: int
    after: int

    @property
    def steps(self) -> int:
        """How many steps stand side by side."""
        return self.before + 1 + self.after

    @property
    def width(self) -> int:
        return self.channels * self.steps

    @property
    def does(self) -> str:
        return f"window of {self.steps} steps"

    @property
    def reach(self) -> tuple[int, int]:
        return self.before, self.after

    @property
    def input_width(self) -> int:
        return self.channels

    def check(self, network: Network) -> None:
        (source,) = network.sources(self)
        require(source.is_input, self, f"reads '{source.name}', which is no Input")
        for what in ("before", "after"):
            require_range(self, what, getattr(self, what), 0, MAX_STEPS)
        (form,) = self.source_formats(network)
        exponents = np.tile(form.exponents(self.channels), self.steps)
        same = np.array_equal(exponents, self.output.exponents(self.width))
        told = "its output's format is not its input's"
        require(same and form.bits == self.output.bits, self, told)

    def stepwise(self) -> tuple[IntegerNode, ...]:
        if any(self.reach):
            return (self,)
        same = Part(
            name=self.name,
            inputs=self.inputs,
            output=self.output,
            first=0,
            channels=self.channels,
            whole=self.channels,
        )
        return (same,)

    def run(self, sources: Sequence[IntArray], place: Place) -> tuple[IntArray, int]:
        """Put steps of x (B, L, channels) side by side."""
        steps = sources[0].shape[1]
        padded = np.pad(sources[0], ((0, 0), (self.before, self.after), (0, 0)))
        parts = [padded[:, k : k + steps] for k in range(self.steps)]
        return np.concatenate(parts, axis=-1), 0

    def bound(self, sources: Sequence[Interval]) -> Bound:
        return Bound({}, {}, np.tile(sources[0].magnitude, self.steps))
