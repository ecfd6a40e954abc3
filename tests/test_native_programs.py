"""Kinds of neuron for which the native engine has no kernel run on their programs, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from make_compiled import HEADER, steps, written
from networks import INTEGER_KINDS, around, extreme_inputs
from same_results import assert_same_results

from snn_deploy.engines.native import NativeEngine, abi, flow, session
from snn_deploy.engines.native.assembly import assemble, assemble_integers
from snn_deploy.engines.native.library import compiled_steps, lanes_of_doubles
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.io.stream_state import StreamState, read_state, write_state
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.passes.balance_delays import BalanceDelays

KINDS = [kind for kind in INTEGER_KINDS if kind.lowered]  # type: ignore[attr-defined]
NETWORKS, STEPS = 12, 16


def networks(kind: type[Node]) -> Iterator[tuple[Network, Run]]:
    """Give random nodes of a kind, each behind an input, and extreme inputs for it."""
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        network = around(kind, rng)
        network = BalanceDelays()(replace(network, stage="integer"))
        inputs = extreme_inputs(network, rng, steps=STEPS)
        lengths = rng.integers(1, STEPS + 1, len(inputs))
        yield network, Run(inputs, lengths, network.names)


@pytest.mark.parametrize("chunk", [1, 5, 64])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_runs_on_native(
    kind: type[Node], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its signals in doubles, mostly, and in integers, always."""
    monkeypatch.setattr(session, "MIN_STEPS", 1)
    monkeypatch.setattr(session, "MAX_STEPS", chunk)
    monkeypatch.setattr(flow, "TILE_CACHE", 0)
    compiled = 0
    for network, run in networks(kind):
        expected = run_whole(ReferenceEngine(), network, run)
        assert_same_results(run_whole(NativeEngine(), network, run), expected)
        compiled += not assemble(plan_network(network), frozenset(network.names)).integers
        with monkeypatch.context() as patch:
            patch.setattr(session, "assemble", assemble_integers)
            assert_same_results(run_whole(NativeEngine(), network, run), expected)
    assert compiled >= 4


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_stream_of_every_kind_goes_on_elsewhere(kind: type[Node]) -> None:
    """Cut anywhere, each part in a session of its own, that goes on from the state before."""
    for network, run in networks(kind):
        plan = plan_network(network)
        if plan.causal and not plan.host.after:
            assert_streams(network, run)


def test_steps_that_are_compiled_are_those_of_the_kinds() -> None:
    """After a change of a program: ``tests/make_compiled.py``."""
    assert HEADER.read_text() == written()


@pytest.mark.skipif(not lanes_of_doubles(), reason="no vectors, and no compiled steps")
def test_kinds_run_on_compiled_steps() -> None:
    """What reduces a layer or its modes is interpreted."""
    ran = {kind for kind in KINDS for network, _ in networks(kind) if compiled_texts(network)}
    assert len(ran) >= 16, ran


@pytest.mark.skipif(not lanes_of_doubles(), reason="no vectors, and no compiled steps")
def test_products_of_two_doubles() -> None:
    """Of more bits than a double has, halves and what lies beside them among them."""
    rng = np.random.default_rng(0)
    mantissa = np.append(rng.integers(-(2**23), 2**23, 28), [1, -1, 2**23 - 1, 1 - 2**23])
    rescale = Rescale(
        mantissa=mantissa.astype(np.int32),
        shift=np.append(rng.integers(36, 45, 28), [15, 15, 40, 40]).astype(np.int8),
        bias=np.zeros(32, np.int32),
        bits=24,
    )
    node = Requantize(
        name="node",
        inputs=(Edge("input"), Edge("input")),
        output=Format(24, 0),
        channels=32,
        rescale=rescale,
        align=np.full((2, 32), 13, np.int8),
    )
    network = Network("lowered", (Input(name="input", output=Format(24, 0), channels=32), node))
    inputs = rng.integers(1 - 2**23, 2**23, (2, 2000, 32))
    run = Run(inputs, None, network.names)
    assert any("wide_product" in text for text in compiled_texts(network))
    assert_same_results(
        run_whole(NativeEngine(), network, run), run_whole(ReferenceEngine(), network, run)
    )


def compiled_texts(network: Network) -> list[str]:
    """Give the texts of the compiled steps that a network runs on."""
    names, texts = list(compiled_steps()), []
    for sweep in assemble(plan_network(network), frozenset(network.names)).sweeps:
        numbers = sweep.operations["third"][sweep.operations["kind"] == abi.KINDS["compiled"]]
        texts += [steps()[names[number]][1].text for number in numbers]
    return texts


def assert_streams(network: Network, run: Run) -> None:
    """Compare a stream, cut anywhere and carried from session to session, with the reference."""
    watch = Watch(len(run.inputs), run.lengths, trace=network.names)
    stream = NativeEngine().open(network, watch)
    parts = []
    for start, stop in pairwise([0, 1, 4, 4, run.inputs.shape[1]]):
        parts.append(stream.step(run.inputs[:, start:stop]))
        before = stream.state()
        stream = NativeEngine().open(network, watch)
        stream.restore(before)
    given, expected = stream.finish(), run_whole(ReferenceEngine(), network, run)
    for name in network.names:
        late = name in stream.late
        signal = (
            given.late[name](0, stop) if late else np.concatenate([part[name] for part in parts], 1)
        )
        np.testing.assert_array_equal(signal, expected.trace[name], err_msg=name)
    assert given.messages.keys() == expected.messages.keys()
    for name, messages in expected.messages.items():
        np.testing.assert_array_equal(given.messages[name], messages, err_msg=name)
    assert given.saturated == expected.saturated


def test_a_stream_that_draws_is_put_away(tmp_path: Path) -> None:
    """Its words are patterns of bits: half of them are beyond what a signed word holds."""
    path = tmp_path / "state"
    for network, run in networks(DrawnSoma):
        stream = NativeEngine().open(network, Watch(len(run.inputs)))
        stream.step(run.inputs)
        write_state(path, network, StreamState(stream.state(), None, {network.input.name: 0}))
        state = read_state(path, network, NativeEngine()).snapshot.arrays
        np.testing.assert_array_equal(state["node/random"], stream.state().arrays["node/random"])
