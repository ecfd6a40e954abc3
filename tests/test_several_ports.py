"""Several named inputs and outputs: a recurrent network of two and two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendError, DataError, DeploymentError, NetworkError
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.text import format_network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.cost import cost_network
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
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


def test_what_takes_one_says_that_there_are_two() -> None:
    network = compiled()
    for name in ("native", "lava"):
        with pytest.raises(BackendError, match="inputs touch, sight and the outputs kind, act"):
            run_whole(get_engine(name), network, Run(mantissas(network), LENGTHS))
    with pytest.raises(NetworkError, match=r"has 2 inputs \(touch, sight\), where one is taken"):
        network.input  # noqa: B018
    with pytest.raises(NetworkError, match=r"has 2 outputs \(kind, act\), where one is taken"):
        network.answer  # noqa: B018


@pytest.mark.parametrize("given", [np.zeros((2, 4, 3)), {"touch": np.zeros((2, 4, 3))}])
def test_inputs_of_other_names_are_refused(given: Any) -> None:
    with pytest.raises(DataError, match=r"takes an array for each of \['touch', 'sight'\]"):
        run_float(two_and_two(), given)
