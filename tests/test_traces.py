"""Traces on disk: the same signals in every form, chosen nodes and steps, nothing left behind."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import Limits, random_network, random_run

from snn_deploy.engines.native import NativeEngine, session
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError, DataError, NetworkError, OutputError
from snn_deploy.io.npz import Spool, write_npz
from snn_deploy.ir.formats import SPIKE, Format
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.traces import TraceWriter, choose_nodes, choose_steps, read_trace
from snn_deploy.traces.writer import Signal, narrowest


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    chunk=st.integers(1, 9),
    events=st.booleans(),
    start=st.integers(0, 3),
    every=st.integers(1, 4),
)
def test_a_trace_is_what_the_result_would_hold(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    chunk: int,
    events: bool,
    start: int,
    every: int,
) -> None:
    try:
        network = random_network(seed, Limits(host=seed % 2 == 1))
    except NetworkError:
        assume(False)
    run = random_run(network, seed)
    samples, steps, _ = run.inputs.shape
    expected = run_whole(
        NativeEngine(), network, dataclasses.replace(run, trace=network.names)
    ).trace
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    chosen = range(min(start, steps - 1), steps, every)
    signals = {node.name: Signal.of(node) for node in network}
    with pytest.MonkeyPatch.context() as patch, write_npz(path) as npz:
        patch.setattr(session, "MIN_STEPS", 1)
        patch.setattr(session, "MAX_STEPS", chunk)
        form = "events" if events else "dense"
        complete = chosen == range(steps)
        writer = TraceWriter(npz, signals, samples, chosen, form, complete)
        recording = dataclasses.replace(run, trace=network.names, record=writer.record)
        assert run_whole(NativeEngine(), network, recording).trace == {}
    trace = read_trace(path)
    assert sorted(trace) == sorted(network.names)
    np.testing.assert_array_equal(trace.steps, chosen)
    for name in network.names:
        wanted = expected[name][:, chosen.start :: every]
        np.testing.assert_array_equal(trace[name], wanted, err_msg=name)
    for soma in network.of_kind(LifSoma):
        given_events, wanted = (
            trace.events(soma.name),
            expected[soma.name][:, chosen.start :: every],
        )
        for sample in range(samples):
            at, neurons = np.nonzero(wanted[sample])
            own_steps, own_neurons = given_events.of(sample)
            np.testing.assert_array_equal(own_steps, np.asarray(chosen)[at])
            np.testing.assert_array_equal(own_neurons, neurons)


def test_every_engine_records(backend: str, tmp_path: Path) -> None:
    network = random_network(3)
    run = random_run(network, 3, batch=3, steps=5)
    expected = run_whole(
        NativeEngine(), network, dataclasses.replace(run, trace=network.names)
    ).trace
    with write_npz(tmp_path / "trace.npz") as npz:
        signals = {node.name: Signal.of(node) for node in network}
        writer = TraceWriter(npz, signals, 3, range(5))
        recording = dataclasses.replace(run, trace=network.names, record=writer.record)
        assert run_whole(get_engine(backend), network, recording).trace == {}
    with np.load(tmp_path / "trace.npz") as written:  # the plain contract
        assert sorted(written.files) == sorted(network.names)
        for name, signal in expected.items():
            np.testing.assert_array_equal(written[name], signal, err_msg=name)


def test_the_narrowest_type() -> None:
    assert narrowest(SPIKE) == np.uint8
    assert narrowest(Format(8, 0, signed=False)) == np.uint8
    for bits, name in ((2, "int8"), (8, "int8"), (9, "int16"), (16, "int16"), (18, "int32")):
        form = Format(bits, 0)
        assert narrowest(form) == np.dtype(name)
        assert narrowest(form).type(-form.limit) == -form.limit
    assert narrowest(Format(34, 0)) == np.int64


def test_parts_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spikes = rng.random((5, 20, 300)) < 0.1
    parts = [(b, t) for b in (slice(0, 2), slice(2, 5)) for t in pairwise([0, 7, 8, 20])]
    for form in ("dense", "events"):
        with write_npz(tmp_path / "t.npz") as npz:
            signals = {"lif": Signal(300, np.dtype(np.uint8), spikes=True)}
            writer = TraceWriter(npz, signals, 5, range(20), form)  # type: ignore[arg-type]
            for index in rng.permutation(len(parts)):
                rows, (start, stop) = parts[index]
                writer.record("lif", rows.start, start, spikes[rows, start:stop])
        np.testing.assert_array_equal(read_trace(tmp_path / "t.npz")["lif"], spikes)
    with np.load(tmp_path / "t.npz") as lists:
        assert lists["lif/neurons"].dtype == np.uint16
        assert lists["lif/steps"].dtype == np.uint8
        assert lists["lif/offsets"][-1] == spikes.sum()


def test_a_signal_without_a_spike(tmp_path: Path) -> None:
    with write_npz(tmp_path / "t.npz") as npz:
        signals = {"lif": Signal(3, np.dtype(np.uint8), spikes=True)}
        writer = TraceWriter(npz, signals, 2, range(4), "events")
        writer.record("lif", 0, 0, np.zeros((2, 4, 3), np.int64))
    trace = read_trace(tmp_path / "t.npz")
    assert trace["lif"].shape == (2, 4, 3)
    assert not trace["lif"].any()
    assert len(trace.events("lif").steps) == 0


def test_graded_signals_are_no_events(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", ssm=np.array([[[3]]]))
    with pytest.raises(DataError, match="the signal of node 'ssm' is not spikes"):
        read_trace(tmp_path / "t.npz").events("ssm")
    with pytest.raises(KeyError):
        read_trace(tmp_path / "t.npz")["other"]
    (tmp_path / "t.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"t\.npz: not a readable TRACE\.npz"):
        read_trace(tmp_path / "t.npz")


def test_which_nodes() -> None:
    names = ("input", "layers.0.lif", "layers.0.ssm", "layers.1.lif")
    assert choose_nodes(names, ["*.lif"]) == ("layers.0.lif", "layers.1.lif")
    assert choose_nodes(names, ["layers.0.ssm", "input"]) == ("input", "layers.0.ssm")
    with pytest.raises(ConfigError, match=r"no node 'layers\.2\*' to trace; there are: input, "):
        choose_nodes(names, ["input", "layers.2*"])


@pytest.mark.parametrize("start", [None, 0, 3, 8])
@pytest.mark.parametrize("stop", [None, 9, 12, 99])
@pytest.mark.parametrize("every", [None, 1, 4])
def test_which_steps(start: int | None, stop: int | None, every: int | None) -> None:
    steps = slice(start, stop, every)
    wanted = [t for t in range(20)[steps] if 5 <= t < 15]
    assert list(choose_steps(steps, 5, 15)) == wanted


@pytest.mark.parametrize("steps", [slice(3, 3), slice(20, None), slice(0, 5), slice(None, 9, 0)])
def test_no_steps(steps: slice) -> None:
    with pytest.raises(ConfigError, match=r"steps .*: (none of them is among|count from 0)"):
        choose_steps(steps, 5, 15)


def half_written(path: Path, then: Exception | None) -> None:
    with write_npz(path) as npz:
        npz.spool("x", (1, 2, 3), np.int8).write(0, 0, np.ones((1, 1, 3)))
        if then:
            raise then


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        half_written(tmp_path / "t.npz", DataError())
    with pytest.raises(RuntimeError, match=r"3 values of .* were never written"):
        half_written(tmp_path / "t.npz", None)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with Path("/dev/full").open("r+b", buffering=0) as file:
        spool = Spool(file, tmp_path / "t.npz", (1, 2, 3), np.dtype(np.int8))
        with pytest.raises(OutputError, match=r"cannot write .*t\.npz: No space left"):
            spool.write(0, 0, np.ones((1, 1, 3)))
