"""The cost report: exact counts, ranges, and how they are told."""

from __future__ import annotations

import io
import json
from typing import Any

import lowered
import numpy as np
import pytest
from rich.console import Console

from snn_deploy.engines.result import Result
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.profile import list_profiles, load_profile
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.reports.activity import gather_activity, message_sources
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import count, kibibytes, quantity, quantity_range
from snn_deploy.reports.report import Report, build_report, layer_of
from snn_deploy.reports.table import render_profile, render_profiles, render_report

SEQUENCES, STEPS = 3, 20


def traced(network: Network, sequences: int = SEQUENCES, seed: int = 0) -> Result:
    names = [node.name for node in message_sources(network)]
    return lowered.simulate(network, sequences, STEPS, seed, trace=names)


def report_on(target: str, network: Network | None = None) -> Report:
    network = network or lowered.network()
    return build_report(network, load_profile(target), [traced(network)], STEPS)


def layer(report: Report, name: str) -> Any:
    return next(layer for layer in report.layers if layer.name == name)


def test_layers_are_named_after_their_nodes() -> None:
    assert layer_of("layers.3.mix.synapses") == "layers.3"
    assert layer_of("encoder.synapses") == layer_of("encoder") == "encoder"
    names = [layer.name for layer in report_on("loihi2").layers]
    assert names == ["input", "encoder", "layers.0", "decoder"]


def test_size_of_a_layer_to_the_bit() -> None:
    found = layer(report_on("loihi2"), "layers.0")
    h, n = 6, 3
    assert found.neurons == 3 * h  # soma, gate, residual sum
    assert found.compartments == 2 * n * h
    assert found.synapses == 2 * h * h
    assert found.memory.weights == 2 * h * h * 8
    assert found.memory.state == h * (2 * n * 24 + 24)
    assert found.memory.tables == 16 * 16
    assert found.memory.accumulators == 2 * h * 2 * 24
    assert found.memory.delays == h * 16
    dendrites = h * (n * (4 * 16 + 2 * 6) + 16 + 6) + 12
    gates = h * (2 * (16 + 6 + 16) + 6) + 6
    assert found.memory.coefficients == dendrites + gates + 17 + 12


def test_what_a_norm_adds_to_the_bit() -> None:
    plain, normed = (
        layer(report_on("loihi2", lowered.network(normed=n)), "layers.0") for n in (0, 1)
    )
    h, sent = 6, 2 + 3  # half words of a value of 24 bits, and of a square of 46 - 12
    assert normed.neurons == plain.neurons + h
    added = {
        name: getattr(normed.memory, name) - getattr(plain.memory, name)
        for name in ("weights", "coefficients", "tables", "state", "accumulators", "delays")
    }
    assert added == {
        "weights": h * (sent + 2) * 8,
        "coefficients": h * (6 + 16 + 6 + 16) + 16 + 2 * 24 + 3 * 6,
        "tables": 384 * 16,
        "state": 0,
        "accumulators": h * 2 * 2 * 24 + sent * 2 * 24,
        "delays": h * 6 * 24 + h * 6 * 16,  # the norm's own, and the residual path's
    }
    steps = SEQUENCES * STEPS
    events = normed.events
    assert events.neuron_updates == plain.events.neuron_updates + h * steps
    stream = np.count_nonzero(traced(lowered.network(normed=True)).trace["encoder"])
    assert events.macs == stream + h * (sent + 2) * steps  # the residual path's, and the sums'


def test_events_are_counted_from_spikes_one_by_one() -> None:
    network = lowered.network()
    result = traced(network)
    found = layer(report_on("loihi2", network), "layers.0").events
    synapses, soma = network["layers.0.mix.synapses"], network["layers.0.lif"]
    assert isinstance(synapses, Synapses)
    assert isinstance(soma, LifSoma)
    executed = effective = 0
    for spikes in result.trace["layers.0.lif"].reshape(-1, 6):
        for channel in np.flatnonzero(spikes):
            executed += 12
            effective += np.count_nonzero(synapses.weight[:, channel])
    assert found.acs == executed > 0
    assert found.effective_acs == effective < executed
    assert found.effective_macs == 0
    assert found.dense == 12 * 6 * SEQUENCES * STEPS
    # the residual path's messages arrive at the layer, one synapse each
    assert found.macs == np.count_nonzero(result.trace["encoder"])
    assert found.membrane_updates == 6 * SEQUENCES * STEPS
    assert found.neuron_updates == 3 * 6 * SEQUENCES * STEPS
    assert found.compartment_updates == 2 * 3 * 6 * SEQUENCES * STEPS


def test_messages_that_no_engine_counts_are_counted_from_the_trace() -> None:
    network = lowered.network()
    with_trace = gather_activity(network, [traced(network)], STEPS)
    without = gather_activity(network, [lowered.simulate(network)], STEPS)
    assert with_trace.bounded == ()
    assert without.bounded == ("encoder",)
    assert np.array_equal(without.messages["encoder"], np.full(6, SEQUENCES * STEPS))
    assert np.all(with_trace.messages["encoder"] <= without.messages["encoder"])
    for name in with_trace.messages:
        if name != "encoder":
            assert np.array_equal(with_trace.messages[name], without.messages[name])


def test_batches_add_up() -> None:
    network = lowered.network()
    parts = [traced(network, sequences, seed) for sequences, seed in ((1, 4), (2, 5))]
    whole = gather_activity(network, parts, STEPS)
    apart = [gather_activity(network, [part], STEPS) for part in parts]
    assert whole.sequences == 3
    for name, messages in whole.messages.items():
        assert np.array_equal(messages, apart[0].messages[name] + apart[1].messages[name])
        assert len(whole.by_step[name]) == 3 * STEPS
        # the trace's steps and the engine's counts are two ways to the same number
        if name != "decoder.pool":
            assert np.array_equal(whole.by_step[name].sum(axis=0), messages)


def test_a_pool_can_send_once_a_sequence() -> None:
    network = lowered.network()
    activity = gather_activity(network, [traced(network)], STEPS)
    assert activity.chances["decoder.pool"] == SEQUENCES
    report = report_on("loihi2", network)
    assert layer(report, "decoder").events.dense == 2 * 6 * SEQUENCES


def test_no_sequence_is_refused() -> None:
    with pytest.raises(DataError, match="at least one sequence"):
        build_report(lowered.network(), load_profile("loihi2"), [], STEPS)


def test_energy_is_counts_times_constants() -> None:
    report = report_on("loihi2")
    items = {item.constant: item for item in report.total.energy}
    synops = items["energy.ac_pj"]
    assert synops.events == report.total.events.acs
    assert synops.energy_j.low == pytest.approx(synops.events * 11.8e-12)
    assert synops.energy_j.high == pytest.approx(synops.events * 47.2e-12)
    total = sum(item.energy_j.typical for item in report.total.energy)
    assert report.dynamic_j.typical == pytest.approx(total / SEQUENCES)
    by_layer = sum(layer.dynamic_j.typical for layer in report.layers)
    assert by_layer == pytest.approx(total)


def test_static_energy_is_power_times_time_and_kept_apart() -> None:
    report = report_on("loihi2")
    assert report.static is not None
    assert report.timing is not None
    expected = 0.255 * report.timing.sequence_s.typical
    assert report.static.energy_j.typical == pytest.approx(expected)
    assert report.known == ("assumed", "measured")
    data = report.to_json()["energy_per_sequence"]
    assert data["known"] == ["assumed", "measured"]
    for bound in ("low", "typical", "high"):
        added = data["dynamic_j"][bound] + data["static_j"][bound]
        assert data["total_j"][bound] == pytest.approx(added)


def test_cpu_has_no_energy() -> None:
    report = report_on("cpu")
    assert report.total.energy == ()
    assert (report.static, report.timing, report.placement) == (None, None, None)
    data = report.to_json()
    assert data["energy_per_sequence"] == {
        "dynamic_j": None, "static_j": None, "total_j": None, "delay_product_js": None, "known": [],
    }  # fmt: skip


def test_algorithm_level_counts_arithmetic_only() -> None:
    report = report_on("algorithm_45nm")
    events = report.total.events
    assert layer(report, "layers.0").events.macs == 0, "a residual path is no multiplication"
    expected = 0.9e-12 * events.acs + 4.6e-12 * (events.macs + events.neuron_macs)
    assert report.total.dynamic_j.typical == pytest.approx(expected)


def test_plain_spiking_network_on_loihi1() -> None:
    network = lowered.spiking_network((5, 8, 4))
    report = report_on("loihi1", network)
    events = report.total.events
    assert events.macs == 0
    assert events.lif_updates == 12 * SEQUENCES * STEPS
    energies = {item.constant for item in report.total.energy}
    assert {"energy.ac_pj", "energy.neuron_update_pj", "energy.within_tile_pj"} <= energies


def test_reversed_layers_count_their_second_pass() -> None:
    once = report_on("loihi2")
    twice = report_on("loihi2", lowered.network(reverse=True))
    assert (once.buffer_bytes, twice.buffer_bytes) == (0, STEPS * 6 * (16 + 18) // 8)
    assert once.timing is not None
    assert twice.timing is not None
    assert (once.timing.passes, twice.timing.passes) == (1, 3)
    assert twice.total.events.compartment_updates == 2 * once.total.events.compartment_updates
    assert any("cannot stream" in note for note in twice.notes)


def test_saturation_is_judged_for_every_node_that_clips() -> None:
    network = lowered.network()
    seen = traced(network)
    counted = {**seen.saturated, "layers.0.residual": 7}
    result = Result(seen.output, seen.messages, counted, seen.trace)
    report = build_report(network, load_profile("loihi2"), [result, result], STEPS)
    status = {judged.node: judged for judged in report.saturation}
    assert (status["layers.0.residual"].status, status["layers.0.residual"].count) == ("seen", 14)
    assert status["layers.0.mix.synapses"].status == "impossible"
    blind = Result(seen.output, seen.messages, {}, seen.trace)
    report = build_report(network, load_profile("loihi2"), [blind], STEPS)
    assert "unseen" not in {judged.status for judged in report.saturation}
    assert any("cannot count clipped values" in note for note in report.notes)


def test_neurobench_names() -> None:
    report = report_on("loihi2")
    data = report.to_json()["neurobench"]
    assert data["footprint"] == report.total.memory.bytes
    assert 0 < data["connection_sparsity"] < 1
    assert 0 < data["activation_sparsity"] < 1
    assert set(data["synaptic_operations"]) == {"dense", "effective_macs", "effective_acs"}
    assert data["synaptic_operations"]["effective_acs"] == report.total.events.effective_acs / 3
    assert data["membrane_updates"] == 6 * STEPS


@pytest.mark.parametrize("target", [n for n in list_profiles() if not n.startswith("loihi1")])
@pytest.mark.parametrize("reverse", [False, True])
def test_json_is_plain_and_finite(target: str, reverse: bool) -> None:
    data = report_on(target, lowered.network(reverse=reverse)).to_json()
    assert data["schema_version"] == 1
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text) == data


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("target", ["loihi2", "cpu", "algorithm_45nm"])
def test_report_fits_the_terminal(width: int, target: str) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    render_report(report_on(target, lowered.network(reverse=True, layers=12)), console)
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text, "a column was cut"
    assert "layers.11" in text
    assert "cannot stream" in text.replace("\n", " ")


def test_profiles_on_the_terminal() -> None:
    console = Console(width=60, record=True, file=io.StringIO())
    profile = load_profile("loihi2")
    render_profiles([profile], console)
    render_profile(profile, console)
    text = " ".join(console.export_text().split())
    for source in profile.sources.values():
        assert source in text
    for note in profile.notes:
        assert note in text
    assert "synaptic_memory_per_core_bytes" in text


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (7, "7"), (9999, "9999"), (12345, "12.3k"), (999_999, "1M"), (0.25, "0.25")],
)
def test_counts_as_people_read_them(value: float, told: str) -> None:
    assert count(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0 J"), (4.43e-5, "44.3 µJ"), (999.9e-6, "1 mJ"), (2.5e-12, "2.5 pJ"), (123.0, "123 J")],
)
def test_quantities_as_people_read_them(value: float, told: str) -> None:
    assert quantity(value, "J") == told


def test_ranges_share_a_prefix() -> None:
    assert quantity_range(Range(2.06e-4, 3.62e-4, 2.84e-3), "J") == "206 – 362 – 2840 µJ"
    assert quantity_range(Range(1e-3, 1e-3, 1e-3), "s") == "1 ms"
    assert kibibytes(2048) == "2.0 KiB"
    assert kibibytes(3 << 20) == "3.0 MiB"
