"""A plain reader of NIR graphs, of numpy alone: Euler steps of NIR's equations, node by node.

It shares nothing with the package: graphs come from ``nir.read``, and what comes round a loop
arrives a step later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["simulate"]

Real = npt.NDArray[np.float64]
State = dict[str, Any]


def simulate(graph: Any, inputs: Real, dt: float) -> Real:
    """Give what a graph's output is at every step, (B, L, …), of inputs (B, L, …)."""
    nodes = graph.nodes
    readers = {name: [to for by, to in graph.edges if by == name] for name in nodes}
    (first,) = (name for name, node in nodes.items() if type(node).__name__ == "Input")
    (last,) = (name for name, node in nodes.items() if type(node).__name__ == "Output")
    order = list(visited(readers, first))[::-1]
    place = {name: index for index, name in enumerate(order)}
    sources = {name: [by for by, to in graph.edges if to == name] for name in order}
    states: dict[str, State] = {name: {} for name in order}
    before: dict[str, Real] = {}
    answers = []
    for x in np.moveaxis(inputs, 1, 0):
        now = {first: x}
        for name in order[1:]:
            late = [before[by] for by in sources[name] if place[by] >= place[name] and before]
            arrived = sum([now[by] for by in sources[name] if place[by] < place[name]] + late)
            now[name] = STEPS[type(nodes[name]).__name__](nodes[name], arrived, states[name], dt)
        answers.append(now[last])
        before = now
    return np.stack(answers, axis=1)


def visited(readers: dict[str, list[str]], first: str) -> Iterator[str]:
    """Go depth first; give a node when all that it leads to was given."""
    seen, path = {first}, [(first, iter(readers[first]))]
    while path:
        name, waiting = path[-1]
        following = next((reader for reader in waiting if reader not in seen), None)
        if following is None:
            path.pop()
            yield name
        else:
            seen.add(following)
            path.append((following, iter(readers[following])))


def affine(node: Any, x: Real, state: State, dt: float) -> Real:
    return x @ node.weight.T + getattr(node, "bias", 0.0)


def integrated(node: Any, x: Real, state: State, dt: float) -> Real:
    state["v"] = state.get("v", 0.0) + dt * node.r * x
    return state["v"]


def leaking(node: Any, x: Real, state: State, dt: float) -> Real:
    v = state.get("v", node.v_leak)
    tau = node.tau if hasattr(node, "tau") else node.tau_mem
    state["v"] = v + dt / tau * (node.v_leak - v + node.r * x)
    return state["v"]


def firing(node: Any, x: Real, state: State, dt: float) -> Real:
    v = leaking(node, x, state, dt)
    spikes = (v > node.v_threshold).astype(float)
    state["v"] = np.where(spikes, node.v_reset, v)
    return spikes


def with_current(node: Any, x: Real, state: State, dt: float) -> Real:
    i = state.get("i", 0.0)
    state["i"] = i + dt / node.tau_syn * (node.w_in * x - i)
    return firing(node, state["i"], state, dt)


def delayed(node: Any, x: Real, state: State, dt: float) -> Real:
    line = state.setdefault("line", [np.zeros_like(x)] * round(float(node.delay.flat[0]) / dt))
    line.append(x)
    return line.pop(0)


STEPS: dict[str, Callable[[Any, Real, State, float], Real]] = {
    "Affine": affine,
    "CubaLIF": with_current,
    "Delay": delayed,
    "I": integrated,
    "LI": leaking,
    "LIF": firing,
    "Linear": affine,
    "Output": lambda node, x, state, dt: x,
    "Scale": lambda node, x, state, dt: x * node.scale,
    "Threshold": lambda node, x, state, dt: (x > node.threshold).astype(float),
}
