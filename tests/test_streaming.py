"""Streams: chunks of any size, answers as they come, and state that can be put away."""

from __future__ import annotations

import dataclasses
import json
import os
import tracemalloc
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lowered import network as small_network
from lowered import synapses
from random_networks import Limits, random_network, random_run

import snn_deploy
from snn_deploy import examples
from snn_deploy.data.inputs import Data, vocabulary_of
from snn_deploy.data.recordings import open_recording
from snn_deploy.engines.native import session
from snn_deploy.engines.native import stream as native_stream
from snn_deploy.engines.native.assembly import assemble_integers
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.errors import ConfigError, DataError, NetworkError, OutputError, SnnDeployWarning
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.window import Window
from snn_deploy.run.answers import output_format
from snn_deploy.run.simulation import simulate
from snn_deploy.run.streaming import Stream

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


@pytest.fixture(scope="module")
def deployment() -> snn_deploy.Deployment:
    return snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz")


@pytest.fixture(scope="module")
def every_step(deployment: snn_deploy.Deployment) -> snn_deploy.Deployment:
    """The same without its pool and readout: the last layer's output, at every step."""
    late = plan_network(deployment.network).closing
    body = tuple(node for node in deployment.network if node not in late)
    network = dataclasses.replace(deployment.network, nodes=body, answers="all")
    return snn_deploy.Deployment(network, deployment.origin)


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    with np.load(EXAMPLE / "test.npz") as data:
        return np.asarray(data["inputs"][:3])


def streamable(seed: int, host: bool) -> Network:
    """Draw a causal network whose answer any stream can give, with a part for the host or not."""
    try:
        network = random_network(seed, Limits(causal=True, host=host))
    except NetworkError:
        assume(False)
        raise
    plan = plan_network(network)
    assume(not plan.needs_length)
    assume(not (network.answer.steps == "all" and network.output in plan.closing))
    assume(not network.answer.valid)
    return network


@settings(max_examples=60)
@given(seed=st.integers(0, 2**31), host=st.booleans(), data=st.data())
def test_a_stream_gives_what_whole_sequences_give(
    seed: int, host: bool, data: st.DataObject
) -> None:
    """Cut anywhere, put away and taken up anywhere, by either program."""
    network = streamable(seed, host)
    run = random_run(network, seed)
    real = run.inputs[..., 0]
    if vocabulary_of(network) is None:
        real = output_format(network, network.input.name).decode(run.inputs)
    steps = real.shape[1]
    assume(network.answer.length <= steps)
    expected = simulate(network, Data(real, None, run.lengths), ReferenceEngine(), network.names)
    stream = Stream(network, len(real), run.lengths, network.names)
    anywhere = st.lists(st.integers(0, steps), max_size=4).map(sorted)
    cuts = data.draw(anywhere | st.just([*range(1, steps)]))  # or single steps
    outputs = []
    for start, stop in pairwise([0, *cuts, steps]):
        outputs.append(stream.step(real[:, start:stop]))
        assert outputs[-1].first_step == start
        assert stream.steps == stop
        if data.draw(st.booleans()):
            stream = put_away(stream, network, exact=data.draw(st.booleans()))
    assert (network.output.name in stream.late_trace) == (outputs[0].outputs is None)
    for name in stream.trace:
        joined = np.concatenate([output.trace[name] for output in outputs], axis=1)
        np.testing.assert_array_equal(joined, expected.trace[name], err_msg=name)
    for name, signal in stream.result().late.items():
        np.testing.assert_array_equal(signal(0, steps), expected.trace[name], err_msg=name)
    assert set(stream.result().late) == set(stream.late_trace)
    if network.answer.steps == "all":
        joined = np.concatenate([output.outputs for output in outputs], axis=1)
        np.testing.assert_array_equal(joined, expected.logits)
    else:
        np.testing.assert_array_equal(stream.answer(), expected.logits)
    assert_same_counts(stream, expected)


@pytest.mark.parametrize("sizes", [[1] * 12, [2, 1, 3, 6], [0, 5, 0, 7], [12], [11, 1], [4, 8]])
@pytest.mark.parametrize("before", [1, 4, 15])
def test_an_encoder_that_looks_back(before: int, sizes: list[int]) -> None:
    """Chunks shorter than its window and longer, in one run and each from the last one's file."""
    network = behind_a_window(before)
    rng = np.random.default_rng(before)
    real = rng.normal(size=(3, sum(sizes), 2))
    lengths = np.full(3, sum(sizes))
    names = ("input", "encoder.window", "encoder", "layers.0.lif")
    expected = simulate(network, Data(real, None, lengths), ReferenceEngine(), names)
    assert expected.spike_counts["layers.0"].any()
    for stop in range(before, sum(sizes)):  # it does look back, to the very end of its window
        shown = expected.trace["input"][:, stop - before]
        np.testing.assert_array_equal(expected.trace["encoder.window"][:, stop, :2], shown)
    for saved in (False, True):
        stream = Stream(network, 3, trace=names)
        outputs = []
        for size in sizes:
            outputs.append(stream.step(real[:, stream.steps : stream.steps + size]))
            if saved:
                stream = put_away(stream, network, exact=False)
        for name in names:
            joined = np.concatenate([output.trace[name] for output in outputs], axis=1)
            np.testing.assert_array_equal(joined, expected.trace[name], err_msg=name)
        np.testing.assert_array_equal(stream.answer(), expected.logits)
        assert_same_counts(stream, expected)


def behind_a_window(before: int) -> Network:
    """A spiking layer and a readout behind a convolution that looks ``before`` steps back."""
    rng = np.random.default_rng(before)
    network = small_network(channels=5)
    entry = Input(name="input", output=Format(12, 8), channels=2)
    window = Window(
        name="encoder.window",
        inputs=(Edge("input"),),
        output=Format(12, 8),
        channels=2,
        before=before,
        after=0,
    )
    weight = rng.integers(-90, 91, (5, window.width))
    first = synapses("encoder.synapses", window.name, weight)
    network = dataclasses.replace(network, nodes=(entry, window, first, *network.nodes[2:]))
    verify_network(network)
    return network


def put_away(stream: Stream, network: Network, exact: bool) -> Stream:
    """Save a stream and take it up in another object."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        stream.save(Path(folder) / "state")
        if exact:
            patch.setattr(session, "assemble", assemble_integers)
        return Stream.resume(network, Path(folder) / "state", network.names)


def assert_same_counts(stream: Stream, expected: snn_deploy.Simulation) -> None:
    assert stream.saturated == expected.saturated
    assert stream.messages.keys() == expected.messages.keys()
    for name, messages in expected.messages.items():
        np.testing.assert_array_equal(stream.messages[name], messages, err_msg=name)
    for layer, spikes in expected.spike_counts.items():
        np.testing.assert_array_equal(stream.spike_counts[layer], spikes, err_msg=layer)


def test_a_classifier_answers_whenever_it_is_asked(
    deployment: snn_deploy.Deployment, inputs: np.ndarray
) -> None:
    stream = deployment.stream(len(inputs))
    for start, stop in pairwise([0, 1, 30, inputs.shape[1]]):
        assert stream.step(inputs[:, start:stop]).outputs is None
        np.testing.assert_array_equal(stream.answer(), deployment.simulate(inputs[:, :stop]).logits)


def test_chunks_from_an_iterator(
    deployment: snn_deploy.Deployment, every_step: snn_deploy.Deployment, inputs: np.ndarray
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield from np.array_split(inputs, 5, axis=1)

    *_, last = deployment.simulate_stream(chunks())
    np.testing.assert_array_equal(last.answer, deployment.simulate(inputs).logits)
    outputs = list(every_step.simulate_stream(chunks(), trace=["layers.0.lif"]))
    expected = every_step.simulate(inputs, trace=["layers.0.lif"])
    np.testing.assert_array_equal(
        np.concatenate([o.outputs for o in outputs], axis=1), expected.logits
    )
    np.testing.assert_array_equal(
        np.concatenate([o.trace["layers.0.lif"] for o in outputs], axis=1),
        expected.trace["layers.0.lif"],
    )
    assert list(deployment.simulate_stream([])) == []


def test_simulate_takes_an_iterator(
    deployment: snn_deploy.Deployment, every_step: snn_deploy.Deployment, inputs: np.ndarray
) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield from np.array_split(inputs, 5, axis=1)

    for one in (deployment, every_step):
        expected = one.simulate(inputs, [50, 64, 3], trace=one.network.names)
        given = one.simulate(chunks(), [50, 64, 3], trace=one.network.names)
        assert_same_simulation(given, expected)
        recorded = {name: np.full_like(signal, -1) for name, signal in expected.trace.items()}

        def record(
            name: str, sample: int, step: int, part: np.ndarray, into: Any = recorded
        ) -> None:
            into[name][sample : sample + len(part), step : step + part.shape[1]] = part

        names = one.network.names
        given = one.simulate(chunks(), [50, 64, 3], trace=names, record=record)
        assert given.trace == {}
        assert_same_simulation(dataclasses.replace(given, trace=recorded), expected)
    assert one.simulate(chunks()).trace == {}
    with pytest.raises(ConfigError, match="the backend reference runs whole sequences: streams"):
        deployment.simulate(chunks(), backend="reference")
    for nothing in (iter([]), iter([0.0])):
        with pytest.raises((DataError, ConfigError), match="at least one"):
            deployment.simulate(nothing)


def assert_same_simulation(given: snn_deploy.Simulation, expected: snn_deploy.Simulation) -> None:
    np.testing.assert_array_equal(given.logits, expected.logits)
    assert given.saturated == expected.saturated
    for one, other in (
        (given.trace, expected.trace),
        (given.messages, expected.messages),
        (given.spike_counts, expected.spike_counts),
    ):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_what_an_answer_needs(
    deployment: snn_deploy.Deployment, every_step: snn_deploy.Deployment, inputs: np.ndarray
) -> None:
    with pytest.raises(DataError, match="the answer is that of 1 steps; only 0 came so far"):
        deployment.stream().answer()
    with pytest.raises(ConfigError, match="every step is this network's answer"):
        every_step.stream().answer()
    network = every_step.network.answering(steps=7)
    stream = Stream(network, len(inputs))
    stream.step(inputs[:, :5])
    with pytest.raises(DataError, match="the answer is that of 7 steps; only 5 came so far"):
        stream.answer()
    stream.step(inputs[:, 5:9])
    np.testing.assert_array_equal(stream.answer(), every_step.simulate(inputs[:, :9]).logits[:, 2:])


def test_no_stream(deployment: snn_deploy.Deployment) -> None:
    backwards = next(
        network for network in map(random_network, range(100)) if not plan_network(network).causal
    )
    with pytest.raises(ConfigError, match="cannot run as a stream: it reads its sequence from"):
        Stream(backwards)
    pooled = deployment.network.answering(steps="all")
    with pytest.raises(ConfigError, match="it pools its sequence, and yet every step is its"):
        Stream(pooled)


def test_chunks_are_checked(deployment: snn_deploy.Deployment, inputs: np.ndarray) -> None:
    stream = deployment.stream(2)
    stream.step(inputs[:2, :10])
    with pytest.raises(DataError, match="steps from 10: 3 sequences; this stream has 2"):
        stream.step(inputs[:, 10:])
    with pytest.raises(DataError, match=r"steps from 10: shape \(2, 5, 3\); this network takes"):
        stream.step(np.zeros((2, 5, 3), np.float32))
    with pytest.raises(DataError, match="steps from 10: 10 values are NaN"):
        stream.step(np.full((2, 5, 1), np.nan, np.float32))
    assert stream.steps == 10
    with pytest.raises(ConfigError, match="whole number of sequences, at least one, not 0"):
        deployment.stream(0)
    with pytest.raises(ConfigError, match="no node 'nothing' to trace"):
        deployment.stream(trace=["nothing"])
    for lengths in ([1], [0, 1], [1.0, 2.0]):
        with pytest.raises(DataError, match="need a number of steps of at least 1"):
            deployment.stream(2, lengths=lengths)


def test_clipped_inputs_are_counted_and_warned_of_once(
    deployment: snn_deploy.Deployment,
) -> None:
    beyond = np.full((1, 4, 1), 1e6, np.float32)
    stream = deployment.stream()
    with pytest.warns(SnnDeployWarning, match=r"4 of 4 input values lie outside ±") as caught:
        stream.step(beyond)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream.step(beyond)
    assert stream.saturated["input"] == 8


def test_a_pool_cannot_sum_forever(
    deployment: snn_deploy.Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_stream, "MAX_POOLED_STEPS", 100)
    stream = deployment.stream()
    stream.step(np.zeros((1, 99, 1), np.float32))
    with pytest.raises(DataError, match=r"step 99: node '.*' sums fewer than 100 steps"):
        stream.step(np.zeros((1, 1, 1), np.float32))


def test_memory_does_not_grow_with_the_stream(every_step: snn_deploy.Deployment) -> None:
    stream = every_step.stream(trace=["layers.0.lif"])
    chunk = np.zeros((1, 500, 1), np.float32)
    stream.step(chunk)
    tracemalloc.start()
    stream.step(chunk)
    once = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        stream.step(chunk)
    assert tracemalloc.get_traced_memory()[0] < once + 10_000
    tracemalloc.stop()


# --- state in a file


@pytest.fixture
def saved(deployment: snn_deploy.Deployment, inputs: np.ndarray, tmp_path: Path) -> Path:
    stream = deployment.stream(len(inputs), lengths=[50, 64, 3])
    stream.step(inputs[:, :20])
    stream.save(tmp_path / "state")
    return tmp_path / "state"


def test_a_saved_stream_goes_on(
    deployment: snn_deploy.Deployment, inputs: np.ndarray, saved: Path, tmp_path: Path
) -> None:
    stream = deployment.resume(saved)
    stream.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()
    assert (stream.steps, stream.samples) == (20, 3)
    stream.step(inputs[:, 20:])
    expected = deployment.simulate(inputs, [50, 64, 3])
    np.testing.assert_array_equal(stream.answer(), expected.logits)
    assert_same_counts(stream, expected)


def test_another_deployment_s_state_is_refused(
    every_step: snn_deploy.Deployment, saved: Path
) -> None:
    with pytest.raises(DataError, match="the state of a stream through another network"):
        every_step.resume(saved)


def test_the_profile_s_settings_do_not_matter(
    deployment: snn_deploy.Deployment, saved: Path, tmp_path: Path
) -> None:
    deployment.with_profile_settings({"energy.ac_pj": 20}).save(tmp_path / "d.safetensors")
    loaded = snn_deploy.load(tmp_path / "d.safetensors")
    assert network_digest(loaded.network) == network_digest(deployment.network)
    assert loaded.resume(saved).steps == 20


def test_any_changed_byte_is_refused(deployment: snn_deploy.Deployment, saved: Path) -> None:
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    for place in [*range(0, 2000, 41), *rng.integers(0, len(content), 40)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        with pytest.raises(DataError, match=r"not a stream's state, or damaged|SHA-256 does not"):
            deployment.resume(saved)


def test_files_that_are_no_state(
    deployment: snn_deploy.Deployment, saved: Path, tmp_path: Path
) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:-1])
    with pytest.raises(DataError, match="not a stream's state, or damaged"):
        deployment.resume(saved)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        deployment.resume(tmp_path / "nothing")
    deployment.save(tmp_path / "d.safetensors")
    with pytest.raises(DataError, match="not a stream's state"):
        deployment.resume(tmp_path / "d.safetensors")


def test_a_newer_state_is_named(
    deployment: snn_deploy.Deployment, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_deploy.io import stream_state

    monkeypatch.setattr(stream_state, "SCHEMA_VERSION", 2)
    with pytest.raises(DataError, match="schema version 1; this snn-deploy reads version 2"):
        deployment.resume(saved)


def test_nothing_is_left_where_a_state_cannot_be_written(
    deployment: snn_deploy.Deployment, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        deployment.stream().save(tmp_path / "nowhere" / "state")
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == "[]"


def test_a_recording_that_is_cut_short_meanwhile(
    deployment: snn_deploy.Deployment, tmp_path: Path, inputs: np.ndarray
) -> None:
    """Read, not mapped: a page that is gone is an error, and no SIGBUS."""
    path = tmp_path / "long.npy"
    np.save(path, np.repeat(inputs, 200, axis=1))
    chunks = open_recording(path, deployment.network).chunks(64)
    next(chunks)
    os.truncate(path, 4096)
    with pytest.raises(DataError, match=r"long\.npy was changed while it was read: run again"):
        next(chunks)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_recording_is_read_as_numpy_would_slice_it(tmp_path: Path, order: Any) -> None:
    from snn_deploy.io.array_file import ArrayFile

    array = np.arange(5 * 7 * 3).reshape(5, 7, 3).astype(np.float32, order=order)
    np.save(tmp_path / "a.npy", array)
    stored = ArrayFile(tmp_path / "a.npy")
    rows: list[Any] = [slice(None), slice(1, 3), slice(0, 5, 2), np.array([4, 0, 4]), slice(2, 2)]
    for chosen in rows:
        np.testing.assert_array_equal(stored[chosen], array[chosen])
        np.testing.assert_array_equal(stored[chosen, 2:5], array[chosen, 2:5])
        np.testing.assert_array_equal(stored[chosen, 6:99], array[chosen, 6:99])
