"""What of a network is in memory, and which nodes speak only at a sequence's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from snn_deploy.errors import TargetError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.host import chip_part, without_host
from snn_deploy.ir.loops import past_steps
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Word
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.ir.sweeps import Sweep, plan_sweeps
from snn_deploy.targets.ranges import Range

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """A network's nodes for a target: ``network`` is what is left for the chip.

    Raises
    ------
    TargetError
        On :meth:`check`: for what has no such form.
    """

    network: Network
    language: str
    alone: bool = False
    """Whether it computes what the host does, too, and can keep whole sequences, for nodes that
    run backwards in time or look ahead."""

    @classmethod
    def of(cls, network: Network, language: str, alone: bool = False) -> Layout:
        """Lay a deployment's network out; what its host computes is left out if not ``alone``."""
        layout = cls(without_host(network) if alone else chip_part(network), language, alone)
        layout.check()
        return layout

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """By name: what number a node has."""
        return {name: number for number, name in enumerate(self.network.names)}

    @cached_property
    def sweeps(self) -> tuple[Sweep, ...]:
        """What runs over a whole sequence after what is before it; one, where all is causal."""
        return plan_sweeps(self.network, waits=True)

    @cached_property
    def turns(self) -> Mapping[str, int]:
        """By name: the number of a node's sweep."""
        return {node.name: n for n, sweep in enumerate(self.sweeps) for node in sweep.nodes}

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """Names of the nodes whose whole sequences later sweeps read."""
        return tuple(name for sweep in self.sweeps for name in sweep.keeps)

    @cached_property
    def closing(self) -> tuple[Any, ...]:
        """Nodes that speak once, at the end: pools, and all that reads them."""
        names: set[str] = set()
        for node in self.network:
            if node.once or any(edge.source in names for edge in node.inputs):
                names.add(node.name)
        return tuple(node for node in self.network if node.name in names)

    @cached_property
    def running(self) -> tuple[Any, ...]:
        """Nodes that speak at every step."""
        return tuple(node for node in self.network if node not in self.closing)

    @cached_property
    def stepping(self) -> tuple[Any, ...]:
        """Nodes that do something at every step: pools gather."""
        return tuple(node for node in self.network if node.once or node in self.running)

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """By name: what a node's signal can be, (width,)."""
        bounds = bound_network(self.network)
        found = {}
        for node in self.network:
            form = node.output  # type: ignore[attr-defined]  # integer stage
            high = np.minimum(bounds[node.name].output, float(form.limit))
            found[node.name] = Interval(-high if form.signed else np.zeros_like(high), high)
        return found

    @cached_property
    def signals(self) -> Mapping[str, Range]:
        """By name: what any channel of a node's signal can be."""
        return {name: Range.of(interval) for name, interval in self.intervals.items()}

    @cached_property
    def rings(self) -> Mapping[str, int]:
        """By name: how many past steps of a node's signal others read."""
        found = past_steps(edge for node in self.network for edge in node.inputs)
        for node in self.windows:
            before, after = node.reach
            if before and not after:
                (edge,) = node.inputs
                found[edge.source] = max(before, found.get(edge.source, 0))
        return found

    @cached_property
    def windows(self) -> tuple[Any, ...]:
        """Nodes that put the steps around each one side by side, and have no program."""
        nodes: list[Any] = list(self.network)
        return tuple(node for node in nodes if any(node.reach))

    def words(self, node: Any) -> Mapping[str, Word]:
        """What a node remembers from step to step, by name."""
        return {} if node in self.windows else node.program.words

    @cached_property
    def most_steps(self) -> int | None:
        """How many steps a sequence can have; None: any number."""
        nodes: list[Any] = list(self.network)
        return min((node.most_steps for node in nodes if node.most_steps is not None), default=None)

    def check(self) -> None:
        """Refuse what has no such form, in one line.

        Raises
        ------
        TargetError
            Naming the node and the reason.
        """
        self._check_sweeps()
        for node in self.network:
            if hasattr(node, "run") and not (self.alone and node in self.windows):
                self.refuse(node, "has no step of its own")
        for node in self.closing:
            late = [edge for edge in node.inputs if edge.steps_back]
            if late or node.name in self.rings:
                self.refuse(node, "is a pool, or reads one, and earlier steps")
            if self.words(node) and not node.once:
                self.refuse(node, "follows a pool and remembers")
            if not node.once and any(
                source not in self.closing for source in self.network.sources(node)
            ):
                self.refuse(node, "reads a pool and what speaks at every step")
            if node.once and any(source in self.closing for source in self.network.sources(node)):
                self.refuse(node, "pools what is pooled")
        if len({getattr(node, "use_lengths", False) for node in self.closing if node.once}) > 1:
            self.refuse(self.closing[0], "ends at another step than another pool")
        if self.network.output in self.closing and self.network.answer.steps != "one":
            self.refuse(self.network.output, "follows a pool, and yet is wanted at every step")

    def _check_sweeps(self) -> None:
        for node in self.network:
            if node.runs_backwards and not self.alone:
                self.refuse(node, "runs from a sequence's end to its start")
            if self.turns[node.name] and any(edge.steps_back for edge in node.inputs):
                self.refuse(node, "reads earlier steps, and others wait for a sequence's end")
        output = self.network.output
        if len(self.sweeps) > 1 and (
            self.network.answer.steps != "one" or self.sweeps[self.turns[output.name]].backwards
        ):
            self.refuse(output, "is the answer at every step, and others wait for a sequence's end")

    def refuse(self, node: Node, why: str) -> NoReturn:
        """Refuse a node, in one line.

        Raises
        ------
        TargetError
            Always.
        """
        raise TargetError(
            f"node '{node.name}' ({node.kind}) {why}, which {self.language} is not written for "
            "yet; use the backend 'native'"
        )
