"""From a plan to the ``fast`` program: operations, and where everything that they work on lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.engines.native.fast_nodes import EMITTERS, Fields, Parts
from snn_deploy.engines.native.operations import COUNT, OPERATION
from snn_deploy.engines.native.packing import Slots, pitch_of
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.schedule import Sweep
from snn_deploy.ir.bounds import bound_network

__all__ = ["FastProgram", "SweepProgram", "assemble"]


@dataclass(frozen=True)
class SweepProgram:
    """What is done to a chunk in one sweep.

    Parameters
    ----------
    operations, owners
        What is done, and the node for which.
    slots
        By node: where its signal is, in doubles a row.
    """

    operations: npt.NDArray[np.void]
    owners: tuple[str, ...]
    slots: Mapping[str, int]


@dataclass(frozen=True)
class FastProgram:
    """A plan as ``run_operations`` takes it.

    Parameters
    ----------
    sweeps
        One for each of the plan's.
    params, weights, tables
        What operations refer to.
    states, counts
        By node: where its state, and the counts of its messages, are, in doubles a sample.
    row_size, state_size, work_size
        How many doubles a row of a chunk, a sample, and a core need.
    """

    sweeps: tuple[SweepProgram, ...]
    params: npt.NDArray[np.float64]
    weights: npt.NDArray[np.int8]
    tables: npt.NDArray[np.int64]
    states: Mapping[str, int]
    counts: Mapping[str, int]
    row_size: int
    state_size: int
    work_size: int


@lru_cache(maxsize=REMEMBERED)
def assemble(plan: Plan, watched: frozenset[str]) -> FastProgram | None:
    """Make the fast program of a plan; None where doubles cannot be proven to be exact.

    ``watched`` names the nodes whose signals are looked at after each chunk.
    """
    if plan.needs_length:
        return None
    parts = Parts(plan.network, bound_network(plan.network))
    counts: dict[str, int] = {}
    try:
        sweeps = [_assemble_sweep(plan, sweep, watched, parts, counts) for sweep in plan.sweeps]
    except NotExactError:
        return None
    return FastProgram(
        sweeps=tuple(program for program, _ in sweeps),
        params=parts.params.whole(),
        weights=parts.weights.whole(),
        tables=parts.tables.whole(),
        states=parts.states,
        counts=counts,
        row_size=max(size for _, size in sweeps),
        state_size=parts.state_size,
        work_size=parts.work_size,
    )


def _assemble_sweep(
    plan: Plan, sweep: Sweep, watched: frozenset[str], parts: Parts, counts: dict[str, int]
) -> tuple[SweepProgram, int]:
    """Give a sweep's program, and how many doubles a row of its signals needs."""
    places = Slots()
    slots = {name: places.take(pitch_of(plan.network[name].width)) for name in sweep.reads}
    last_use = _last_uses(sweep)
    emitted: list[tuple[str, Fields]] = []
    for node in sweep.nodes:
        pitch = pitch_of(node.width)
        slots[node.name] = places.take(pitch)
        signal = {"y": slots[node.name], "y_pitch": pitch}
        sources = [slots[edge.source] for edge in node.inputs]
        if node.inputs:
            x_pitch = pitch_of(plan.network[node.inputs[0].source].width)
            signal |= {"x": sources[0], "x_pitch": x_pitch}
            emitted.append((node.name, EMITTERS[type(node)](parts, node, sources) | signal))
        if node.name in plan.counted:
            counts[node.name] = parts.take_state(pitch)
            own = {"x": slots[node.name], "x_pitch": pitch, "state": counts[node.name]}
            emitted.append((node.name, {"kind": COUNT, **own}))
        for name, user in last_use.items():
            if user == node.name and name not in watched and name not in sweep.keeps:
                places.give_back(pitch_of(plan.network[name].width), slots[name])
    operations = np.zeros(len(emitted), dtype=OPERATION)
    for row, (_, fields) in zip(operations, emitted, strict=True):
        for field, value in fields.items():
            row[field] = value
    return SweepProgram(operations, tuple(name for name, _ in emitted), slots), places.size


def _last_uses(sweep: Sweep) -> dict[str, str]:
    """Name, by signal, the last node of a sweep that reads it, or gives it."""
    last: dict[str, str] = {}
    for node in sweep.nodes:
        last[node.name] = node.name
        last.update({edge.source: node.name for edge in node.inputs})
    return last
