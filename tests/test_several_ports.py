"""Several named inputs and outputs: a recurrent network of two and two."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_makers import random_table, token_input
from same_results import assert_same_signals

import snn_deploy
from snn_deploy.cli.main import main
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.errors import (
    ConfigError,
    DataError,
    DeploymentError,
    NetworkError,
    SnnDeployWarning,
)
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.text import format_network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.cost import cost_network
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.window import Window
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

STEPS, BATCH, HIDDEN = 24, 12, 8
WIDTHS = {"touch": 3, "sight": 2}
ORIGIN = Provenance("loihi2", "1.0.0", "two.ckpt", "0" * 64, {}, {}, "0.1.0")


def matrix(seed: int, outputs: int, inputs: int, scale: float) -> Any:
    return np.random.default_rng(seed).normal(0.0, scale / np.sqrt(inputs), (outputs, inputs))


def linear(name: str, source: str, weight: Any) -> Linear:
    bias = np.full(len(weight), 0.05)
    return Linear(name=name, inputs=(Edge(source),), weight=weight, bias=bias)


def readout(name: str, mode: Any, outputs: int, valid: bool = False) -> Readout:
    weight = matrix(outputs, outputs, HIDDEN, 1.0)
    return Readout(
        name=name,
        inputs=(Edge("lif"),),
        mode=mode,
        weight=weight,
        bias=np.zeros(outputs),
        use_lengths=valid,
    )


def two_and_two(*answers: Answer) -> Network:
    """Neurons that read two inputs and their own past; what they are, and what they do now."""
    reads = ("touch.weights", "sight.weights")
    past = Edge("back", steps_back=1)
    return Network(
        "float",
        (
            *(FloatInput(name=name, channels=width) for name, width in WIDTHS.items()),
            linear("touch.weights", "touch", matrix(1, HIDDEN, 3, 2.0)),
            linear("sight.weights", "sight", matrix(2, HIDDEN, 2, 2.0)),
            Residual(name="both", inputs=tuple(map(Edge, reads)), channels=HIDDEN),
            Residual(name="drive", inputs=(Edge("both"), past), channels=HIDDEN),
            Lif(name="lif", inputs=(Edge("drive"),), threshold=np.ones(HIDDEN), decay=0.75),
            linear("back", "lif", matrix(3, HIDDEN, HIDDEN, 1.5)),
            readout("kind", "mean", 4, valid=True),
            readout("act", "every", 2),
        ),
        answers or (Answer("one", "kind"), Answer(3, "act")),
    )


def inputs(batch: int = BATCH) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {n: rng.uniform(-1, 1, (batch, STEPS, width)) for n, width in WIDTHS.items()}


LENGTHS = np.array([24, 9, 17, 24, 3, 24, 11, 5, 24, 8, 20, 24])


def compiled(network: Network | None = None) -> Network:
    calibration = Calibration(inputs(), LENGTHS)
    return compile_network(network or two_and_two(), QuantizationConfig(), calibration)


def mantissas(network: Network) -> dict[str, Any]:
    return {n: network[n].output.encode(x)[0] for n, x in inputs().items()}  # type: ignore[attr-defined]


def run(network: Network, trace: tuple[str, ...] = (), given: Any = None) -> Any:
    inputs = mantissas(network) if given is None else given
    return run_whole(get_engine("reference"), network, Run(inputs, LENGTHS, trace))


def test_the_float_engine_takes_and_gives_them_by_name() -> None:
    network = two_and_two()
    given = run_float(network, inputs(), LENGTHS, record=["lif", "both"])
    x, fed = inputs(), 0.0
    for name in WIDTHS:
        weights: Any = network[f"{name}.weights"]
        fed = fed + x[name] @ weights.weight.T + weights.bias
    np.testing.assert_allclose(given.signals["both"], fed, rtol=1e-12)
    spikes = given.signals["lif"]
    kind, act, past = (network[n] for n in ("kind", "act", "back"))
    spoken = np.zeros((BATCH, HIDDEN))
    v, answers = np.zeros((BATCH, HIDDEN)), []
    for t in range(STEPS):
        heard = spikes[:, t - 1] @ past.weight.T + past.bias if t else 0.0  # type: ignore[attr-defined]
        v = 0.75 * v + fed[:, t] + heard
        np.testing.assert_array_equal(spikes[:, t], v >= 1.0)
        v[v >= 1.0] = 0.0
        spoken += spikes[:, t] * (t < LENGTHS)[:, None]
        answers.append(spikes[:, t] @ act.weight.T + act.bias)  # type: ignore[attr-defined]
    assert 0.02 < spikes.mean() < 0.9
    assert set(given.logits) == {"kind", "act"}
    mean = spoken / LENGTHS[:, None]
    np.testing.assert_allclose(given.logits["kind"], mean @ kind.weight.T, atol=1e-12)  # type: ignore[attr-defined]
    np.testing.assert_allclose(given.logits["act"], np.stack(answers[-3:], axis=1), atol=1e-12)


def test_the_integers_are_those_of_the_float_network() -> None:
    network = compiled()
    assert network.stage == "lowered"
    assert (list(network.inputs), list(network.outputs)) == (["touch", "sight"], ["kind", "act"])
    result = run(network, ("lif",))
    reference = run_float(two_and_two(), inputs(), LENGTHS, record=["lif"])
    assert np.mean(result.trace["lif"] != reference.signals["lif"]) < 0.02
    assert [result.output[n].shape for n in ("kind", "act")] == [(BATCH, 4), (BATCH, 3, 2)]
    for name, taken in result.output.items():
        logits = network[name].output.decode(taken)  # type: ignore[attr-defined]
        assert np.abs(logits - reference.logits[name]).max() < 0.5
        assert np.corrcoef(logits.ravel(), reference.logits[name].ravel())[0, 1] > 0.98
    assert set(cost_network(network)) == set(network.names)


def test_each_input_is_heard_and_each_output_is_of_its_own_node() -> None:
    network = compiled()
    silent = {name: np.zeros_like(x) for name, x in mantissas(network).items()}
    full = run(network, ("lif", "act", "kind"))
    for name in WIDTHS:
        part = run(network, ("lif",), {**mantissas(network), name: silent[name]})
        assert not np.array_equal(part.trace["lif"], full.trace["lif"])
    np.testing.assert_array_equal(full.output["act"], full.trace["act"][:, -3:])
    last = full.trace["kind"][np.arange(BATCH), LENGTHS - 1]
    np.testing.assert_array_equal(full.output["kind"], last)


def test_every_answer_heeds_its_own_lengths() -> None:
    lengths_of = two_and_two(Answer("one", "kind"), Answer(3, "act", valid=True))
    result = run(compiled(lengths_of), ("act",))
    steps = LENGTHS[:, None] - 3 + np.arange(3)
    expected = result.trace["act"][np.arange(BATCH)[:, None], steps]
    np.testing.assert_array_equal(result.output["act"], expected)


def test_one_output_of_a_node_inside_is_a_plain_array() -> None:
    inner = two_and_two(Answer("all", "lif"))
    given = run_float(inner, inputs(), LENGTHS)
    np.testing.assert_array_equal(given.logits, run(compiled(inner)).output != 0)


def test_a_file_holds_them(tmp_path: Path) -> None:
    network = compiled(two_and_two(Answer("one", "kind"), Answer(3, "act", valid=True)))
    write_deployment(tmp_path / "a.safetensors", network, ORIGIN)
    found, _ = read_deployment(tmp_path / "a.safetensors")
    assert found.answers == network.answers
    assert format_network(found) == format_network(network)
    title = format_network(network).splitlines()[0]
    assert title == "network stage=lowered output_steps=kind:one act:3 of the valid ones"
    first, second = run(network).output, run(found).output
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"output_steps": "one"}, "'outputs' is a list, which holds all that is said of each"),
        ({"outputs": {"kind": "one"}}, "'outputs' is a list"),
        ({"outputs": [{"output_steps": "one"}]}, "an output: 'node' is missing"),
        ({"outputs": [{"output_steps": "one", "node": 3}]}, "an output has a 'node'"),
        ({"outputs": [{"output_steps": "one", "node": "act", "x": 1}]}, "and nothing else"),
        ({"outputs": [{"output_steps": 0, "node": "act"}]}, "or a number of steps, not 0"),
    ],
)
def test_a_file_that_says_it_otherwise_is_refused(change: dict[str, Any], told: str) -> None:
    document, tensors = network_to_document(compiled())
    with pytest.raises(DeploymentError, match=told):
        network_from_document({**document, **change}, tensors)


def refused(network: Network) -> str:
    with pytest.raises(NetworkError) as caught:
        verify_network(network)
    return str(caught.value)


def test_what_is_no_such_network_is_refused() -> None:
    network = compiled()
    twice = (Answer("one", "kind"), Answer("all", "kind"))
    assert "2 answers, of the nodes kind: need one" in refused(replace(network, answers=twice))
    assert "0 answers, of the nodes none" in refused(replace(network, answers=()))
    assert "no node named 'x'" in refused(replace(network, answers=(Answer("one", "x"),)))
    late = Input(name="late", output=network["touch"].output, channels=3)  # type: ignore[attr-defined]
    told = refused(replace(network, nodes=(*network.nodes, late)))
    assert "'late' (Input): comes after 'touch' and others: inputs come first" in told


@pytest.mark.parametrize("name", ["native", "c", "lava"])
def test_engines_of_one_take_them_side_by_side(name: str) -> None:
    if name == "lava":
        pytest.importorskip("lava.magma")
    if name == "c" and shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    network = compiled(two_and_two(Answer("one", "kind"), Answer(3, "act", valid=True)))
    trace = () if name == "c" else ("lif", "touch")
    result = run_whole(get_engine(name), network, Run(mantissas(network), LENGTHS, trace))
    reference = run(network, trace)
    assert result.output.keys() == {"kind", "act"}
    assert_same_signals(result, reference)


def test_spikes_and_numbers_enter_side_by_side() -> None:
    network = compiled()
    spikes = replace(network["sight"], output=SPIKE)  # type: ignore[type-var]
    network = replace(network, nodes=tuple(spikes if n.name == "sight" else n for n in network))
    given = mantissas(compiled())
    given["sight"] = (given["sight"] > 0).astype(np.int64)
    result = run_whole(get_engine("native"), network, Run(given, LENGTHS, ("lif",)))
    np.testing.assert_array_equal(result.trace["lif"], run(network, ("lif",), given).trace["lif"])
    given["sight"][0, 0, 0] = 2
    with pytest.raises(DataError, match="input mantissa of magnitude 2 exceeds 0 … 1"):
        run_whole(get_engine("native"), network, Run(given, LENGTHS))


def encoded_by_the_host(before: int = 1, after: int = 0) -> Network:
    """Tokens with their table enter beside a channel, of which a window shows two steps."""
    network = compiled()
    rng = np.random.default_rng(3)
    touch: Any = network["touch"]
    form: Any = network["sight"].output  # type: ignore[attr-defined]
    limit = touch.output.limit
    table = random_table(rng, touch.output.bits, (6, touch.width)).clip(-limit, limit)
    window = Format(form.bits, tuple(form.exponents(2).tolist()))
    leading = (
        replace(token_input(6), name="touch"),
        Input(name="sight", output=Format(form.bits, int(form.exponents(2)[0])), channels=1),
        EmbeddingTable(
            name="table",
            inputs=(Edge("touch"),),
            output=touch.output,
            channels=touch.width,
            clusters=(Cluster(table),),
        ),
        Window(
            name="window",
            inputs=(Edge("sight"),),
            output=window,
            channels=1,
            before=before,
            after=after,
        ),
    )
    read = {"touch": "table", "sight": "window"}
    rest = (
        replace(
            node, inputs=tuple(replace(e, source=read.get(e.source, e.source)) for e in node.inputs)
        )
        for node in network
        if not node.is_input
    )
    network = replace(network, nodes=(*leading, *rest))
    verify_network(network)
    return network


def tokens_and_values(network: Network) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    limit = network["sight"].output.limit  # type: ignore[attr-defined]
    return {
        "touch": rng.integers(0, 6, (BATCH, STEPS, 1)),
        "sight": rng.integers(-limit, limit + 1, (BATCH, STEPS, 1)),
    }


@pytest.mark.parametrize(("name", "after"), [("native", 0), ("native", 1), ("lava", 1)])
def test_what_the_host_computes_of_each_is_the_same(name: str, after: int) -> None:
    if name == "lava":
        pytest.importorskip("lava.magma")
    network = encoded_by_the_host(1 - after, after)
    given = tokens_and_values(network)
    trace = ("touch", "table", "window", "lif")
    result = run_whole(get_engine(name), network, Run(given, LENGTHS, trace))
    reference = run(network, trace, given)
    assert result.output.keys() == {"kind", "act"}
    assert result.trace.keys() == set(trace)
    assert_same_signals(result, reference)
    assert result.saturated == (reference.saturated if name == "native" else {})
    given["touch"][1, 2, 0] = 6
    with pytest.raises(DataError, match="token"):
        run_whole(get_engine(name), network, Run(given, LENGTHS, trace))


def test_the_hosts_part_of_a_stream_is_cut_saved_and_resumed() -> None:
    network = encoded_by_the_host()
    engine, watch = get_engine("native"), Watch(BATCH, LENGTHS, trace=("window", "act"))
    given = tokens_and_values(network)
    reference = run(network, ("window", "act"), given)
    session, traced = engine.open(network, watch), []
    for chunk in chunks(given, 1, 9, 10):
        traced.append(session.step(chunk))
        state = session.state()
        session = engine.open(network, watch)
        session.restore(state)
    for name in ("window", "act"):
        whole = np.concatenate([part[name] for part in traced], axis=1)
        np.testing.assert_array_equal(whole, reference.trace[name])
    assert session.finish().saturated == reference.saturated
    with pytest.raises(ConfigError, match=r"'window' reads up to x\[t \+ 1\]"):
        engine.open(encoded_by_the_host(0, 1), watch)


def chunks(given: dict[str, Any], *cuts: int) -> Any:
    for start, stop in pairwise([0, *cuts, STEPS]):
        yield {name: x[:, start:stop] for name, x in given.items()}


def test_a_stream_of_them_is_cut_saved_and_resumed() -> None:
    network = compiled(two_and_two(Answer("one", "kind"), Answer(3, "act")))
    engine, watch = get_engine("native"), Watch(BATCH, LENGTHS, trace=("lif", "act"))
    whole = run(network, ("lif", "act", "kind"))
    session = engine.open(network, watch)
    lifs = []
    for chunk in chunks(mantissas(network), 1, 9):
        lifs.append(session.step(chunk)["lif"])
        state = session.state()
        session = engine.open(network, watch)
        session.restore(state)
    np.testing.assert_array_equal(np.concatenate(lifs, axis=1), whole.trace["lif"])
    result = session.finish()
    np.testing.assert_array_equal(result.output["act"], whole.output["act"])
    np.testing.assert_array_equal(result.output["kind"], whole.trace["kind"][:, -1])
    assert result.messages.keys() == whole.messages.keys()
    lost = {name: array for name, array in state.arrays.items() if name != "act/recent"}
    with pytest.raises(DataError, match="not one of 12 sequences through this network"):
        engine.open(network, watch).restore(replace(state, arrays=lost))


def test_inputs_that_do_not_fit_together_are_refused() -> None:
    network = compiled()
    given = mantissas(network)
    given["touch"] = given["touch"][:, :5]
    with pytest.raises(DataError, match=r"touch \(12, 5, 3\), sight \(12, 24, 2\)"):
        get_engine("native").open(network, Watch(BATCH)).step(given)


@pytest.mark.parametrize("given", [np.zeros((2, 4, 3)), {"touch": np.zeros((2, 4, 3))}])
def test_inputs_of_other_names_are_refused(given: Any) -> None:
    with pytest.raises(DataError, match=r"takes an array for each of \['touch', 'sight'\]"):
        run_float(two_and_two(), given)


@pytest.fixture(scope="module")
def deployed() -> Deployment:
    network = two_and_two(Answer("one", "kind"), Answer(3, "act"))
    return snn_deploy.convert(network, calibration={**inputs(), "lengths": LENGTHS})


def by_hand(deployment: Deployment, lengths: Any = LENGTHS) -> Any:
    given = Run(mantissas(deployment.network), lengths, ("lif",))
    return run_whole(get_engine("reference"), deployment.network, given)


@pytest.mark.parametrize("form", ["apart", "side by side"])
def test_a_deployment_takes_a_table_of_them_or_one_array(deployed: Deployment, form: str) -> None:
    both = np.concatenate(list(inputs().values()), axis=2)
    given: Any = {**inputs(), "lengths": LENGTHS} if form == "apart" else both
    lengths = None if form == "apart" else LENGTHS
    simulation = deployed.simulate(given, lengths, trace=["lif"])
    whole = by_hand(deployed)
    np.testing.assert_array_equal(simulation.trace["lif"], whole.trace["lif"])
    for name, taken in whole.output.items():
        answer = deployed.network[name].output.decode(taken)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(simulation.answers[name], answer)
    np.testing.assert_array_equal(simulation.answer, simulation.answers["kind"])
    assert simulation.predictions.shape == (BATCH,)
    assert {"touch", "sight"} <= set(simulation.saturated)
    report = deployed.report(given, lengths)
    assert report.to_json()


def test_it_streams_saves_and_resumes(deployed: Deployment, tmp_path: Path) -> None:
    whole = by_hand(deployed, np.full(BATCH, STEPS))
    stream, path = deployed.stream(BATCH, trace=["act"]), tmp_path / "state"
    acts = []
    for chunk in chunks(inputs(), 7, 8):
        # beyond what calibration saw in one of the two: clipped, and told by input
        both = np.concatenate([chunk["touch"], chunk["sight"]], axis=2)
        acts.append(stream.step(both).trace["act"])
        stream.save(path)
        stream = deployed.resume(path, trace=["act"])
    np.testing.assert_array_equal(stream.result().output["act"], whole.output["act"])
    np.testing.assert_array_equal(np.concatenate(acts, axis=1)[:, -3:], whole.output["act"])
    with pytest.warns(SnnDeployWarning, match="input values lie outside"):
        stream.step(np.full((BATCH, 1, 5), 40.0))
    assert stream.saturated["touch"] == 3 * BATCH
    assert stream.saturated["sight"] == 2 * BATCH
    stream.save(path)
    assert deployed.resume(path).saturated == stream.saturated


def test_the_commands_take_them(
    deployed: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data = str(tmp_path / "two.safetensors"), str(tmp_path / "two.npz")
    deployed.save(file)
    labels = np.arange(BATCH) % 4
    np.savez(data, **{n: x.astype(np.float32) for n, x in inputs().items()}, labels=labels)
    for command in (
        ["simulate", file, "--data", data],
        ["simulate", file, "--data", data, "--chunk", "5"],
        ["simulate", file, "--data", data, "-o", str(tmp_path / "out.npz")],
        ["verify", file, "--data", data],
        ["report", file, "--data", data, "--html", str(tmp_path / "page.html")],
        ["evaluate", file, "--data", data, "-o", str(tmp_path / "evaluated.json")],
        ["compare", file, file, "--data", data],
        ["inspect", file],
    ):
        assert code_of(command) == 0, (command, capsys.readouterr().err)
    with np.load(tmp_path / "out.npz") as out:
        assert (out["answers/kind"].shape, out["answers/act"].shape) == ((BATCH, 4), (BATCH, 3, 2))
    np.savez(data, touch=inputs()["touch"], labels=labels)
    assert "name them as the network does: touch, sight" in refused_by(file, data, capsys)
    np.savez(data, touch=inputs()["touch"], sight=inputs()["sight"][:, 1:])
    told = "inputs of the shapes (12, 24, 3), (12, 23, 2)"
    assert told in refused_by(file, data, capsys)


def refused_by(file: str, data: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert code_of(["simulate", file, "--data", data]) == 2
    return " ".join(capsys.readouterr().err.split())


def code_of(words: list[str]) -> Any:
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code
