"""Time: at every step the slowest core's slowest stage, or the barrier, whichever takes longest.

A core's stages work at the same time, so a step takes the maximum of its parts over all cores and
links: a max-affine bound in the counts (arXiv 2601.10035: this form matches silicon, r >= 0.97).
The parts of a core: its neurons' programs and the messages that they send; its synaptic operations
and the messages that it receives. A router hands its messages on one by one, and so does a link.
Reading weights is part of a synaptic operation's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import arrival
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Time
from snn_deploy.reports.activity import Activity
from snn_deploy.reports.energy import Range
from snn_deploy.reports.loads import PassLoads, count_loads

__all__ = [
    "CoreLoad",
    "Timing",
    "constants_at",
    "estimate_time",
    "pipeline_steps",
    "sequence_seconds",
    "step_nanoseconds",
]

Bound = Literal["low", "typical", "high"]
Constants = Mapping[str, float]
"""Nanoseconds by the profile's key, e.g. ``ac_ns``."""

Steps = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CoreLoad:
    """Mean nanoseconds a step that a core's stages take, typical constants, all passes together."""

    neurons_ns: float
    synapses_ns: float


@dataclass(frozen=True)
class Timing:
    """How long a step and a sequence take.

    Parameters
    ----------
    step_s
        Seconds a step: mean over the sampled steps (and passes).
    slowest_step_s
        Of the sampled steps, typical constants.
    sampled_steps
        How many steps were timed one by one; 1 if only mean activity was known.
    limited_by
        What took longest at how large a part of the steps, most frequent first.
    passes
        How often the network's steps are run through: once, or more where layers run backwards.
    pipeline_steps
        Steps between an input and the answer to it.
    token_s
        Seconds from an input to the answer to it; None where the network cannot stream.
    sequence_s
        Seconds from the first input of a sequence to its answer.
    cores
        Each core's load, in the placement's order.
    """

    step_s: Range
    slowest_step_s: float
    sampled_steps: int
    limited_by: tuple[tuple[str, float], ...]
    passes: int
    pipeline_steps: int
    token_s: Range | None
    sequence_s: Range
    cores: tuple[CoreLoad, ...]

    @property
    def balance(self) -> float:
        """The busiest core's load over the mean core's; 1 is perfect."""
        loads = [max(core.neurons_ns, core.synapses_ns) for core in self.cores]
        return max(loads) / (sum(loads) / len(loads)) if any(loads) else 1.0


def constants_at(time: Time, bound: Bound) -> dict[str, float]:
    """Take one end of every time's range; what a profile has no figure for takes no time."""
    keys = type(time).model_fields
    quantities = {key: getattr(time, key) for key in keys}
    return {key: 0.0 if q is None else float(getattr(q, bound)) for key, q in quantities.items()}


def estimate_time(
    network: Network, placement: Placement, profile: Profile, activity: Activity
) -> tuple[Timing, list[PassLoads]] | None:
    """Time every sampled step; None where the profile has no times. Also give the loads."""
    if profile.time.neuron_update_ns is None:
        return None
    loads = count_loads(network, placement, profile, activity)
    pipeline = pipeline_steps(network, placement)
    steps = activity.steps + pipeline / len(loads)
    sequence = Range(
        *(
            sequence_seconds(loads, constants_at(profile.time, bound), steps)
            for bound in ("low", "typical", "high")
        )
    )
    step = sequence * (1.0 / (steps * len(loads)))
    typical = constants_at(profile.time, "typical")
    slowest = max(float(step_nanoseconds(each, typical).max()) for each in loads)
    return Timing(
        step_s=step,
        slowest_step_s=slowest * 1e-9,
        sampled_steps=len(loads[0].acs),
        limited_by=_limits(loads, typical),
        passes=len(loads),
        pipeline_steps=pipeline,
        token_s=step * (pipeline + 1) if len(loads) == 1 else None,
        sequence_s=sequence,
        cores=_core_loads(loads, typical),
    ), loads


def pipeline_steps(network: Network, placement: Placement) -> int:
    """Steps between an input and its answer; modes that are neurons add two for their messages."""
    extra = 2 if placement.lowering == "mode" else 0
    latency: dict[str, int] = {}
    for node in network:
        arrivals = (arrival(latency, edge) for edge in node.inputs if edge.source in latency)
        latency[node.name] = max(arrivals, default=0) + extra * (node.modes is not None)
    return latency[network.output.name]


def sequence_seconds(loads: Sequence[PassLoads], constants: Constants, steps: float) -> float:
    """Seconds of all passes over ``steps`` steps each."""
    means = (float(step_nanoseconds(each, constants).mean()) for each in loads)
    return sum(means) * steps * 1e-9


def step_nanoseconds(loads: PassLoads, constants: Constants) -> Steps:
    """Give the time of each sampled step of a pass, (S,)."""
    return np.asarray(_kinds(loads, constants).max(axis=1))


def _neurons(loads: PassLoads, constants: Constants) -> Steps:
    sending = loads.sends * constants["spike_out_ns"]
    sending += loads.departures * constants["message_out_ns"]
    return np.asarray(sending + loads.lif_updates * constants["neuron_update_ns"])


def _synapses(loads: PassLoads, constants: Constants) -> Steps:
    operations = loads.acs * constants["ac_ns"] + loads.macs * constants["mac_ns"]
    return np.asarray(operations + loads.arrivals * constants["message_in_ns"])


_KINDS = ("neurons", "synapses", "links", "barrier")


def _kinds(loads: PassLoads, constants: Constants) -> Steps:
    """The longest of each kind of part, at each step, (S, 4) in the order of ``_KINDS``."""
    links = (
        (loads.routers, "within_tile_ns"),
        (loads.links_east_west, "hop_east_west_ns"),
        (loads.links_north_south, "hop_north_south_ns"),
    )
    longest = [counts.max(axis=1, initial=0.0) * constants[key] for counts, key in links]
    kinds = [
        _neurons(loads, constants).max(axis=1),
        _synapses(loads, constants).max(axis=1),
        np.max(longest, axis=0),
        np.full(len(loads.acs), constants["barrier_ns"]),
    ]
    return np.asarray(np.stack(kinds, axis=1), dtype=np.float64)


def _limits(loads: Sequence[PassLoads], constants: Constants) -> tuple[tuple[str, float], ...]:
    """Say how often the neurons, synapses, links (routers too) or the barrier took longest."""
    longest = [_kinds(each, constants).argmax(axis=1) for each in loads]
    shares = {
        name: float(np.mean([np.mean(which == kind) for which in longest]))
        for kind, name in enumerate(_KINDS)
    }
    found = ((name, share) for name, share in shares.items() if share)
    return tuple(sorted(found, key=lambda item: -item[1]))


def _core_loads(loads: Sequence[PassLoads], constants: Constants) -> tuple[CoreLoad, ...]:
    neurons = sum(_neurons(each, constants).mean(axis=0, dtype=np.float64) for each in loads)
    synapses = sum(_synapses(each, constants).mean(axis=0, dtype=np.float64) for each in loads)
    pairs = zip(np.atleast_1d(neurons), np.atleast_1d(synapses), strict=True)
    return tuple(CoreLoad(float(n), float(s)) for n, s in pairs)
