"""Placement: within every limit, deterministic, balanced; the independent checker."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable

import lowered
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_audit import audit_placement

from snn_deploy.errors import TargetError
from snn_deploy.examples.full_size import CONFIGURATIONS
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import plan_sweeps
from snn_deploy.mapping.cost import Lowering
from snn_deploy.mapping.layout import choose_sites
from snn_deploy.mapping.mesh import HOST_SITE, Site, count_hops, links_between, site_of
from snn_deploy.mapping.placement import Objective, Placement, choose_lowering, place_network
from snn_deploy.mapping.populations import find_populations
from snn_deploy.mapping.profile import Profile, load_profile
from snn_deploy.mapping.stages import buffered_signals, stages_of
from snn_deploy.mapping.step_time import step_time
from snn_deploy.mapping.traffic import Slice, expected_traffic


@functools.cache
def full_size(name: str) -> Network:
    size = CONFIGURATIONS[name]
    return lowered.network(
        size.channels,
        size.modes,
        layers=size.layers,
        reverse=size.bidirectional,
        normed=size.prenorm and size.norm == "layer",
    )


def assert_sound(network: Network, placement: Placement, profile: Profile) -> None:
    """The checker passes, and counts what the placer counted."""
    uses = audit_placement(network, placement, profile)
    assert len(uses) == len(placement.cores)
    for core in placement.cores:
        use = uses[core.chip, core.index]
        assert use.bytes == core.load.memory.bytes
        assert use.neurons == core.load.neurons
        assert (use.in_axons, use.out_axons) == (core.in_axons, core.out_axons)


def test_paths_without_delay_make_one_neuron() -> None:
    populations = find_populations(lowered.network(layers=2))
    assert [population.nodes for population in populations] == [
        ("encoder.synapses", "encoder", "layers.0.ssm", "layers.0.lif"),
        ("layers.0.mix.synapses", "layers.0.glu", "layers.0.residual", "layers.1.ssm",
         "layers.1.lif"),
        ("layers.1.mix.synapses", "layers.1.glu", "layers.1.residual", "decoder.pool"),
        ("decoder.synapses", "decoder"),
    ]  # fmt: skip


def test_a_norm_is_in_the_neuron_of_the_stream_that_it_reads() -> None:
    populations = find_populations(lowered.network(layers=2, normed=True))
    assert populations[1].nodes == (
        "layers.0.mix.synapses", "layers.0.glu", "layers.0.residual", "layers.1.norm",
        "layers.1.ssm", "layers.1.lif",
    )  # fmt: skip
    (residual,) = (path for path in populations[1].paths if path.one_to_one)
    assert (residual.source, residual.target) == ("encoder", "layers.0.residual")


@settings(max_examples=60)
@given(
    channels=st.integers(1, 40),
    modes=st.integers(0, 5),
    layers=st.integers(0, 3),
    reverse=st.booleans(),
    normed=st.booleans(),
    objective=st.sampled_from(["cores", "time"]),
    lowering=st.sampled_from(["channel", "mode", None]),
    memory=st.integers(600, 6000),
)
def test_any_network_is_placed_within_limits(
    channels: int,
    modes: int,
    layers: int,
    reverse: bool,
    normed: bool,
    objective: Objective,
    lowering: Lowering | None,
    memory: int,
) -> None:
    network = lowered.network(channels, modes, layers=layers, reverse=reverse, normed=normed)
    profile = load_profile("loihi2").with_overrides({"limits.memory_per_core_bytes": memory})
    try:
        placement = place_network(network, profile, objective=objective, lowering=lowering)
    except TargetError as error:
        if not re.search(r"bytes: [\d,]+ of|needs \d+ cores", str(error)):
            raise
        return
    assert_sound(network, placement, profile)
    again = place_network(network, profile, objective=objective, lowering=lowering)
    assert again.cores == placement.cores


@pytest.mark.parametrize("memory", [130, 200, 350, 900])
@pytest.mark.parametrize("objective", ["cores", "time"])
def test_shared_weights_are_placed_within_limits(objective: Objective, memory: int) -> None:
    """However a filter's places are cut up, each core holds the filters that it needs."""
    network = lowered.convolutional()
    profile = load_profile("loihi2").with_overrides({"limits.memory_per_core_bytes": memory})
    placement = place_network(network, profile, objective=objective)
    assert_sound(network, placement, profile)
    assert len(placement.cores) >= 700 // memory


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("objective", ["cores", "time"])
def test_full_size_networks_fit(name: str, objective: Objective) -> None:
    network = full_size(name)
    profile = load_profile(CONFIGURATIONS[name].target)
    placement = place_network(network, profile, objective=objective)
    assert_sound(network, placement, profile)
    assert placement.chips == (3 if name == "wt103" else 1)


@pytest.mark.slow
def test_a_language_model_needs_several_chips_and_the_message_names_them() -> None:
    network = full_size("wt103")
    with pytest.raises(TargetError, match=r"135 more than the target's 128.*\(kapoho_point, alia"):
        place_network(network, load_profile("loihi2"))


@pytest.mark.slow
def test_the_busiest_core_is_no_bottleneck() -> None:
    network, profile = full_size("cifar"), load_profile("loihi2")
    placement = place_network(network, profile)
    populations = {p.name: p for p in placement.populations}
    loads = [
        step_time(populations[part.population], profile) * part.channels
        for core in placement.cores
        for part in core.slices
        if any("ssm" in node for node in populations[part.population].nodes)
    ]
    assert len(loads) > 100
    assert max(loads) <= 1.3 * np.mean(loads)


def test_spreading_stops_at_the_barrier() -> None:
    network = lowered.network(channels=12, modes=1)
    profile = load_profile("loihi2").with_overrides({"time.barrier_ns": 1e6})
    assert len(place_network(network, profile).cores) == len(find_populations(network))


def test_fewest_cores_share() -> None:
    network, profile = lowered.network(), load_profile("loihi2")
    placement = place_network(network, profile, objective="cores")
    assert len(placement.cores) == placement.least_cores == 1
    assert len(placement.cores[0].slices) == len(placement.populations)
    assert place_network(network, profile).least_cores == 1


def test_modes_become_neurons_only_where_their_state_needs_it() -> None:
    network, loihi2 = lowered.network(), load_profile("loihi2")
    assert choose_lowering(network, loihi2) == "channel"
    small = loihi2.with_overrides({"limits.state_per_neuron_bytes": 8})
    assert choose_lowering(network, small) == "mode"
    channel = place_network(network, loihi2, objective="cores", lowering="channel")
    mode = place_network(network, loihi2, objective="cores", lowering="mode")
    more_neurons = mode.cores[0].load.neurons - channel.cores[0].load.neurons
    assert more_neurons == 6 * 3
    assert mode.cores[0].load.memory.bits > channel.cores[0].load.memory.bits


def test_axon_limits() -> None:
    network = lowered.spiking_network((5, 8, 4))
    assert_sound(network, place_network(network, load_profile("loihi1")), load_profile("loihi1"))
    narrow = load_profile("loihi1").with_overrides({"limits.in_axons_per_core": 7})
    with pytest.raises(TargetError, match=r"13 in axons of 7, 8 out axons of 4,096"):
        place_network(network, narrow, objective="cores")


def drop_first(placement: Placement) -> Placement:
    return dataclasses.replace(placement, cores=placement.cores[1:])


def double_first(placement: Placement) -> Placement:
    first = dataclasses.replace(placement.cores[0], index=99)
    return dataclasses.replace(placement, cores=(first, *placement.cores))


def same_core(placement: Placement) -> Placement:
    again = dataclasses.replace(placement.cores[1], index=placement.cores[0].index)
    return dataclasses.replace(placement, cores=(placement.cores[0], again, *placement.cores[2:]))


def other_chip(placement: Placement) -> Placement:
    moved = dataclasses.replace(placement.cores[0], chip=1)
    return dataclasses.replace(placement, cores=(moved, *placement.cores[1:]))


def all_on_one(placement: Placement) -> Placement:
    whole = tuple(Slice(p.name, 0, p.channels) for p in placement.populations)
    core = dataclasses.replace(placement.cores[0], slices=whole)
    return dataclasses.replace(placement, cores=(core,))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_first, r"'.*': of 6 channels \d are placed, \d times"),
        (double_first, r"'.*': of 6 channels 6 are placed, \d+ times"),
        (same_core, "is placed twice"),
        (other_chip, r"the network: chips: 2 of 1"),
        (all_on_one, r"core 0:\d+: memory per core bytes: [\d,]+ of 500"),
    ],
)
def test_the_checker_catches_a_wrong_placement(
    spoil: Callable[[Placement], Placement], message: str
) -> None:
    network = lowered.network()
    profile = load_profile("loihi2").with_overrides({"limits.memory_per_core_bytes": 500})
    placement = place_network(network, profile)
    assert_sound(network, placement, profile)
    with pytest.raises(TargetError, match=message):
        audit_placement(network, spoil(placement), profile)


def test_the_checker_sees_a_neuron_torn_apart() -> None:
    network, profile = lowered.network(), load_profile("loihi2")
    placement = place_network(network, profile)
    first, *others = placement.populations
    torn = (
        dataclasses.replace(first, name="a", nodes=first.nodes[:2]),
        dataclasses.replace(first, name="b", nodes=first.nodes[2:]),
    )
    cores = [
        dataclasses.replace(placement.cores[0], index=index, slices=slices)
        for index, slices in enumerate(
            [
                (Slice("a", 0, 6),),
                (Slice("b", 0, 6), *(Slice(p.name, 0, p.channels) for p in others)),
            ]
        )
    ]
    wrong = dataclasses.replace(placement, populations=(*torn, *others), cores=tuple(cores))
    with pytest.raises(TargetError, match=r"'layers.0.ssm' and 'encoder' are on different cores"):
        audit_placement(network, wrong, profile)


sites = st.builds(Site, st.integers(0, 3), st.integers(0, 7), st.integers(0, 3))


@given(sites, sites)
def test_a_way_has_as_many_links_as_hops(start: Site, end: Site) -> None:
    links = list(links_between(start, end))
    hops = count_hops(start, end)
    assert len(links) == hops.east_west + hops.north_south + hops.chips
    here = start
    for before, after in links:
        assert before == here
        apart = count_hops(before, after)
        assert apart.east_west + apart.north_south + apart.chips == 1
        here = after
    assert here == end


def cost_of_layout(network: Network, slots: list[int], groups: list[tuple[Slice, ...]]) -> float:
    profile = load_profile("loihi2")
    between, from_host = expected_traffic(find_populations(network), groups)
    places = [site_of(0, slot, profile) for slot in slots]

    def far(start: Site, end: Site) -> float:
        hops = count_hops(start, end)
        return 3.0 * hops.east_west + 4.0 * hops.north_south

    ways = [
        between[i, j] * far(places[i], places[j])
        for i in range(len(places))
        for j in range(len(places))
    ]
    host = [from_host[i] * far(HOST_SITE, place) for i, place in enumerate(places)]
    return float(sum(ways) + sum(host))


@pytest.mark.parametrize("layers", [1, 3])
def test_layout_shortens_the_messages_way(layers: int) -> None:
    network, profile = lowered.network(24, 2, layers=layers), load_profile("loihi2")
    groups = [
        (Slice(p.name, start, min(start + 4, p.channels)),)
        for p in find_populations(network)
        for start in range(0, p.channels, 4)
    ]
    slots = choose_sites(find_populations(network), groups, 128, profile)
    assert len(set(slots)) == len(groups)
    chosen = cost_of_layout(network, slots, groups)
    random = np.random.default_rng(0)
    for _ in range(20):
        others = [int(slot) for slot in random.permutation(128)[: len(groups)]]
        assert chosen < cost_of_layout(network, others, groups)
    # no single swap of two groups is left that would help
    for i in range(len(slots)):
        for j in range(i):
            swapped = list(slots)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            assert chosen <= cost_of_layout(network, swapped, groups) + 1e-6


def test_a_causal_network_streams() -> None:
    network = lowered.network(layers=3)
    assert set(stages_of(network).values()) == {0}
    assert len(plan_sweeps(network)) == 1
    assert buffered_signals(network) == ()


def test_reversed_layers_split_the_network_into_stages() -> None:
    network = lowered.network(layers=2, reverse=True)
    stages = stages_of(network)
    assert stages["encoder"] == stages["layers.0.ssm.reverse"] == 0
    assert stages["layers.0.ssm.forward"] == stages["layers.0.lif"] == stages["layers.0.glu"] == 1
    assert stages["layers.1.ssm.reverse"] == stages["layers.0.residual"] == 1
    assert stages["layers.1.lif"] == stages["decoder"] == 2
    assert len(plan_sweeps(network)) == 5
    kept = {signal.name: signal.readers for signal in buffered_signals(network)}
    assert kept == {
        "encoder": ("layers.0.ssm.forward", "layers.0.ssm.reverse", "layers.0.residual"),
        "layers.0.ssm.reverse": ("layers.0.ssm",),
        "layers.0.residual": ("layers.1.ssm.forward", "layers.1.ssm.reverse", "layers.1.residual"),
        "layers.1.ssm.reverse": ("layers.1.ssm",),
    }
