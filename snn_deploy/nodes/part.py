"""Part: some channels of a signal, where a node says more than one thing."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.rules import require, require_one_exponent

__all__ = ["Part"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part(Channels, IntegerNode):
    """``y = x[first : first + channels]``, x (whole,): one of the things that its source says."""

    places = ("host", "chip")
    clips = False

    first: int
    whole: int

    @property
    def input_width(self) -> int:
        return self.whole

    def check(self, network: Network) -> None:
        stop = self.first + self.channels
        rule = f"channels {self.first} … {stop - 1} of a signal that has {self.whole}"
        require(0 <= self.first < stop <= self.whole, self, rule)
        (form,) = self.source_formats(network)
        fits = form.limit <= self.output.limit and self.output.signed >= form.signed
        require(fits, self, f"{form} does not fit {self.output}")
        part = form.exponents(self.whole)[self.first : stop]
        require_one_exponent(self, [part, self.output.exponents(self.width)])

    def check_output(self) -> None:
        """Any format will do: see :meth:`check`."""

    def step(self, t: Tracer) -> Value:
        return t.input(part=(self.first, self.first + self.channels))
