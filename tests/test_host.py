"""What the host computes before the chip: its part of a network, and real networks with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_rules import plain, positions, relay, tokens, window
from hypothesis import given as drawn
from hypothesis import strategies as st
from networks import float_network
from random_networks import Limits, random_network, random_run
from same_results import assert_same_results
from zoo import Variant, zoo_variants

import snn_deploy
from snn_deploy.compare.accuracy import compare_accuracy
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import check_data, load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.host import Host, check_mantissas
from snn_deploy.engines.native import NativeEngine, NativeSession
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run, senders
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.errors import ConfigError, DataError, SnnDeployWarning
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import latencies
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.check import check_target, find_notices
from snn_deploy.mapping.host import host_work
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.convolution import Conv1d
from snn_deploy.nodes.embedding import AdaptiveEmbedding, Embedding
from snn_deploy.nodes.embedding_table import Cluster
from snn_deploy.nodes.float_inputs import FloatInput, TokenInput
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.page.data import gather_page
from snn_deploy.page.html import render_page
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.reports.compare import compare_deployments
from snn_deploy.run.answers import output_format
from snn_deploy.run.simulation import encode_inputs, simulate
from snn_deploy.tune.format_search import search_formats

ON_THE_HOST = (
    *("enc_position", "enc_linear_position", "enc_conv1d", "enc_onehot", "listops", "imdb"),
    *("dec_pool_len", "dec_last_len", "dec_first_len", "dec_nolen_tok"),
)
OTHERS = ("enc_id", "enc_null")
ORIGIN = Provenance("loihi2", "1.0.0", "tiny.ckpt", "0" * 64, {}, {}, "0.1.0")


# --- the two parts


def test_a_network_without_host_nodes_is_all_the_chips() -> None:
    network = random_network(0)
    assert network.placed("host") == network.nodes[:1]
    assert chip_part(network) is network


def test_the_chip_begins_with_the_last_signal_of_the_host() -> None:
    network = Network("lowered", (*positions().nodes, relay("relay", Edge("positions"))), "all")
    chip = chip_part(network)
    assert [node.name for node in network.placed("host")] == ["input", "positions"]
    assert chip.names == ("positions", "relay")
    assert chip.input.output == positions().output.output  # type: ignore[attr-defined]
    verify_network(chip)


@drawn(seed=st.integers(0, 2**31), data=st.data())
def test_any_steps_are_those_of_the_whole(seed: int, data: st.DataObject) -> None:
    network = random_network(seed, Limits(host=True, blocks=0))
    run = random_run(network, seed)
    steps = run.inputs.shape[1]
    host = Host(network)
    whole = run_whole(ReferenceEngine(), network, run)
    cuts = sorted({0, steps, *data.draw(st.lists(st.integers(0, steps), max_size=4))})
    saturated = dict.fromkeys((node.name for node in host.nodes), 0)
    for start, stop in pairwise(cuts):
        part = host.compute(run.inputs, start, stop)
        for name, signal in part.signals.items():
            np.testing.assert_array_equal(signal, whole.trace[name][:, start:stop], err_msg=name)
        np.testing.assert_array_equal(part.entering, part.signals[host.nodes[-1].name])
        for name, count in part.saturated.items():
            saturated[name] += count
    assert saturated == {name: whole.saturated.get(name, 0) for name in saturated}


def test_the_hosts_own_synapses_send_no_messages() -> None:
    before = Synapses(
        name="synapses",
        inputs=(Edge("input"),),
        output=Format(24, 0),
        weight=np.eye(3, dtype=np.int8),
        weight_bits=8,
    )
    after = replace(before, name="after", inputs=(Edge("positions", 1),))
    entering = positions(before, output=Format(16, 0)).output
    network = Network("lowered", (plain(), before, entering, after), "all")
    verify_network(network)  # and they take no step
    assert latencies(network)["positions"] == 0
    assert senders(network) == ("positions",)
    assert str(host_work(network)[0]) == "synapses (synapses, 9 multiplications a step, 0.0 kB)"


# --- what is refused


def test_tokens_that_are_not_known() -> None:
    network = tokens()
    with pytest.raises(DataError, match=r"token 4 at \[0, 1\] is outside the vocabulary, 0 … 3"):
        check_data(network, np.array([[3, 4]]))
    with pytest.raises(DataError, match="this network takes integer tokens"):
        check_data(network, np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"lookup: a token 9, but the network knows only 0 … 3"):
        run_whole(ReferenceEngine(), network, Run(np.array([[[9]]]), np.array([1])))


@pytest.mark.parametrize(("token", "told"), [(-1, "magnitude 1 exceeds 0 … 3"), (4, "exceeds 0 …")])
def test_mantissas_that_are_no_tokens(token: int, told: str) -> None:
    with pytest.raises(DataError, match=told):
        run_whole(NativeEngine(), tokens(), Run(np.array([[[token]]]), np.array([1])))


def test_a_token_within_the_bits_but_not_in_the_table() -> None:
    network = tokens(clusters=(Cluster(np.zeros((3, 3), np.int16)),))
    with pytest.raises(DataError, match=r"a token 3, but the network knows only 0 … 2"):
        check_mantissas(network, np.array([[[3]]]), 1)


@pytest.mark.parametrize("engine", [ReferenceEngine(), NativeEngine()], ids=lambda e: e.name)
def test_more_steps_than_positions(engine: Any) -> None:
    told = "positions: sequences have 5 steps, but the network knows only 4 positions"
    with pytest.raises(DataError, match=told):
        run_whole(engine, positions(), Run(np.zeros((1, 5, 3), np.int64), np.array([5])))


def test_a_stream_knows_where_it_is() -> None:
    session = NativeSession(positions(), Watch(1, trace=["positions"]))
    table = positions().output.table  # type: ignore[attr-defined]
    for start, stop in ((0, 1), (1, 3), (3, 4)):
        given = session.step(np.zeros((1, stop - start, 3), np.int64))["positions"]
        np.testing.assert_array_equal(given[0], table[start:stop])
    with pytest.raises(DataError, match="have 5 steps"):
        session.step(np.zeros((1, 1, 3), np.int64))


def test_a_window_that_looks_ahead_is_no_stream() -> None:
    told = r"its encoder looks ahead: node 'window' reads up to x\[t \+ 1\]; give it whole"
    with pytest.raises(ConfigError, match=told):
        NativeSession(window(), Watch(1))


def test_a_window_that_looks_back_is_a_stream() -> None:
    network = window(before=2, after=0)
    session = NativeSession(network, Watch(1, trace=["window"]))
    inputs = np.arange(1, 13).reshape(1, 4, 3)
    parts = [session.step(inputs[:, step : step + 1])["window"] for step in range(4)]
    told = np.concatenate([np.zeros((1, 2, 3), np.int64), inputs], axis=1)
    expected = np.concatenate([told[:, k : k + 4] for k in range(3)], axis=-1)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)


# --- what the report says


def test_what_the_host_holds() -> None:
    places = positions(inputs=(Edge("lookup"),)).output
    network = Network("lowered", (*tokens().nodes, places), "all")
    verify_network(network)
    (lookup, encoding) = host_work(network)
    assert (lookup.node, lookup.does, lookup.bytes) == ("lookup", "table 4 × 3", 24)
    assert (encoding.does, encoding.bytes) == ("4 positions × 3", 24)
    (notice,) = find_notices(network, load_profile("loihi2"))
    assert notice == (
        "on the host: lookup (table 4 × 3, 0.0 kB), positions (4 positions × 3, 0.0 kB)"
    )


def spiking_tokens() -> tuple[Network, Network]:
    """Two layers behind a table of tokens and one of positions; float, and lowered."""
    network = float_network(norm=True)
    rng = np.random.default_rng(5)
    stages: tuple[Node, ...] = (
        TokenInput(name="input", vocabulary=9),
        Embedding(name="encoder.0", inputs=(Edge("input"),), table=rng.normal(size=(9, 4))),
        PositionalEncoding(
            name="encoder", inputs=(Edge("encoder.0"),), table=rng.normal(size=(30, 4))
        ),
    )
    source = replace(network, nodes=(*stages, *network.nodes[2:]))
    calibration = Calibration(rng.integers(0, 9, (4, 20)))
    return source, compile_network(source, QuantizationConfig(), calibration)


def test_a_report_begins_where_the_chip_does() -> None:
    source, network = spiking_tokens()
    inputs = np.random.default_rng(6).integers(0, 9, (3, 20))
    deployment = snn_deploy.Deployment(network, ORIGIN)
    report = deployment.report(inputs)
    assert [layer.name for layer in report.layers][:2] == ["encoder", "layers.0"]
    assert report.layers[0].nodes == ("encoder",)
    assert report.layers[0].memory.bits == 0
    assert report.layers[0].events.messages == 3 * 20 * 4  # every channel, every step
    assert report.layers[0].events.neuron_messages == 0
    assert [work["node"] for work in report.to_json()["host"]] == ["encoder.0", "encoder"]
    judged = {judged.node: judged.status for judged in report.saturation}
    assert judged["encoder.0"] == judged["encoder"] == "impossible"
    assert any(note.startswith("on the host: encoder.0 (table 9 × 4") for note in report.notes)
    data = check_data(network, inputs)
    compared = deployment.verify(data, backends=["native"], against=source).accuracy
    page = render_page(gather_page(deployment, data, comparison=compared))
    assert "on the host: encoder.0" in page


def test_networks_of_other_tokens_are_not_compared() -> None:
    network = Network("lowered", (*tokens().nodes, relay("relay", Edge("lookup"))), "all")
    numbers = Network("lowered", (plain(1),), "all")
    several = [
        (name, snn_deploy.Deployment(n, ORIGIN))
        for name, n in (("words", network), ("numbers", numbers))
    ]
    told = "numbers and words do not read the same tokens"
    with pytest.raises(ConfigError, match=told):
        compare_deployments(several, check_data(network, np.array([[1, 2]])))


def test_a_search_narrows_the_stream_behind_a_table() -> None:
    source, _ = spiking_tokens()
    data = check_data(source, np.random.default_rng(7).integers(0, 9, (6, 20)))
    found = search_formats(source, data, QuantizationConfig(), max_loss=1.0)
    assert found.config.at("encoder.0").residual_bits < QuantizationConfig().residual_bits
    assert found.after < found.before


# --- from float


def answering(*stages: Node) -> Network:
    """A network that reads out every step of what ``stages`` give."""
    width = stages[-1].width
    readout = Readout(
        name="decoder",
        inputs=(Edge(stages[-1].name),),
        mode="every",
        weight=np.eye(width),
        bias=np.zeros(width),
    )
    return Network("float", (*stages, readout), "all")


def adaptive(rng: np.random.Generator, scale: float) -> tuple[Node, ...]:
    widths, rows = (8, 4, 1), (3, 9, 5)
    encoder = AdaptiveEmbedding(
        name="encoder",
        inputs=(Edge("input"),),
        tables=tuple(rng.normal(size=(n, e)) * scale for n, e in zip(rows, widths, strict=True)),
        projections=tuple(rng.normal(size=(6, e)) for e in widths),
    )
    return TokenInput(name="input", vocabulary=sum(rows)), encoder


def embedded(rng: np.random.Generator, scale: float) -> tuple[Node, ...]:
    table = rng.normal(size=(7, 5)) * scale * 2.0 ** rng.integers(-3, 4, 5)
    embedding = Embedding(name="embedding", inputs=(Edge("input"),), table=table)
    # nothing is left of the first row
    places = PositionalEncoding(
        name="encoder", inputs=(Edge("embedding"),), table=rng.normal(size=(9, 5)) - table[0]
    )
    return TokenInput(name="input", vocabulary=7), embedding, places


def _error_of_factors(node: Node) -> Any:
    """Bound what 16 bits of both factors, half a step each, do to a product, per channel."""
    if not isinstance(node, AdaptiveEmbedding):
        return 0.0
    worst = np.zeros(node.width)
    for table, projection in zip(node.tables, node.projections, strict=True):
        largest, factor = np.abs(table).max(axis=0), np.abs(projection)
        step = np.maximum(largest, largest.max() * 2.0**-8)  # of quiet columns, too
        error = factor @ step * 2.0**-15 + largest.sum() * factor.max(axis=1) * 2.0**-16
        worst = np.maximum(worst, error)
    return worst


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 300.0])
@pytest.mark.parametrize("stages", [adaptive, embedded])
@pytest.mark.filterwarnings("ignore:no calibration")
def test_tables_are_as_fine_as_their_format(
    stages: Callable[[np.random.Generator, float], tuple[Node, ...]], scale: float, calibrated: bool
) -> None:
    rng = np.random.default_rng(0)
    source = answering(*stages(rng, scale))
    vocabulary = source.input.vocabulary  # type: ignore[attr-defined]
    every = np.arange(vocabulary)[: 9 if vocabulary < 9 else None][None]
    few = Calibration(every[:, :2])  # what is looked up need not be seen
    network = compile_network(source, QuantizationConfig(), few if calibrated else None)
    exact = run_float(source, every, record=["encoder"]).signals["encoder"]
    run = Run(every[..., None], np.array([every.shape[1]]), trace=["encoder"])
    result = run_whole(ReferenceEngine(), network, run)
    form = output_format(network, "encoder")
    unit = np.exp2(-form.exponents(exact.shape[-1]).astype(float))
    allowed = 1.5 * unit + _error_of_factors(source["encoder"])
    assert np.all(np.abs(form.decode(result.trace["encoder"]) - exact) <= allowed)
    assert result.saturated["encoder"] == 0


@pytest.mark.parametrize("taps", [1, 2, 5])
def test_a_convolution_is_a_window_and_a_linear_layer(taps: int) -> None:
    rng = np.random.default_rng(1)
    source = answering(
        FloatInput(name="input", channels=2),
        Conv1d(
            name="encoder",
            inputs=(Edge("input"),),
            weight=rng.normal(size=(4, 2, taps)),
            bias=rng.normal(size=4),
        ),
    )
    inputs = rng.uniform(-1, 1, (3, 6, 2))
    network = compile_network(source, QuantizationConfig(), Calibration(inputs))
    assert [node.name for node in network.placed("host")] == ["input", "encoder.window"]
    data = check_data(network, inputs)
    exact = run_float(source, inputs, record=["encoder"]).signals["encoder"]
    result = simulate(network, data, NativeEngine(), trace=["encoder"])
    given = output_format(network, "encoder").decode(result.trace["encoder"])
    assert np.abs(given - exact).max() < 0.02 * np.abs(exact).max()  # 8-bit weights


# --- real networks


@pytest.mark.parametrize(
    "variant", zoo_variants(lambda meta: meta["name"] in (*ON_THE_HOST, *OTHERS))
)
def test_zoo(variant: Variant, tmp_path: Path) -> None:
    source = to_float_network(variant.checkpoint(), variant.output_steps)
    test = variant.arrays("test")
    calibration = Calibration(test["inputs"], test.get("lengths"))
    network = compile_network(source, QuantizationConfig(), calibration)
    assert (len(network.placed("host")) > 1) == (variant.name in ON_THE_HOST)
    check_target(network, load_profile("loihi2"))
    data = check_data(network, test["inputs"], lengths=test.get("lengths"))
    run = Run(encode_inputs(network, data), data.lengths, trace=network.names)
    expected, given = (
        run_whole(engine, network, run) for engine in (ReferenceEngine(), NativeEngine())
    )
    assert_same_results(given, expected)
    compared = compare_accuracy(network, source, data, NativeEngine())
    assert (1.0 - compared.agreement) * len(data) <= 1.0  # one sequence of eight, if it is close
    assert all(s.mismatch < 0.005 for s in compared.signals if s.mismatch is not None)
    write_deployment(tmp_path / "made.safetensors", network, ORIGIN)
    again, _ = read_deployment(tmp_path / "made.safetensors")
    assert_same_results(run_whole(NativeEngine(), again, run), expected)


def test_padding_is_part_of_the_input(tmp_path: Path, shared: Path) -> None:
    """A padded token reaches valid steps through the layers that run backwards."""
    variant = Variant("listops")
    source = to_float_network(variant.checkpoint())
    test, oracle = variant.arrays("test"), variant.arrays("oracle")
    network = compile_network(
        source, QuantizationConfig(), Calibration(test["inputs_padded"], test["lengths"])
    )
    for inputs, logits in (
        ("inputs", "logits_bptt_f64"),
        ("inputs_padded", "logits_padx_bptt_f64"),
    ):
        data = check_data(network, test[inputs], lengths=test["lengths"])
        given = simulate(network, data, NativeEngine()).logits
        assert np.abs(given - oracle[logits]).max() < 0.01


@pytest.mark.parametrize("engine", [ReferenceEngine(), NativeEngine()], ids=lambda e: e.name)
def test_lengths_are_heeded(engine: Any, tmp_path: Path, shared: Path) -> None:
    variant = Variant("dec_last_len")
    source = to_float_network(variant.checkpoint())
    test = variant.arrays("test")
    network = compile_network(
        source, QuantizationConfig(), Calibration(test["inputs"], test["lengths"])
    )
    data = check_data(network, test["inputs"], lengths=test["lengths"])
    assert len(set(data.lengths)) > 1
    given = simulate(network, data, engine).logits
    np.testing.assert_allclose(given, variant.arrays("oracle")["logits_bptt_f64"], atol=0.01)


def test_without_calibration_tokens_need_no_range(shared: Path) -> None:
    checkpoint = shared / "checkpoints" / "zoo" / "imdb" / "imdb.ckpt"
    with pytest.warns(SnnDeployWarning, match=r"bounds for whatever tokens, .*sequences$"):
        snn_deploy.convert(checkpoint)


@pytest.mark.slow
def test_listops(shared: Path) -> None:
    folder = shared / "checkpoints" / "listops_bi"
    checkpoint = folder / "listops_bi.ckpt"
    deployment = snn_deploy.convert(checkpoint, calibration=folder / "train.npz")
    data = load_data(folder / "test.npz", deployment.network)
    accuracy = deployment.verify(data, backends=["native"], against=checkpoint).accuracy
    assert accuracy is not None
    assert accuracy.exact_accuracy is not None
    assert accuracy.integer_accuracy is not None
    assert abs(accuracy.integer_accuracy - accuracy.exact_accuracy) <= 0.01
    assert accuracy.agreement >= 0.97
    assert all(s.mismatch < 0.02 for s in accuracy.signals if s.mismatch is not None)
