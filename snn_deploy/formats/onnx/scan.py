"""ONNX's ``Scan``: the step of some nodes, taken once for each step of the sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import helper

from snn_deploy.formats.onnx.graph import Axes, Graph, signal_info
from snn_deploy.formats.onnx.step import State

__all__ = ["Port", "Scan", "add_scan"]


@dataclass(frozen=True)
class Port:
    """A signal: (B, L, width) outside, (B, width) within."""

    outer: str
    inner: str
    width: int


@dataclass(frozen=True)
class Scan:
    """A loop over the steps.

    Parameters
    ----------
    name
        Of the node.
    body
        The graph of one step.
    states
        What it carries.
    enters, leaves
        Signals that it takes, and gives.
    backwards
        Whether it begins with the last step.
    """

    name: str
    body: Graph
    states: Sequence[State]
    enters: Sequence[Port]
    leaves: Sequence[Port]
    backwards: bool


def add_scan(scan: Scan, graph: Graph, start: Sequence[str]) -> None:
    """Add a loop to a graph, its states beginning with ``start``."""
    states: list[Axes] = [("batch", *state.shape) for state in scan.states]
    takes = [signal_info(s.name, shape) for s, shape in zip(scan.states, states, strict=True)]
    takes += [signal_info(port.inner, ("batch", port.width)) for port in scan.enters]
    gives = [signal_info(s.following, shape) for s, shape in zip(scan.states, states, strict=True)]
    gives += [signal_info(port.inner, ("batch", port.width)) for port in scan.leaves]
    ends = [graph.name(f"{state.name}/end") for state in scan.states]
    made = helper.make_node(
        "Scan",
        [*start, *(port.outer for port in scan.enters)],
        [*ends, *(port.outer for port in scan.leaves)],
        name=scan.name,
        body=helper.make_graph(scan.body.nodes, scan.name, takes, gives),
        num_scan_inputs=len(scan.enters),
        scan_input_axes=[1] * len(scan.enters),
        scan_output_axes=[1] * len(scan.leaves),
        scan_input_directions=[int(scan.backwards)] * len(scan.enters),
        scan_output_directions=[int(scan.backwards)] * len(scan.leaves),
    )
    graph.nodes.append(made)
