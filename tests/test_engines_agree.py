"""One suite, several engines: every integer equal, on networks that nobody chose by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import Limits, random_network, random_run
from same_results import assert_same_results

import snn_deploy
from snn_deploy.data.inputs import load_data
from snn_deploy.engines.native import NativeEngine, NativeSession, flow, session
from snn_deploy.engines.native.abi import KINDS
from snn_deploy.engines.native.assembly import assemble, assemble_integers
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import encode_inputs

# as wide as a 64-bit reference can take; doubles cannot
WIDE = Limits(bits=34, state_bits=38, coefficient_bits=20)
CAUSAL = Limits(causal=True)
HOST = Limits(host=True)

seeds = st.integers(0, 2**31)


def drawn_network(seed: int, limits: Limits | None = None) -> Network:
    """Draw a network; a few seeds give one that the verifier refuses."""
    try:
        return random_network(seed, limits)
    except NetworkError:
        assume(False)
        raise


@settings(max_examples=150)
@given(seed=seeds, traced=st.booleans(), limits=st.sampled_from((Limits(), HOST)))
def test_native_equals_reference(seed: int, traced: bool, limits: Limits) -> None:
    network = drawn_network(seed, limits)
    run = random_run(network, seed)
    run = dataclasses.replace(run, trace=network.names if traced else ())
    assert_same_results(
        run_whole(ReferenceEngine(), network, run), run_whole(NativeEngine(), network, run)
    )


@settings(max_examples=100)
@given(
    seed=seeds,
    chunk=st.integers(1, 9),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
    quick=st.booleans(),
    traced=st.booleans(),
    limits=st.sampled_from((Limits(), HOST)),
)
def test_chunks_and_tiles_of_any_size(
    seed: int,
    chunk: int,
    sizes: tuple[int, int, int],
    quick: bool,
    traced: bool,
    limits: Limits,
) -> None:
    """Of time and samples, and on any number of cores."""
    samples, rows, cores = sizes
    network = drawn_network(seed, limits)
    run = random_run(network, seed)
    run = dataclasses.replace(run, trace=network.names if traced else ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "MIN_STEPS", 1)
        patch.setattr(session, "MAX_STEPS", chunk)
        patch.setattr(session, "CHUNK_STEPS", 2 * chunk + 1)  # two blocks, and a bit
        patch.setattr(session, "CHUNK_ROWS", 1)
        patch.setattr(session, "TILE_SAMPLES", samples)
        patch.setattr(session, "WORTH_SHARING", 0)
        patch.setattr(session, "thread_count", lambda: cores)
        patch.setattr(flow, "TILE_CACHE", 0)
        patch.setattr(flow, "MIN_TILE", rows)
        if not quick:
            patch.setattr(session, "assemble", assemble_integers)
        native = run_whole(NativeEngine(), network, run)
    assert_same_results(run_whole(ReferenceEngine(), network, run), native)


@settings(max_examples=60)
@given(seed=seeds)
def test_numbers_too_wide_for_doubles(seed: int) -> None:
    network = drawn_network(seed, WIDE)
    run = random_run(network, seed)
    assert_same_results(
        run_whole(ReferenceEngine(), network, run), run_whole(NativeEngine(), network, run)
    )


def test_kernels_and_programs_are_drawn() -> None:
    """The suite above means little if all networks run on kernels, or on their programs."""
    chosen = {"kernels alone": 0, "programs, too": 0}
    for seed, limits in product(range(30), (Limits(), WIDE)):
        try:
            network = random_network(seed, limits)
        except NetworkError:
            continue
        sweeps = assemble(plan_network(network), frozenset()).sweeps
        programs = any((sweep.operations["kind"] == KINDS["program"]).any() for sweep in sweeps)
        chosen["programs, too" if programs else "kernels alone"] += 1
    assert min(chosen.values()) >= 5


@settings(max_examples=60)
@given(seed=seeds, host=st.booleans(), data=st.data())
def test_a_stream_cut_anywhere(seed: int, host: bool, data: st.DataObject) -> None:
    network = drawn_network(seed, dataclasses.replace(CAUSAL, host=host))
    assume(not plan_network(network).needs_length)
    run = random_run(network, seed)
    samples, steps, _ = run.inputs.shape
    stream = NativeSession(network, Watch(samples, run.lengths, trace=network.names))
    cuts = sorted(data.draw(st.lists(st.integers(0, steps), max_size=5)))
    edges = [0, *cuts, steps]
    parts = [stream.step(run.inputs[:, a:b]) for a, b in pairwise(edges)]
    end = stream.finish()
    expected = run_whole(ReferenceEngine(), network, run)
    assert set(end.late) == set(stream.late)
    for name in network.names:
        signal = end.late[name](0, steps) if name in end.late else _joined(parts, name)
        np.testing.assert_array_equal(signal, expected.trace[name], err_msg=name)
    for name, messages in expected.messages.items():
        np.testing.assert_array_equal(end.messages[name], messages, err_msg=name)
    assert end.saturated == expected.saturated
    if (
        network.answer.steps != "all"
        and not network.answer.valid
        and network.answer.length <= steps
    ):
        np.testing.assert_array_equal(end.output, expected.output)


@settings(max_examples=60)
@given(seed=seeds, data=st.data())
def test_a_stream_carried_on_elsewhere(seed: int, data: st.DataObject) -> None:
    """At each cut the stream moves to a new session, of either program and other tiles."""
    network = drawn_network(seed, CAUSAL)
    assume(not plan_network(network).needs_length)
    run = random_run(network, seed)
    samples, steps, _ = run.inputs.shape
    whole = NativeSession(network, Watch(samples, run.lengths))
    stream = NativeSession(network, Watch(samples, run.lengths))
    cuts = sorted(data.draw(st.lists(st.integers(0, steps), min_size=1, max_size=3)))
    for start, stop in pairwise([0, *cuts, steps]):
        whole.step(run.inputs[:, start:stop])
        stream.step(run.inputs[:, start:stop])
        assert_same_moment(whole, stream)
        before = stream.state()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "TILE_SAMPLES", data.draw(st.integers(1, 5)))
            if data.draw(st.booleans()):
                patch.setattr(session, "assemble", assemble_integers)
            stream = NativeSession(network, Watch(samples, run.lengths))
        stream.restore(before)
        assert_same_moment(whole, stream)


def assert_same_moment(first: NativeSession, second: NativeSession) -> None:
    one, other = first.state(), second.state()
    assert one.arrays.keys() == other.arrays.keys()
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], other.arrays[name], err_msg=name)
    assert +Counter(one.saturated) == +Counter(other.saturated)
    assert one.steps == other.steps
    if first.steps:
        np.testing.assert_array_equal(first.finish().output, second.finish().output)


def _joined(parts: list[dict[str, np.ndarray]], name: str) -> np.ndarray:
    return np.concatenate([part[name] for part in parts], axis=1)


@pytest.mark.parametrize("name", ["seqdigits_uni", "seqdigits_bi"])
def test_real_networks(name: str, shared: Path, backend: str) -> None:
    if backend == "lava":
        pytest.skip("test_lava.py runs real networks, for fewer steps")
    folder = shared / "checkpoints" / name
    network = snn_deploy.convert(folder / f"{name}.ckpt", calibration=folder / "train.npz").network
    data = load_data(folder / "test.npz", network).first(5)
    run = Run(encode_inputs(network, data), data.lengths, trace=network.names)
    assert_same_results(
        run_whole(ReferenceEngine(), network, run), run_whole(get_engine(backend), network, run)
    )
    assert not assemble(plan_network(network), frozenset()).integers  # the fast program takes it
