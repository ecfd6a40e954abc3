"""ONNX: onnxruntime gives the reference engine's integers, of every kind of node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from family_cases import Case, cases, deployed
from networks import MAKERS, around, extreme_inputs
from random_networks import Limits, random_network, random_run
from same_results import assert_same_signals
from test_native_loops import looped
from test_spiking_anywhere import inputs as recurrent_inputs
from test_spiking_anywhere import recurrent

import snn_deploy
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import IntArray, Run, by_name
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import NetworkError, TargetError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.storage import network_to_document

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from snn_deploy.formats.onnx.engine import OnnxEngine  # noqa: E402
from snn_deploy.formats.onnx.graph import signal_info  # noqa: E402
from snn_deploy.formats.onnx.model import (  # noqa: E402
    NoStepError,
    answer_name,
    sequence_model,
    step_model,
)
from snn_deploy.formats.onnx.operations import DOMAIN, OPSET, all_functions  # noqa: E402

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"


@pytest.fixture(scope="module")
def digits() -> snn_deploy.Deployment:
    checkpoint, data = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
    return snn_deploy.convert(checkpoint, calibration=data)


@pytest.fixture(scope="module")
def sequences() -> np.ndarray:
    with np.load(EXAMPLE / "test.npz") as data:
        return np.asarray(data["inputs"])


def session(model: Any) -> Any:
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    return runtime.InferenceSession(content, providers=["CPUExecutionProvider"])


def assert_same(network: Network, run: Run) -> None:
    """Compare every signal, answer and count of messages with the reference engine's."""
    _, tensors = network_to_document(network)
    onnx.checker.check_model(sequence_model(network, tensors).proto, full_check=True)
    made = run_whole(OnnxEngine(), network, run)
    reference = run_whole(ReferenceEngine(), network, run)
    assert reference.trace.keys() == set(network.names)
    assert_same_signals(made, reference)


def stepped(network: Network, inputs: Any, steps: int) -> dict[str, list[IntArray]]:
    """Give what a model of a step answers to the steps, one after another."""
    model = step_model(network, network_to_document(network)[1])
    running = session(model.proto)
    given = by_name(network, inputs)
    batch = len(next(iter(given.values())))
    state = {
        node.name: np.zeros([batch if axis == "batch" else axis for axis in node.shape], np.int64)
        for node in running.get_inputs()
        if node.name not in given
    }
    names = [node.name for node in running.get_outputs()]
    answers: dict[str, list[IntArray]] = {name: [] for name in network.outputs}
    for t in range(steps):
        now = {name: np.ascontiguousarray(x[:, t]) for name, x in given.items()}
        gave = dict(zip(names, running.run(None, {**now, **state}), strict=True))
        for name, told in answers.items():
            told.append(gave[answer_name(name)])
        state = {name: gave[following] for name, following in model.states.items()}
    return answers


def assert_same_steps(network: Network, inputs: IntArray) -> None:
    """Compare what each step answers with the answer of a sequence that ends there."""
    batch, steps = inputs.shape[:2]
    network = network.answering(steps="one", valid=False)
    for name, told in stepped(network, inputs, steps).items():
        for t in sorted({0, 1, steps // 2, steps - 1}):
            if t < steps:
                run = Run(inputs[:, : t + 1], np.full(batch, t + 1), [name])
                whole = run_whole(ReferenceEngine(), network, run)
                np.testing.assert_array_equal(whole.trace[name][:, -1], told[t], err_msg=f"{t}")


def test_every_node_of_the_example(digits: snn_deploy.Deployment, sequences: Any) -> None:
    (compared,) = digits.verify(sequences[:4], backends=("reference", "onnx")).engines
    assert compared.passed, str(compared)
    assert compared.nodes == len(digits.network)


def test_logits_of_the_example(digits: snn_deploy.Deployment, sequences: Any) -> None:
    native, made = (digits.simulate(sequences[:32], backend=name) for name in ("native", "onnx"))
    np.testing.assert_array_equal(native.answer, made.answer)


def test_steps_of_the_example(digits: snn_deploy.Deployment, sequences: Any) -> None:
    assert_same_steps(digits.network, digits.network.input.output.encode(sequences[:2])[0])


@pytest.mark.parametrize("lag", [1, 3])
def test_a_recurrent_network(lag: int) -> None:
    x = recurrent_inputs()
    deployment = snn_deploy.convert(recurrent(lag), calibration=x)
    native, made = (deployment.simulate(x, backend=name) for name in ("native", "onnx"))
    np.testing.assert_array_equal(native.answer, made.answer)
    assert_same_steps(deployment.network, deployment.network.input.output.encode(x[:3])[0])


@pytest.mark.parametrize("case", cases("stan_rhodes", "binary_s4d"))
def test_a_binary_s4d(case: Case) -> None:
    """Of its whole test set, as docs/onnx.md has it, the first sequences."""
    x = case.arrays("test")["inputs"][:6]
    native, made = (deployed(case).simulate(x, backend=name) for name in ("native", "onnx"))
    np.testing.assert_array_equal(native.answer, made.answer)


@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_a_node_of_each_kind(kind: type[Node]) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        network = around(kind, rng)
        inputs = extreme_inputs(network, rng)
        run = Run(inputs, rng.integers(1, inputs.shape[1] + 1, len(inputs)), network.names)
        if not kind.lowered and hasattr(kind, "run"):
            with pytest.raises(TargetError, match="has no step of its own, and ONNX is not"):
                sequence_model(network, {})
            return
        assert_same(network, run)
        if (reason := why_no_steps(network)) is None:
            assert_same_steps(network, inputs)
        else:
            looks_ahead = any(node.runs_backwards or node.reach[1] for node in network)
            assert looks_ahead, reason


def why_no_steps(network: Network) -> str | None:
    try:
        step_model(network, {})
    except NoStepError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_random_network(seed: int) -> None:
    try:
        network = random_network(seed, Limits(host=seed % 3 == 0))
    except NetworkError:
        pytest.skip("the verifier refuses this one")
    run = random_run(network, seed)
    assert_same(network, replace(run, trace=network.names))
    if why_no_steps(network) is None:
        assert_same_steps(network, run.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_random_network_that_reads_its_past(seed: int) -> None:
    network = looped(seed)
    if network is None:
        pytest.skip("its sums have no room")
    run = random_run(network, seed)
    assert_same(network, replace(run, trace=network.names))
    if why_no_steps(network) is None:
        assert_same_steps(network, run.inputs)


def test_numbers_beyond_32_bits_are_limited() -> None:
    """Where onnxruntime's own ``Clip`` and ``Min`` of int64 are wrong on x86."""
    x = np.array([s * 2**k + d for k in range(62) for s in (1, -1) for d in (-1, 0, 1)])
    node = onnx.helper.make_node("Limit", ["x", "low", "high"], ["y"], domain=DOMAIN)
    names = [signal_info(name, ()) for name in ("low", "high")]
    graph = onnx.helper.make_graph(
        [node], "g", [signal_info("x", ("n",)), *names], [signal_info("y", ("n",))]
    )
    opsets = [onnx.helper.make_opsetid(*found) for found in (("", OPSET), (DOMAIN, 1))]
    functions = all_functions([node])
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=opsets, functions=functions)
    ends = {"low": np.int64(-32767), "high": np.int64(32767)}
    (y,) = session(model).run(None, {"x": x, **{k: np.asarray(v) for k, v in ends.items()}})
    np.testing.assert_array_equal(y, np.clip(x, -32767, 32767))
