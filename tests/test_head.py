"""Heads: what the host computes on a chip's answer; its rules, its storage, its data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from head_networks import (
    ENDINGS,
    STEPS,
    WIDTH,
    comparison,
    deployed,
    ending,
    pool,
    readout,
    shares,
    softmax,
)
from networks import float_inputs
from safetensors.numpy import load

from snn_deploy.compare.accuracy import compare_accuracy
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines import head as head_module
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.head import apply_head, predict
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import ConfigError, DataError, DeploymentError, NetworkError
from snn_deploy.evaluation.dataset import open_dataset
from snn_deploy.evaluation.tally import count
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.text import format_network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.host import host_work
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.heads import FirstSteps
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run import answers, simulation
from snn_deploy.run.simulation import Simulation, simulate
from snn_deploy.run.streaming import Stream
from snn_deploy.tune.format_search import search_formats

ORIGIN = Provenance("loihi2", "3", "tiny.ckpt", "0" * 64, {"source": "calibration"}, {}, "0.1.0")
HEADS = (
    "first 5",
    "retrieval",
    "summed probabilities",
    "language model",
    "language model, last 5",
)


def run(network: Network, data: Data) -> Simulation:
    return simulate(network, data, get_engine("reference"))


# --- which nodes are the host's


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("sum", []),
        ("running sum", []),
        ("first 5", ["FirstSteps"]),
        ("retrieval", ["RetrievalHead"]),
        ("language model", ["AdaptiveLogSoftmax"]),
        ("summed probabilities", ["SoftmaxSum"]),
    ],
)
def test_what_no_chip_computes_is_the_hosts(name: str, head: list[str]) -> None:
    network = deployed(ENDINGS[name]())
    assert [node.kind for node in network.head] == head
    assert network.output.name == ENDINGS[name]().nodes[-1 - len(head)].name


@pytest.mark.parametrize(("outputs", "on_host"), [(7, False), (6, True)])
def test_many_outputs_a_step_are_the_hosts(outputs: int, on_host: bool) -> None:
    source = ending(readout("every", classes=7), output_steps="all")
    network = deployed(source, chip_outputs=outputs)
    assert [node.name for node in network.head] == ["decoder"] * on_host
    data = check_data(network, float_inputs(source, 3, STEPS))
    exact = run_float(source, data.inputs).logits
    np.testing.assert_allclose(run(network, data).logits, exact, atol=1.5 * np.abs(exact).max())


def test_a_classifier_stays_on_the_chip_however_wide() -> None:
    assert deployed(ending(readout("mean", classes=7)), chip_outputs=1).head == ()


def test_what_the_host_computes_has_no_formats() -> None:
    network = ENDINGS["language model"]()
    with pytest.raises(ConfigError, match="formats are set for 'decoder', but the host computes"):
        deployed(network, nodes={"decoder": {"weight_bits": 4}})


def test_the_text_form_names_the_host() -> None:
    text = format_network(deployed(ENDINGS["retrieval"]()))
    assert (
        "\nhost\n  decoder.retrieval = RetrievalHead(decoder) width=2 weights=(float64[6x16]"
        in text
    )


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "per"),
    [
        ("first 5", 0, 0, "answer"),
        ("retrieval", 16 * 6 + 6 + 6 * 2 + 2, 16 * 6 + 6 * 2, "answer"),
        (
            "language model",
            5 * 4 + 4 * 2 + 7 + 16 + (4 * 4 + 4 * 2 + 4) + 2 * 4 + 2,
            5 * 4 + 4 * 2 + 7 + (4 * 4 + 4 * 2 + 4) + 2 * 4,
            "step",
        ),
    ],
)
def test_what_a_head_costs(name: str, parameters: int, macs: int, per: str) -> None:
    (work,) = host_work(deployed(ENDINGS[name]()))
    assert (work.parameters, work.macs, work.per) == (parameters, macs, per)
    assert work.bytes == 4 * parameters


def test_the_report_says_what_the_host_does() -> None:
    work = host_work(deployed(ENDINGS["language model"]()))
    told = "decoder (log-probabilities of 16 words, 71 multiplications a step, 0.4 kB)"
    assert [str(part) for part in work] == [told]
    (work,) = host_work(deployed(ENDINGS["first 5"]()))
    assert str(work) == "first (first 5 steps)"


# --- what it computes


def test_a_head_works_on_the_decoded_answer() -> None:
    network = deployed(ENDINGS["retrieval"]())
    found = run(network, check_data(network, float_inputs(network, 6, STEPS)))
    a, b = found.answer[:3], found.answer[3:]
    head: Any = network.head[0]
    hidden = np.concatenate([a, b, a - b, a * b], axis=1) @ head.weights[0].T + head.biases[0]
    gelu = hidden * 0.5 * (1 + np.vectorize(erf)(hidden / sqrt(2)))
    np.testing.assert_allclose(found.logits, gelu @ head.weights[1].T + head.biases[1])
    assert found.predictions.shape == (3,)
    assert found.spike_counts["layers.0"].shape == (6, WIDTH)


def test_probabilities_add_up_to_one() -> None:
    network = deployed(ENDINGS["language model"]())
    found = run(network, check_data(network, float_inputs(network, 2, STEPS)))
    assert found.logits.shape == (2, STEPS, 16)
    np.testing.assert_allclose(np.exp(found.logits).sum(axis=-1), 1.0)


@pytest.mark.parametrize("name", HEADS)
def test_blocks_of_any_size_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = deployed(ENDINGS[name]())
    data = check_data(network, float_inputs(network, 4, STEPS), labels=None)
    whole = run(network, data)
    expected = whole.logits
    labels = np.random.default_rng(0).integers(-1, 2, expected.shape[:-1])
    entropy = whole.cross_entropy(labels)
    monkeypatch.setattr(head_module, "BATCH_BYTES", 8 * 16 * 3)
    np.testing.assert_array_equal(apply_head(network.answer, whole.answer), expected)
    np.testing.assert_array_equal(predict(network.answer, whole.answer), expected.argmax(axis=-1))
    shifted = expected - np.log(np.exp(expected).sum(axis=-1, keepdims=True))
    flat, chosen = shifted.reshape(-1, shifted.shape[-1]), labels.reshape(-1)
    by_hand = -sum(row[label] for row, label in zip(flat, chosen, strict=True) if label >= 0)
    assert whole.cross_entropy(labels) == pytest.approx(entropy) == pytest.approx(by_hand)


def test_logits_that_would_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = deployed(ENDINGS["language model"]())
    found = run(network, check_data(network, float_inputs(network, 2, STEPS)))
    monkeypatch.setattr(answers, "LOGIT_BYTES", 100)
    assert not found.logits_fit
    told = "the logits, 2 × 20 × 16, would take 0.0 GiB: take the predictions alone, or run fewer"
    with pytest.raises(DataError, match=told):
        _ = found.logits
    assert found.predictions.shape == (2, STEPS)


@pytest.mark.parametrize("name", [*HEADS, "dss", "running sum", "divided by channel"])
def test_a_comparison_with_the_float_network(name: str) -> None:
    source = ENDINGS[name]()
    network = deployed(source)
    inputs = float_inputs(source, 6, STEPS, seed=4)
    labels = run_float(source, inputs).logits.argmax(axis=-1)
    data = check_data(network, inputs, labels)
    found = compare_accuracy(network, source, data, get_engine("reference"))
    exact, integer = run_float(source, inputs).logits, run(network, data).logits
    assert found.exact_accuracy == 1.0
    assert found.agreement == (exact.argmax(axis=-1) == integer.argmax(axis=-1)).mean()
    assert found.integer_accuracy == found.agreement
    assert found.largest_logit_error == pytest.approx(np.abs(exact - integer).max())


@pytest.mark.parametrize("name", ["retrieval", "language model", "dss"])
def test_a_search_for_formats(name: str) -> None:
    source = ENDINGS[name]()
    data = check_data(source, float_inputs(source, 4, STEPS))
    found = search_formats(source, data, QuantizationConfig(), max_loss=0.5)
    assert found.score >= found.limit
    assert found.after < found.before
    on_host = {node.name for node in deployed(source).head}
    assert on_host.isdisjoint(trial.node for trial in found.trials)


# --- storage


@pytest.mark.parametrize("name", ENDINGS)
def test_a_file_gives_the_same_network(name: str, tmp_path: Path) -> None:
    network = deployed(ENDINGS[name]())
    path = tmp_path / "a.safetensors"
    write_deployment(path, network, ORIGIN)
    found, _ = read_deployment(path)
    assert format_network(found) == format_network(network)
    data = check_data(network, float_inputs(network, 6, STEPS), lengths=np.full(6, 9))
    np.testing.assert_array_equal(run(found, data).logits, run(network, data).logits)
    write_deployment(tmp_path / "b.safetensors", found, ORIGIN)
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_numbers_are_stored_as_narrow_as_loses_nothing(tmp_path: Path) -> None:
    network = deployed(ENDINGS["language model"]())
    head: Any = network.head[0]
    third = (head.biases[0] + 1 / 3, *head.biases[1:])
    network = network.answering(head=(replace(head, biases=third),))
    write_deployment(tmp_path / "a.safetensors", network, ORIGIN)
    tensors = load((tmp_path / "a.safetensors").read_bytes())
    assert tensors["decoder/weights/0"].dtype == np.float32
    assert tensors["decoder/biases/0"].dtype == np.float64
    found: Any = read_deployment(tmp_path / "a.safetensors")[0].head[0]
    assert found.weights[0].dtype == np.float64
    for stored, given in zip(found.biases, third, strict=True):
        np.testing.assert_array_equal(stored, given)


def test_a_changed_head_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_deployment(path, deployed(ENDINGS["retrieval"]()), ORIGIN)
    content = bytearray(path.read_bytes())
    weights: Any = deployed(ENDINGS["retrieval"]()).head[0]
    place = content.index(weights.weights[0].astype(np.float32).tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DeploymentError, match="SHA-256 does not match"):
        read_deployment(path)


def test_files_from_before_heads_and_defaults_still_load() -> None:
    network = deployed(ending(readout("mean")))
    document, tensors = network_to_document(network)
    assert set(document) == {"stage", "output_steps", "nodes"}
    for node in document["nodes"]:
        if node["kind"] == "Dendrite":
            del node["reversed_time"]
    assert format_network(network_from_document(document, tensors)) == format_network(network)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"head": {}}, "'nodes' and 'head' are lists"),
        ({"head": [{"kind": "Embedding"}]}, "unknown node kind 'Embedding'; there are: Adaptive"),
        ({"head": [{"kind": "FirstSteps", "name": "x"}]}, r"x: FirstSteps has \['channels', "),
        ({"steps": 0}, "steps is the length of all sequences, or null, not 0"),
        ({"steps": True}, "steps is the length of all sequences, or null, not True"),
        ({"use_lengths": 1}, "use_lengths is true or false, not 1"),
        ({"tail": []}, "network: unknown keys tail; a newer snn-deploy wrote this"),
    ],
)
def test_documents_that_make_no_sense(change: dict[str, Any], told: str) -> None:
    document, tensors = network_to_document(deployed(ending(readout("mean"))))
    with pytest.raises(DeploymentError, match=told):
        network_from_document({**document, **change}, tensors)


# --- rules


def changed(ending_name: str, /, **fields: Any) -> Network:
    network = deployed(ENDINGS[ending_name]())
    return network.answering(head=(replace(network.head[0], **fields),))


def retrieval(**fields: Any) -> Callable[[], Network]:
    return lambda: changed("retrieval", **fields)


def language_model(**fields: Any) -> Callable[[], Network]:
    return lambda: changed("language model", **fields)


def first(**fields: Any) -> Callable[[], Network]:
    return lambda: changed("first 5", **fields)


def with_head(name: str, *nodes: Any, **fields: Any) -> Callable[[], Network]:
    return lambda: deployed(ENDINGS[name]()).answering(head=nodes, **fields)


COMPARISON, SOFTMAX = comparison(), softmax()
AFFINE = Affine(name="x", inputs=(Edge("decoder"),), scale=np.ones(3), shift=np.ones(3))
STEPS_OF = FirstSteps(name="x", inputs=(Edge("decoder"),), channels=3, count=1)
PROJECTION = readout("every", name="x", inputs=(Edge("decoder"),))
SUM = replace(shares(), inputs=(Edge("decoder"),))
BAD = np.full((6, 16), np.nan)

RULES: dict[str, tuple[Callable[[], Network], str]] = {
    "sums of others": (
        lambda: changed("summed probabilities", channels=4),
        "(SoftmaxSum): takes 4 channels, not 3",
    ),
    "a sum of one": (
        lambda: changed("summed probabilities").answering(steps="one"),
        "(SoftmaxSum): adds up all steps, but the answer is not those",
    ),
    "what follows a sum": (
        with_head("last 5", SUM, replace(STEPS_OF, inputs=(Edge("sum"),)), steps="all"),
        "(SoftmaxSum): makes one answer of a sequence, so nothing follows it",
    ),
    "kind": (with_head("sum", AFFINE), "(Affine): a host computes AdaptiveLogSoftmax, FirstSteps"),
    "name on the chip": (first(name="encoder"), "a node of the chip has the same name"),
    "one name": (
        with_head("last 5", STEPS_OF, replace(STEPS_OF, inputs=(Edge("x"),)), steps="all"),
        "two nodes of the head have one name: x, x",
    ),
    "source": (first(inputs=(Edge("encoder"),)), "reads ('encoder',), not 'decoder' alone"),
    "two sources": (first(inputs=(Edge("decoder"),) * 2), "('decoder', 'decoder'), not 'decoder'"),
    "delay": (first(inputs=(Edge("decoder", 1),)), "has a delay, but a host has no steps"),
    "channels": (first(channels=4), "(FirstSteps): takes 4 channels, not 3"),
    "no step": (first(count=0), "count 0 is below 1"),
    "steps of one": (
        with_head("sum", STEPS_OF),
        "(FirstSteps): picks steps, but the answer is not all of them",
    ),
    "pooling host": (
        with_head("last 5", readout("mean", name="x", inputs=(Edge("decoder"),))),
        "(Readout): mode 'mean': the chip pools, not the host",
    ),
    "weight": (with_head("last 5", PROJECTION), "weight has shape (3, 4), not (any × 3)"),
    "bias": (
        with_head("last 5", replace(PROJECTION, weight=np.ones((2, 3)))),
        "bias has shape (3,), not (2)",
    ),
    "comparison of steps": (
        lambda: changed("retrieval").answering(steps="all"),
        "compares vectors, but the answer has steps",
    ),
    "activation": (retrieval(activation="tanh"), "activation 'tanh'"),
    "no layer": (retrieval(weights=(), biases=()), "(RetrievalHead): has no layer"),
    "biases": (retrieval(biases=()), "2 matrices, but 0 biases"),
    "no differences": (retrieval(differences=False), "weights[0] has shape (6, 16), not (any × 8)"),
    "NaN": (
        retrieval(weights=(BAD, COMPARISON.weights[1])),
        "(RetrievalHead): weights[0] holds NaN or infinity",
    ),
    "layer's bias": (
        retrieval(biases=(np.ones(5), np.ones(2))),
        "biases[0] has shape (5,), not (6)",
    ),
    "empty layer": (
        retrieval(weights=(np.ones((0, 16)), np.ones((2, 0)))),
        "weights[0] has shape (0, 16), not (any × 16)",
    ),
    "no cluster": (language_model(weights=()), "(AdaptiveLogSoftmax): has no cluster"),
    "clusters": (
        language_model(biases=SOFTMAX.biases[:2]),
        "weights, biases, projections: (3, 2, 3) clusters",
    ),
    "projection": (
        language_model(projections=(np.ones((3, 4)), *SOFTMAX.projections[1:])),
        "projections[0] has shape (3, 4), not (4 × any)",
    ),
    "cluster's weight": (
        language_model(weights=(np.ones((5, 3)), *SOFTMAX.weights[1:])),
        "weights[0] has shape (5, 3), not (any × 4)",
    ),
    "cluster's bias": (
        language_model(biases=(np.ones(4), *SOFTMAX.biases[1:])),
        "biases[0] has shape (4,), not (5)",
    ),
    "cluster_weight": (
        language_model(cluster_weight=np.ones((3, 4))),
        "cluster_weight has shape (3, 4), not (2 × 4)",
    ),
    "cluster_bias": (
        language_model(cluster_bias=np.array([1.0, np.inf])),
        "cluster_bias holds NaN or infinity",
    ),
    "one cluster's weight": (
        language_model(
            weights=SOFTMAX.weights[:1],
            biases=SOFTMAX.biases[:1],
            projections=SOFTMAX.projections[:1],
        ),
        "cluster_weight is not empty",
    ),
    "one cluster's bias": (
        language_model(
            weights=SOFTMAX.weights[:1],
            biases=SOFTMAX.biases[:1],
            projections=SOFTMAX.projections[:1],
            cluster_weight=np.zeros((0, 4)),
        ),
        "cluster_bias is not empty",
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_broken_rule_is_told(rule: tuple[Callable[[], Network], str]) -> None:
    broken, told = rule
    with pytest.raises(NetworkError, match=re.escape(told)):
        verify_network(broken())


# --- pairs


@pytest.fixture(scope="module")
def pairs() -> Network:
    return deployed(ending(pool("last", use_lengths=True), comparison()))


def test_labels_are_one_a_pair(pairs: Network) -> None:
    inputs = float_inputs(pairs, 6, STEPS)
    for network in (pairs, ENDINGS["retrieval"]()):
        assert check_data(network, inputs, [0, 1, 0]).answers == 3
        with pytest.raises(DataError, match=r"labels of shape \(6,\) for 3 pairs of sequences"):
            check_data(network, inputs, np.zeros(6, np.int64))
        with pytest.raises(DataError, match="5 sequences, but this network compares pairs"):
            check_data(network, inputs[:5])


def test_the_first_pairs_are_not_the_first_sequences(pairs: Network) -> None:
    inputs = float_inputs(pairs, 6, STEPS)
    lengths = np.array([20, 19, 18, 17, 16, 15])
    data = check_data(pairs, inputs, [0, 1, 0], lengths)
    first = data.first(2)
    assert first.answers == 2
    np.testing.assert_array_equal(first.inputs, inputs[[0, 1, 3, 4]])
    np.testing.assert_array_equal(first.lengths, [20, 19, 17, 16])
    np.testing.assert_array_equal(first.labels, [0, 1])
    np.testing.assert_array_equal(run(pairs, first).logits, run(pairs, data).logits[:2])
    assert data.first(None).answers == data.first(99).answers == 3


def test_blocks_of_sequences_do_not_part_pairs(
    pairs: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = check_data(pairs, float_inputs(pairs, 10, STEPS), lengths=np.arange(5, 15))
    expected = run(pairs, data)
    monkeypatch.setattr(simulation, "batch_size", lambda *args: 3)
    found = run(pairs, data)
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.spike_counts["layers.0"], expected.spike_counts["layers.0"])


def test_shards_of_a_test_set_are_pairs(pairs: Network, tmp_path: Path) -> None:
    inputs = float_inputs(pairs, 10, STEPS).astype(np.float32)
    labels = np.array([0, 1, 0, 1, 1])
    np.savez(tmp_path / "data.npz", inputs=inputs, labels=labels)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "inputs.npy", inputs)
    np.save(tmp_path / "folder" / "labels.npy", labels)
    whole = count(run(pairs, data := check_data(pairs, inputs, labels)), data)
    assert whole.correct == int((run(pairs, data).predictions == labels).sum())
    for path in (tmp_path / "data.npz", tmp_path / "folder"):
        dataset = open_dataset(path, pairs)
        assert len(dataset) == 5
        parts = [dataset.shard(pairs, 0, 2), dataset.shard(pairs, 2, 5)]
        first, second = (count(run(pairs, part), part) for part in parts)
        assert (first + second).correct == whole.correct
        assert (first + second).spikes == whole.spikes
        assert (first + second).cross_entropy == pytest.approx(whole.cross_entropy)


def test_a_folder_of_pairs_must_fit_together(pairs: Network, tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", float_inputs(pairs, 5, STEPS).astype(np.float32))
    with pytest.raises(DataError, match="5 sequences, but this network compares pairs"):
        open_dataset(tmp_path, pairs)
    np.save(tmp_path / "inputs.npy", float_inputs(pairs, 6, STEPS).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.zeros(6, np.int64))
    with pytest.raises(DataError, match="6 labels for 6 inputs; need 3"):
        open_dataset(tmp_path, pairs)


# --- labels of every step


def test_a_language_model_is_counted_step_by_step() -> None:
    network = deployed(ENDINGS["language model"]())
    inputs = float_inputs(network, 3, STEPS)
    labels = np.random.default_rng(0).integers(-1, 16, (3, STEPS))
    data = check_data(network, inputs, labels)
    found = run(network, data)
    tally = count(found, data)
    known = labels >= 0
    assert tally.labelled == known.sum()
    assert tally.correct == (found.predictions == labels)[known].sum()
    rows, columns = np.nonzero(known)
    expected = -found.logits[rows, columns, labels[known]].sum()
    assert tally.cross_entropy == pytest.approx(expected)
    assert tally.confusion == {}
    assert sum(tally.predictions.values()) == 3 * STEPS


def test_numbers_that_are_no_classes_have_no_probability() -> None:
    network = deployed(ENDINGS["sum"]())
    data = check_data(network, float_inputs(network, 2, STEPS), [0, 1])
    data = replace(data, labels=np.array([0, 9]))  # which no reader lets in
    tally = count(run(network, data), data)
    assert tally.labelled == 2
    assert tally.cross_entropy is None


# --- streams


def test_a_stream_gives_what_the_host_makes_of_each_step() -> None:
    network = deployed(ENDINGS["language model"]())
    inputs = float_inputs(network, 2, STEPS)
    stream = Stream(network, 2)
    parts = [stream.step(inputs[:, :7]).outputs, stream.step(inputs[:, 7:]).outputs]
    expected = run(network, check_data(network, inputs)).logits
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, rtol=1e-14)  # type: ignore[arg-type]
    assert stream.classes == 16


def test_streams_of_pairs() -> None:
    network = deployed(ENDINGS["retrieval"]())
    inputs = float_inputs(network, 4, STEPS)
    stream = Stream(network, 4)
    stream.step(inputs)
    expected = run(network, check_data(network, inputs)).logits
    np.testing.assert_allclose(stream.answer(), expected, rtol=1e-14)
    with pytest.raises(ConfigError, match="compares pairs of sequences; 3 side by side"):
        Stream(network, 3)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dss", f"weights are those for sequences of {STEPS} steps, but a stream has no length"),
        ("first 5", "answers with the first steps of a sequence, and a stream has no end"),
        ("last 5 of the valid", "answers with the last valid steps of each sequence: give a strea"),
    ],
)
def test_what_no_stream_can_answer(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Stream(deployed(ENDINGS[name]()), 2, lengths=[9, 9])


def test_a_running_sum_is_carried_from_chunk_to_chunk(tmp_path: Path) -> None:
    network = deployed(ENDINGS["running sum"]())
    inputs = float_inputs(network, 2, STEPS)
    expected = run(network, check_data(network, inputs)).logits
    stream = Stream(network, 2)
    first = stream.step(inputs[:, :7]).outputs
    stream.save(tmp_path / "state")
    second = Stream.resume(network, tmp_path / "state").step(inputs[:, 7:]).outputs
    found = np.concatenate([first, second], axis=1)  # type: ignore[list-item]
    np.testing.assert_array_equal(found, expected)


def test_summed_probabilities_are_streamed(tmp_path: Path) -> None:
    """Wherever chunks end, and across a file, to the last bit; each answer is that so far."""
    network = deployed(ENDINGS["summed probabilities"]())
    inputs = float_inputs(network, 3, STEPS)
    expected = simulate(network, check_data(network, inputs), get_engine("native")).logits
    stream = Stream(network, 3)
    assert stream.answers_at_end
    with pytest.raises(DataError, match="the answer is a sum over all steps; none came so far"):
        stream.answer()
    (first,) = stream.run([inputs[:, :7]])
    assert first.outputs is None
    assert first.answer is not None
    np.testing.assert_allclose(first.answer.sum(-1), 7)
    stream.save(tmp_path / "state")
    resumed = Stream.resume(network, tmp_path / "state")
    for start, stop in ((7, 8), (8, 8), (8, STEPS)):
        resumed.step(inputs[:, start:stop])
    np.testing.assert_array_equal(resumed.answer(), expected)
    stream._summed = np.full_like(expected, 8.0)
    stream.save(tmp_path / "state")
    with pytest.raises(DataError, match="not a state that this stream can have: summed"):
        Stream.resume(network, tmp_path / "state")
