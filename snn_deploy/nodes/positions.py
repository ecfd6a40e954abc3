"""Positions: a table as long as the sequence, added on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy.errors import DataError
from snn_deploy.ir.bounds import Bound, saturating, shifted
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, lookup, saturate, signed_shift
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import SHIFT_BITS, Int8, IntArray, IntegerNode, Place
from snn_deploy.nodes.embedding_table import Table, largest_entries
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    MAX_SHIFT,
    require_between,
    require_entries,
    require_one_exponent,
    require_shape,
)

__all__ = ["Positions"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions(Channels, IntegerNode):
    """``y[t] = sat((x[t] << align) + table[t])``; a negative ``align`` is a right shift.

    table (max_steps, width) in the output's mantissas, which may exceed its range: longer sequences
    are refused. align (width,), -47 … 24, or None for no shifts.
    """

    places = ("host",)

    table: Table
    align: Int8 | None = None

    @property
    def does(self) -> str:
        return f"{len(self.table)} positions × {self.width}"

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        require_entries(self, self.table, MAX_FACTOR_BITS)
        require_shape(self, "its table", self.table, (len(self.table), self.width))
        exponents = form.exponents(self.width)
        if self.align is not None:
            require_between(self, "align", self.align, (self.width,), -MAX_SHIFT, 24)
            exponents = exponents + self.align
        require_one_exponent(self, [exponents, self.output.exponents(self.width)])

    @property
    def most_steps(self) -> int:
        return len(self.table)

    def step(self, t: Tracer) -> Value:
        x = t.input()
        if self.align is not None:
            x = signed_shift(x, t.parameter("align", self.align, SHIFT_BITS))
        channel = t.parameter("channel", np.arange(self.width), MAX_FACTOR_BITS)
        table = t.table("table", self.table.reshape(-1), MAX_FACTOR_BITS)
        entry = lookup(table, t.clock("step") * self.width + channel)
        return saturate(x + entry, self.output.bits, "output")

    def clock(self, place: Place, steps: int) -> Mapping[str, IntArray]:
        self.check_positions(place.start + steps)
        return {"step": place.start + np.arange(steps)[None, :, None]}

    def clock_bounds(self) -> Mapping[str, Interval]:
        return {"step": Interval(np.zeros(1), np.full(1, len(self.table) - 1.0))}

    def check_inputs(self, inputs: IntArray, first: int) -> None:
        self.check_positions(first + inputs.shape[1])

    def check_positions(self, steps: int) -> None:
        """Refuse sequences that are longer than the table.

        Raises
        ------
        DataError
            Naming both.
        """
        if steps > len(self.table):
            raise DataError(
                f"{self.name}: sequences have {steps} steps, but the network knows only "
                f"{len(self.table)} positions; shorten the sequences"
            )

    def bound(self, sources: Sequence[Interval]) -> Bound:
        x = sources[0].magnitude
        x = x if self.align is None else shifted(x, -self.align.astype(np.int64))
        return saturating(self.output.limit, x + largest_entries(self.table), x)
