"""What every core and link has to do at every step: counts, before any constant.

A step's times are then these counts times a profile's constants (``timing.py``), however often the
constants change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.mapping.flows import Flow, find_flows, only_buffered
from snn_deploy.mapping.mesh import Link, links_between, site_of
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.stages import buffered_signals, stages_of
from snn_deploy.reports.activity import Activity

__all__ = ["PassLoads", "count_loads"]

PerCore = npt.NDArray[np.float32]
"""Counts, exact up to 2**24."""


@dataclass
class PassLoads:
    """The loads of one pass over a sequence, at each of S sampled steps.

    Parameters
    ----------
    lif_updates
        Neuron programs of each core, in LIF updates; the same at every step, (cores,).
    acs, macs
        Synaptic operations by kind, (S, cores).
    arrivals, sends, departures
        Messages received; sent, each once; sent, times the cores that each goes to; (S, cores).
    routers
        Messages that each router hands to its cores, (S, routers).
    links_east_west, links_north_south
        Messages over each link, (S, links).
    """

    lif_updates: PerCore
    acs: PerCore
    macs: PerCore
    arrivals: PerCore
    sends: PerCore
    departures: PerCore
    routers: PerCore
    links_east_west: PerCore
    links_north_south: PerCore


def count_loads(
    network: Network, placement: Placement, profile: Profile, activity: Activity
) -> list[PassLoads]:
    """Count the loads of each pass: every stage's, and every reversed dendrite's own."""
    stages = stages_of(network)
    reading = _buffer_reads(network, placement, stages)
    flows = list(find_flows(network, placement, profile))
    unsent = only_buffered(network, placement)
    passes = []
    for stage in range(max(stages.values(), default=0) + 1):
        names = {
            node.name for node in network if stages[node.name] == stage and not node.runs_backwards
        }
        loads = _empty(placement, _steps(activity))
        loads.lif_updates += _updates(placement, names)
        _add_own(loads, placement, names)
        flowing = [flow for flow in flows if flow.stage == stage]
        _add_messages(loads, flowing, activity, len(placement.cores))
        _add_sends(loads, placement, activity, names - unsent)
        _add_reads(loads, reading, names)
        _add_writes(loads, network, placement, names)
        _add_routers(loads, placement, profile)
        passes.append(loads)
    for node in network:
        if node.runs_backwards:
            loads = _empty(placement, 1)
            loads.lif_updates += _updates(placement, {node.name})
            _add_own(loads, placement, {node.name})
            _add_reads(loads, reading, {node.name})
            _add_writes(loads, network, placement, {node.name})
            _add_routers(loads, placement, profile)
            passes.append(loads)
    return passes


def _steps(activity: Activity) -> int:
    return len(next(iter(activity.by_step.values()), ()))


def _empty(placement: Placement, steps: int) -> PassLoads:
    tables = np.zeros((5, steps, len(placement.cores)), dtype=np.float32)
    acs, macs, arrivals, sends, departures = tables
    none = np.zeros((steps, 0), dtype=np.float32)
    return PassLoads(
        np.zeros(len(placement.cores), dtype=np.float32),
        acs,
        macs,
        arrivals,
        sends,
        departures,
        routers=none,
        links_east_west=none,
        links_north_south=none,
    )


def _channels(placement: Placement, population: str) -> PerCore:
    """How many of a population's channels each core holds, (cores,)."""
    return np.array(
        [sum(s.channels for s in c.slices if s.population == population) for c in placement.cores],
        dtype=np.float32,
    )


def _updates(placement: Placement, names: set[str]) -> PerCore:
    updates = np.zeros(len(placement.cores), dtype=np.float32)
    for population in placement.populations:
        operations = sum(c.operations for name, c in population.costs.items() if name in names)
        if operations:
            updates += _channels(placement, population.name) * operations / LIF_OPERATIONS
    return updates


def _add_own(loads: PassLoads, placement: Placement, names: set[str]) -> None:
    """Add the messages that a dendrite's modes exchange with their soma, at every step."""
    for population in placement.populations:
        channels = _channels(placement, population.name)
        for name, cost in population.costs.items():
            if name in names and cost.own_messages:
                loads.macs += channels * cost.own_synops
                loads.arrivals += channels * cost.own_messages
                loads.sends += channels * cost.own_messages
                loads.departures += channels * cost.own_messages


def _add_messages(loads: PassLoads, flows: Sequence[Flow], activity: Activity, cores: int) -> None:
    """Add what flows carry: for each load, the messages of each slice times a matrix."""
    slices: dict[_Slice, int] = {}
    rows = [slices.setdefault(_Slice.of(flow), len(slices)) for flow in flows]
    if not flows:
        return
    sent = np.stack([part.messages(activity) for part in slices], axis=1)
    acs, macs, arrivals, departures = np.zeros((4, len(slices), cores), dtype=sent.dtype)
    for row, flow in zip(rows, flows, strict=True):
        caused = macs if flow.path.graded else acs
        if flow.path.synapses is None or flow.path.wired_alike:
            caused[row, flow.target_core] += flow.rows[0]
        else:
            by_channel = activity.by_step[flow.path.source][:, flow.first : flow.last]
            worked = loads.macs if flow.path.graded else loads.acs
            worked[:, flow.target_core] += by_channel @ flow.rows.astype(sent.dtype)
        arrivals[row, flow.target_core] += 1
        if flow.source_core is not None:
            departures[row, flow.source_core] += 1
    loads.acs += sent @ acs
    loads.macs += sent @ macs
    loads.arrivals += sent @ arrivals
    loads.departures += sent @ departures
    loads.links_east_west = sent @ _links(rows, flows, len(slices), along_rows=False)
    loads.links_north_south = sent @ _links(rows, flows, len(slices), along_rows=True)


class _Slice(NamedTuple):
    """Channels of a signal: ``first`` … ``last - 1``, and if not all, which of them."""

    name: str
    first: int
    last: int
    chosen: bytes | None

    @classmethod
    def of(cls, flow: Flow) -> _Slice:
        """Give those that speak to the flow's core."""
        speaks = flow.rows > 0
        return cls(
            flow.path.source, flow.first, flow.last, None if speaks.all() else speaks.tobytes()
        )

    def messages(self, activity: Activity) -> PerCore:
        """Count their messages at each step, (S,)."""
        sent: PerCore = activity.by_step[self.name][:, self.first : self.last]
        if self.chosen is not None:
            sent = sent[:, np.frombuffer(self.chosen, dtype=bool)]
        return np.asarray(sent.sum(axis=1))


def _links(
    rows: Sequence[int], flows: Sequence[Flow], slices: int, along_rows: bool
) -> npt.NDArray[np.float32]:
    """Which slices cross which links of one direction how often, (slices, links).

    Links from chip to chip have no figure and are left out.
    """
    index: dict[Link, int] = {}
    crossings = [
        (row, index.setdefault(link, len(index)))
        for row, flow in zip(rows, flows, strict=True)
        for link in links_between(flow.start, flow.end)
        if link[0].chip == link[1].chip and (link[0].row != link[1].row) == along_rows
    ]
    table = np.zeros((slices, len(index)), dtype=np.float32)
    for row, link in crossings:
        table[row, link] += 1
    return table


def _add_routers(loads: PassLoads, placement: Placement, profile: Profile) -> None:
    """Add up what arrives at the cores of one router."""
    sites = [site_of(core.chip, core.index, profile) for core in placement.cores]
    routers = sorted(set(sites), key=lambda site: (site.chip, site.row, site.column))
    belongs = np.array([[s == router for router in routers] for s in sites], dtype=np.float32)
    loads.routers = loads.arrivals @ belongs


def _add_sends(loads: PassLoads, placement: Placement, activity: Activity, names: set[str]) -> None:
    homes = {name: p.name for p in placement.populations for name in p.nodes}
    for name in sorted(names & activity.by_step.keys() & homes.keys()):
        for index, core in enumerate(placement.cores):
            for part in core.slices:
                if part.population == homes[name]:
                    sent = activity.by_step[name][:, part.start : part.stop]
                    loads.sends[:, index] += sent.sum(axis=1)


def _add_writes(loads: PassLoads, network: Network, placement: Placement, names: set[str]) -> None:
    """Add what is sent to buffers at every step."""
    homes = {name: p.name for p in placement.populations for name in p.nodes}
    for signal in buffered_signals(network):
        if signal.name in names:
            channels = _channels(placement, homes[signal.name])
            loads.sends += channels
            loads.departures += channels


Reads = dict[str, list[PerCore]]


def _buffer_reads(network: Network, placement: Placement, stages: dict[str, int]) -> Reads:
    """Graded messages that each process reads from buffers at every step, by core."""
    homes = {name: p.name for p in placement.populations for name in p.nodes}
    reads: Reads = {}
    for signal in buffered_signals(network):
        for reader in signal.readers:
            reads.setdefault(reader, []).append(_channels(placement, homes[reader]))
    return reads


def _add_reads(loads: PassLoads, reading: Reads, names: set[str]) -> None:
    for channels in _of(reading, names):
        loads.macs += channels
        loads.arrivals += channels


def _of(reading: Reads, names: set[str]) -> Iterator[PerCore]:
    for name in sorted(names & reading.keys()):
        yield from reading[name]
