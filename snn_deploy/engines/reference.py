"""The reference engine: plain numpy, node by node, written to be read.

It is the oracle. Each node computes its own program (``snn_deploy/nodes/``) in terms of
``fixedpoint.py``; nodes that read each other's past take turns, step by step. It runs networks of
both integer stages, so that every lowering pass can be checked to keep every bit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from snn_deploy.engines.result import IntArray, Result, Run, by_name
from snn_deploy.engines.session import WholeEngine
from snn_deploy.ir.loops import delayed, groups, is_recurrent, run_loop
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.nodes.base import Place

__all__ = ["ReferenceEngine", "run_node"]


class ReferenceEngine(WholeEngine):
    """Runs a network node by node over whole sequences."""

    name = "reference"
    several = True

    def compute(self, network: Network, run: Run) -> Result:
        """Run mantissas ``run.inputs`` (B, L, d_input), by name if several, through the network."""
        inputs = by_name(network, run.inputs)
        place = Place(run.lengths, next(iter(inputs.values())).shape[1])
        signals: dict[str, IntArray] = {}
        saturated: Counter[str] = Counter()
        for group in groups(network):
            if is_recurrent(group):
                _run_loop(group, signals, saturated, place)
            else:
                (node,) = group
                read = [delayed(signals[e.source], e.steps_back) for e in node.inputs]
                sources = read or [inputs[node.name]]
                signals[node.name], clipped = run_node(node, sources, place)
                _count(saturated, node, clipped)
            run.progress(len(group) / len(network))
        return Result.collect(network, run, signals, saturated)


def run_node(node: Any, sources: list[IntArray], place: Place) -> tuple[IntArray, int]:
    """Run one node over whole signals (B, L, channels); give its own, and how many it clipped."""
    if hasattr(node, "run"):  # what is not a neuron's step: a table of the host's, two directions
        signal, clipped = node.run(sources, place)
        return signal, int(clipped)
    clock = node.clock(place, sources[0].shape[1])
    return run_program(node.program, sources, clock, node.runs_backwards)


def _count(saturated: Counter[str], node: Any, clipped: int) -> None:
    if node.clips:
        saturated[node.name] += clipped


def _run_loop(
    group: tuple[Node, ...], signals: dict[str, IntArray], saturated: Counter[str], place: Place
) -> None:
    """Run nodes that read each other's past, one step of all of them after another."""
    batch, steps = len(place.lengths), place.steps
    running = {node.name: ProgramStep(node.program, batch) for node in group}  # type: ignore[attr-defined]
    clocks = {node.name: node.clock(place, steps) for node in group}  # type: ignore[attr-defined]

    def step(node: Node, ports: list[IntArray], t: int) -> IntArray:
        clock = {name: word[:, t] for name, word in clocks[node.name].items()}
        return running[node.name](ports, clock)

    run_loop(group, signals, (batch, steps), step)
    for node in group:
        _count(saturated, node, running[node.name].clipped)
