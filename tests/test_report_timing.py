"""Time per step against a second, slow computation; what the answer hangs on."""

from __future__ import annotations

from collections import defaultdict

import lowered
import numpy as np
import pytest

from snn_deploy.engines.result import Result
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.mapping.cost import LIF_OPERATIONS, Lowering, cost_node
from snn_deploy.mapping.mesh import HOST_SITE, Site, links_between, site_of
from snn_deploy.mapping.placement import Objective, Placement, place_network
from snn_deploy.mapping.profile import Profile, load_profile
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.reports.activity import gather_activity, message_sources
from snn_deploy.reports.events import count_events
from snn_deploy.reports.report import Report, build_report
from snn_deploy.reports.timing import constants_at, estimate_time

STEPS = 20


def simulate(network: Network, sequences: int = 3) -> Result:
    names = [node.name for node in message_sources(network)]
    return lowered.simulate(network, sequences, STEPS, trace=names)


def home_of(placement: Placement, network: Network) -> dict[tuple[str, int], int]:
    """Where each channel of each process is: an index into the placement's cores."""
    homes = {}
    for index, core in enumerate(placement.cores):
        for part in core.slices:
            population = next(p for p in placement.populations if p.name == part.population)
            for name in population.nodes:
                for channel in range(network[name].width):
                    if part.start <= channel % population.channels < part.stop:
                        homes[name, channel] = index
    return homes


class SlowStep:
    """One step of a causal network, message by message, and counts of what was carried."""

    def __init__(self, network: Network, placement: Placement, profile: Profile) -> None:
        self.network = network
        self.lowering = placement.lowering
        self.t = constants_at(profile.time, "typical")
        self.homes = home_of(placement, network)
        self.sites = [site_of(core.chip, core.index, profile) for core in placement.cores]
        self.neurons: dict[int, float] = defaultdict(float)
        self.synapses: dict[int, float] = defaultdict(float)
        self.links: dict[tuple[Site, Site], float] = defaultdict(float)
        self.routers: dict[Site, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)

    def run(self, sent: dict[str, np.ndarray]) -> float:
        """Nanoseconds of a step in which the channels in ``sent`` that are not zero spoke."""
        for node in self.network:
            if not isinstance(node, Input):
                self.run_neurons(node)
                for edge in node.inputs:
                    if self.crosses(node, edge):
                        for channel in np.flatnonzero(sent[edge.source]):
                            self.carry(node, edge.source, int(channel))
            if node.name in sent and not isinstance(node, Input):
                for channel in np.flatnonzero(sent[node.name]):
                    self.neurons[self.homes[node.name, int(channel)]] += self.t["spike_out_ns"]
                    self.counts["neuron_messages"] += 1
        parts = [*self.neurons.values(), *self.synapses.values(), *self.links.values()]
        parts += self.routers.values()
        return max([*parts, self.t["barrier_ns"]])

    def crosses(self, node: Node, edge: Edge) -> bool:
        from_host = isinstance(self.network[edge.source], Input)
        held = 6 if isinstance(node, Normalize) else 0  # steps in the neuron itself
        return isinstance(node, Synapses) or edge.delay > held or from_host

    def run_neurons(self, node: Node) -> None:
        cost = cost_node(self.network, node, self.lowering)
        for channel in range(node.width):
            core = self.homes[node.name, channel]
            self.neurons[core] += cost.operations / LIF_OPERATIONS * self.t["neuron_update_ns"]
            sending = self.t["message_out_ns"] + self.t["spike_out_ns"]
            self.neurons[core] += cost.own_messages * sending
            self.synapses[core] += cost.own_synops * self.t["mac_ns"]
            self.synapses[core] += cost.own_messages * self.t["message_in_ns"]
            self.routers[self.sites[core]] += cost.own_messages * self.t["within_tile_ns"]
            self.counts["macs"] += cost.own_synops
            for kind in ("deliveries", "neuron_deliveries", "neuron_messages"):
                self.counts[kind] += cost.own_messages

    def carry(self, node: Node, source: str, channel: int) -> None:
        """Bring one message of a source's channel to all cores of a node that it reaches."""
        kind = "acs" if source.endswith(".lif") else "macs"
        targets = range(node.width) if isinstance(node, Synapses) else [channel]
        for target in targets:
            self.synapses[self.homes[node.name, target]] += self.t[f"{kind[:-1]}_ns"]
            self.counts[kind] += 1
        home = self.homes.get((source, channel))
        for core in {self.homes[node.name, target] for target in targets}:
            if home is not None:
                self.neurons[home] += self.t["message_out_ns"]
                self.counts["neuron_deliveries"] += 1
            self.synapses[core] += self.t["message_in_ns"]
            self.routers[self.sites[core]] += self.t["within_tile_ns"]
            self.counts["deliveries"] += 1
            start = HOST_SITE if home is None else self.sites[home]
            for link in links_between(start, self.sites[core]):
                way = "east_west" if link[0].row == link[1].row else "north_south"
                self.links[link] += self.t[f"hop_{way}_ns"]
                self.counts[f"hops_{way}"] += 1


@pytest.mark.parametrize("lowering", ["channel", "mode"])
@pytest.mark.parametrize("objective", ["cores", "time"])
@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"time.neuron_update_ns": 0.1, "time.ac_ns": 40},
        {"time.hop_east_west_ns": 90},
        {"time.within_tile_ns": 80},
    ],
)
def test_every_step_takes_what_its_slowest_part_takes(
    lowering: Lowering, objective: Objective, normed: bool, settings: dict[str, float]
) -> None:
    network = lowered.network(channels=9, layers=2, normed=normed)
    profile = load_profile("loihi2").with_overrides(
        {"time.message_in_ns": 2.0, "time.barrier_ns": 150.0, **settings}
    )
    result = simulate(network)
    activity = gather_activity(network, [result], STEPS)
    placement = place_network(network, profile, objective=objective, lowering=lowering)
    timed = estimate_time(network, placement, profile, activity)
    assert timed is not None
    timing, _ = timed
    signals = {name: signal.reshape(-1, signal.shape[-1]) for name, signal in result.trace.items()}
    times, counted = [], defaultdict(int)
    for step in range(3 * STEPS):
        sent = {name: signal[step] for name, signal in signals.items()}
        slow = SlowStep(network, placement, profile)
        times.append(slow.run(sent))
        for kind, count in slow.counts.items():
            counted[kind] += count
    assert timing.sampled_steps == len(times)
    assert timing.step_s.typical == pytest.approx(np.mean(times) * 1e-9)
    assert timing.slowest_step_s == pytest.approx(max(times) * 1e-9)
    events = count_events(network, placement, profile, activity).values()
    for kind in sorted(counted):
        assert sum(getattr(each, kind) for each in events) == counted[kind], kind


def report(network: Network, target: str = "loihi2", **options: object) -> Report:
    profile = load_profile(target)
    return build_report(network, profile, [simulate(network)], STEPS, **options)  # type: ignore[arg-type]


def test_a_causal_network_has_a_time_a_token() -> None:
    timing = report(lowered.network()).timing
    assert timing is not None
    assert timing.token_s is not None
    assert timing.pipeline_steps == 3
    assert timing.token_s.typical == pytest.approx(4 * timing.step_s.typical)
    assert timing.sequence_s.typical == pytest.approx((STEPS + 3) * timing.step_s.typical)


def test_a_norm_takes_its_steps_through_the_pipeline() -> None:
    one, other = (report(lowered.network(layers=2, normed=normed)).timing for normed in (0, 1))
    assert one is not None
    assert other is not None
    assert other.pipeline_steps == one.pipeline_steps + 2 * 6


def test_modes_as_neurons_take_longer_through_the_pipeline() -> None:
    network = lowered.network(layers=2)
    one, other = (report(network, lowering=way).timing for way in ("channel", "mode"))
    assert one is not None
    assert other is not None
    assert other.pipeline_steps == one.pipeline_steps + 4


def test_both_lowerings_are_costed() -> None:
    made = report(lowered.network())
    channel, mode = made.lowerings
    assert (channel.lowering, mode.lowering) == ("channel", "mode")
    assert channel.dynamic_j == made.dynamic_j
    assert mode.dynamic_j.typical > channel.dynamic_j.typical
    assert mode.neurons == channel.neurons + 6 * 3
    assert mode.memory_bytes > channel.memory_bytes
    profile = load_profile("loihi2").with_overrides({"limits.state_per_neuron_bytes": 8})
    small = build_report(lowered.network(), profile, [simulate(lowered.network())], STEPS)
    assert small.lowerings[0].refused == "its state does not fit into a neuron"
    assert small.lowerings[1].refused == ""
    assert small.placement is not None
    assert small.placement.lowering == "mode"


def test_lowerings_are_compared_only_where_that_is_wanted() -> None:
    made = lowered.network()
    whole, plain = (
        build_report(made, load_profile("loihi2"), [simulate(made)], STEPS, compare=compare)
        for compare in (True, False)
    )
    assert len(whole.lowerings) == 2
    assert plain.lowerings == ()
    assert {**whole.to_json(), "lowerings": []} == plain.to_json()


def test_a_network_that_runs_backwards_cannot_stream() -> None:
    timing = report(lowered.network(layers=2, reverse=True)).timing
    assert timing is not None
    assert timing.token_s is None
    assert timing.passes == 5
    once = report(lowered.network(layers=2)).timing
    assert once is not None
    assert timing.sequence_s.typical > 3 * once.sequence_s.typical


def test_without_traces_the_mean_step_is_timed() -> None:
    network = lowered.network()
    whole = build_report(network, load_profile("loihi2"), [lowered.simulate(network)], STEPS)
    assert whole.timing is not None
    assert whole.timing.sampled_steps == 1


def test_spreading_over_cores_is_faster_and_balanced() -> None:
    network = lowered.network(channels=32, modes=8, layers=2)
    fast, small = (report(network, objective=goal) for goal in ("time", "cores"))
    assert fast.timing is not None
    assert small.timing is not None
    assert fast.timing.step_s.typical < small.timing.step_s.typical
    assert fast.timing.balance < 1.6
    shares = dict(fast.timing.limited_by)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_sensitivity_moves_one_constant_at_a_time() -> None:
    made = report(lowered.network(channels=16))
    assert made.total_j is not None
    assert made.timing is not None
    ranges = [influence.range_j for influence in made.influences]
    assert ranges == sorted(ranges, reverse=True)
    assert len({influence.constant for influence in made.influences}) == len(ranges)
    for influence in made.influences:
        assert influence.low_j <= made.total_j.typical * (1 + 1e-12)
        assert influence.high_j >= made.total_j.typical * (1 - 1e-12)
        assert influence.low_s <= made.timing.sequence_s.typical * (1 + 1e-12)
    power = next(i for i in made.influences if i.constant == "power.static_per_chip_mw")
    seconds = made.timing.sequence_s.typical
    assert power.high_j - power.low_j == pytest.approx((1.003 - 0.23) * seconds)


def test_sensitivity_agrees_with_a_report_at_that_end() -> None:
    network = lowered.network(channels=16)
    made = report(network)
    for influence in made.influences:
        quantity = dict(load_profile("loihi2").constants())[influence.constant]
        settings = {influence.constant: quantity.high}  # type: ignore[union-attr]
        profile = load_profile("loihi2").with_overrides(settings)
        placement = made.placement
        assert placement is not None
        # the same cores: only the constant moves
        activity = made.activity
        timed = estimate_time(network, placement, profile, activity)
        assert timed is not None
        assert timed[0].sequence_s.typical == pytest.approx(influence.high_s)
