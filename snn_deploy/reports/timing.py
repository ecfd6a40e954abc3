"""Time per step: the slowest core's slowest stage, or the barrier, whichever takes longest.

A core's stages work at the same time, so a step takes the maximum of its parts, over all cores (the
max-affine form that arXiv 2601.10035 finds to match silicon). This estimate uses mean activity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snn_deploy.ir.integer_nodes import Dendrite
from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import latencies
from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.mapping.placement import Core, Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Quantity
from snn_deploy.reports.activity import Activity
from snn_deploy.reports.energy import Range

__all__ = ["Timing", "estimate_time"]

Bound = Literal["low", "typical", "high"]


@dataclass(frozen=True)
class Timing:
    """How long a step and a sequence take.

    Parameters
    ----------
    step_s
        Seconds a step, mean activity, the busiest core.
    busiest
        What takes that long, at typical constants: a core's stage, or the barrier.
    passes
        How often the network's steps are run through: once, or more where layers run backwards.
    pipeline_steps
        Steps between an input and the answer to it.
    sequence_s
        Seconds from the first input of a sequence to its answer.
    """

    step_s: Range
    busiest: str
    passes: int
    pipeline_steps: int
    sequence_s: Range


def estimate_time(
    network: Network, placement: Placement, profile: Profile, activity: Activity
) -> Timing | None:
    """Estimate time from mean activity, or None where the profile has no times."""
    if profile.time.neuron_update_ns is None:
        return None
    times = {b: _slowest(placement, profile, activity, b) for b in ("low", "typical", "high")}
    step = Range(*(seconds for seconds, _ in times.values()))
    reversed_layers = sum(node.reversed_time for node in network.of_kind(Dendrite))
    pipeline = latencies(network)[network.output.name]
    # before a layer runs backwards its whole input must be there, and afterwards it runs forwards
    passes = 1 + 2 * reversed_layers
    steps = activity.steps * passes + pipeline
    return Timing(step, times["typical"][1], passes, pipeline, step * steps)


def _slowest(
    placement: Placement, profile: Profile, activity: Activity, bound: Bound
) -> tuple[float, str]:
    parts = [(_ns(profile.time.barrier_ns, bound), "the barrier between steps")]
    for core in placement.cores:
        for stage, nanoseconds in _stages(core, placement, profile, activity, bound).items():
            parts.append((nanoseconds, f"{stage} of core {core.chip}:{core.index}"))
    nanoseconds, what = max(parts)
    return nanoseconds * 1e-9, what


def _stages(
    core: Core, placement: Placement, profile: Profile, activity: Activity, bound: Bound
) -> dict[str, float]:
    """Nanoseconds that each stage of a core takes in a mean step."""
    time, steps = profile.time, activity.total_steps
    neurons = synapses = 0.0
    populations = {p.name: p for p in placement.populations}
    for part in core.slices:
        population = populations[part.population]
        updates = population.operations * part.channels / LIF_OPERATIONS
        neurons += updates * _ns(time.neuron_update_ns, bound)
        for path in population.paths:
            sent = activity.messages[path.source]
            arriving = sent[part.start : part.stop] if path.one_to_one else sent
            rows = path.fan_out * (1 if path.one_to_one else part.channels / population.channels)
            each = rows * _ns(time.mac_ns if path.graded else time.ac_ns, bound)
            each += _ns(time.message_in_ns, bound)
            synapses += float(arriving.sum()) / steps * each
    return {"neurons": neurons, "synapses": synapses}


def _ns(quantity: Quantity | None, bound: Bound) -> float:
    return 0.0 if quantity is None else float(getattr(quantity, bound))
