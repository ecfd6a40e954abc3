"""What the operations of a network refer to, as it is put together."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from snn_deploy.engines.native.carried import Carried, Form
from snn_deploy.engines.native.compiled import CompiledStep, write_step
from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.engines.native.library import compiled_steps
from snn_deploy.engines.native.packing import SLACK, Pack
from snn_deploy.engines.native.plan import Plan
from snn_deploy.engines.native.synapse_layout import narrow_synapses
from snn_deploy.ir.bounds import Bound, Magnitude, input_intervals
from snn_deploy.ir.invariants import Interval
from snn_deploy.ir.program import Program
from snn_deploy.ir.program_step import first_words

__all__ = ["Parts"]


class Parts:
    """Collects what the operations of a network refer to."""

    def __init__(
        self, plan: Plan, bounds: dict[str, Bound], open_to: Collection[str], integers: bool
    ) -> None:
        self.network = plan.network
        self.closing = frozenset(node.name for node in plan.closing)
        self.bounds = bounds
        self.integers = integers
        self.narrow: frozenset[str] = frozenset()
        if not integers:
            self.narrow = narrow_synapses(self.network) - frozenset(open_to)
        self.params = Pack(np.float64)
        self.floats = Pack(np.float32)
        self.weights = Pack(np.int8)
        self.tables = Pack(np.int64)
        self.values = Pack(np.int64)
        self.carried: list[Carried] = []
        self.state_size = 0
        self.work_size = SLACK
        self._compiled: dict[str, tuple[int, CompiledStep] | None] = {}

    def carry(self, name: str, form: Form, begins: Program | None = None) -> int:
        """Set room aside for what a node carries from step to step, and give where; words of state
        begin as a program says.
        """
        start = None
        if begins is not None and any(np.any(word.start) for word in begins.words.values()):
            start = first_words(begins, 1)
        place = self.state_size
        self.carried.append(Carried(name, place, form, start))
        self.state_size += form.size
        return place

    def compiled(self, node: Any) -> tuple[int, CompiledStep] | None:
        """Give a node's step, and its number in the library; None: its program is interpreted."""
        if node.name not in self._compiled:
            self._compiled[node.name] = None
            try:
                step = write_step(node.program, self._intervals(node), node.clock_bounds())
            except NotExactError:
                return None
            number = compiled_steps().get(step.name)
            self._compiled[node.name] = None if number is None else (number, step)
        return self._compiled[node.name]

    def _intervals(self, node: Any) -> list[Interval]:
        formats = [source.output for source in self.network.sources(node)]  # type: ignore[attr-defined]
        return input_intervals(self.largest_inputs(node), formats)

    def largest_inputs(self, node: Any) -> list[Magnitude]:
        """Worst cases of a node's inputs, (width,) each."""
        return [self.bounds[edge.source].output for edge in node.inputs]
