"""Time per step against a second, slow computation; what the answer hangs on."""

from __future__ import annotations

from collections import defaultdict

import lowered
import numpy as np
import pytest

from snn_deploy.engines.result import Result
from snn_deploy.ir.integer_nodes import Input, Synapses
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import LIF_OPERATIONS, Lowering, cost_node
from snn_deploy.mapping.mesh import HOST_SITE, Site, links_between, site_of
from snn_deploy.mapping.placement import Objective, Placement, place_network
from snn_deploy.mapping.profile import Profile, load_profile
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


def slow_step(
    network: Network, placement: Placement, profile: Profile, sent: dict[str, np.ndarray]
) -> tuple[float, dict[str, int]]:
    """One step of a causal network, message by message; also count what was carried."""
    t = constants_at(profile.time, "typical")
    homes = home_of(placement, network)
    sites = [site_of(core.chip, core.index, profile) for core in placement.cores]
    neurons = defaultdict(float)
    synapses = defaultdict(float)
    links: dict[tuple[Site, Site], float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for node in network:
        if isinstance(node, Input):
            continue
        cost = cost_node(network, node, placement.lowering)
        for channel in range(node.width):
            core = homes[node.name, channel]
            neurons[core] += cost.operations / LIF_OPERATIONS * t["neuron_update_ns"]
            neurons[core] += cost.own_messages * t["message_out_ns"]
            synapses[core] += cost.own_synops * t["mac_ns"]
            synapses[core] += cost.own_messages * t["message_in_ns"]
            counts["macs"] += cost.own_synops
            counts["deliveries"] += cost.own_messages
        for edge in node.inputs:
            source = network[edge.source]
            dense = isinstance(node, Synapses)
            if not dense and not edge.delay and not isinstance(source, Input):
                continue
            kind = "acs" if edge.source.endswith(".lif") else "macs"
            for channel in np.flatnonzero(sent[edge.source]):
                targets = range(node.width) if dense else [int(channel)]
                reached = {homes[node.name, target] for target in targets}
                for target in targets:
                    synapses[homes[node.name, target]] += t["ac_ns" if kind == "acs" else "mac_ns"]
                    counts[kind] += 1
                for core in reached:
                    start = HOST_SITE
                    if not isinstance(source, Input):
                        neurons[homes[edge.source, int(channel)]] += t["message_out_ns"]
                        start = sites[homes[edge.source, int(channel)]]
                    synapses[core] += t["message_in_ns"]
                    counts["deliveries"] += 1
                    for link in links_between(start, sites[core]):
                        flat = link[0].row == link[1].row
                        links[link] += t["hop_east_west_ns" if flat else "hop_north_south_ns"]
                        counts["hops_east_west" if flat else "hops_north_south"] += 1
    parts = [*neurons.values(), *synapses.values(), *links.values(), t["barrier_ns"]]
    return max(parts), counts


@pytest.mark.parametrize("lowering", ["channel", "mode"])
@pytest.mark.parametrize("objective", ["cores", "time"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"time.neuron_update_ns": 0.1, "time.ac_ns": 40}, {"time.hop_east_west_ns": 90}],
)
def test_every_step_takes_what_its_slowest_part_takes(
    lowering: Lowering, objective: Objective, settings: dict[str, float]
) -> None:
    network = lowered.network(channels=9, layers=2)
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
        seconds, counts = slow_step(network, placement, profile, sent)
        times.append(seconds)
        for kind, count in counts.items():
            counted[kind] += count
    assert timing.sampled_steps == len(times)
    assert timing.step_s.typical == pytest.approx(np.mean(times) * 1e-9)
    assert timing.slowest_step_s == pytest.approx(max(times) * 1e-9)
    events = count_events(network, placement, profile, activity).values()
    for kind in ("acs", "macs", "deliveries", "hops_east_west", "hops_north_south"):
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


def test_modes_as_neurons_take_longer_through_the_pipeline() -> None:
    network = lowered.network(layers=2)
    one, other = (report(network, lowering=way).timing for way in ("channel", "mode"))
    assert one is not None
    assert other is not None
    assert other.pipeline_steps == one.pipeline_steps + 4


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
    swings = [influence.swing_j for influence in made.influences]
    assert swings == sorted(swings, reverse=True)
    assert len({influence.constant for influence in made.influences}) == len(swings)
    for influence in made.influences:
        assert influence.low_j <= made.total_j.typical * (1 + 1e-12)
        assert influence.high_j >= made.total_j.typical * (1 - 1e-12)
        assert influence.low_s <= made.timing.sequence_s.typical * (1 + 1e-12)
    power = next(i for i in made.influences if i.constant == "power.static_per_chip_mw")
    seconds = made.timing.sequence_s.typical
    assert power.high_j - power.low_j == pytest.approx((1.0 - 0.23) * seconds)


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
