"""Dendrites at the edges of their formats, in floats, doubles and 64-bit integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_dendrites import edge_dendrite, edge_run
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snn_deploy.engines.native import NativeEngine, NativeSession, library
from snn_deploy.engines.native.dendrite_layout import lay_out
from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.network import Network

seeds = st.integers(0, 2**31)


@settings(max_examples=60)
@given(seed=seeds, chunk=st.integers(1, 70))
def test_native_equals_reference(seed: int, chunk: int) -> None:
    network = edge_dendrite(seed)
    assume(network is not None)
    assert network is not None
    run = edge_run(network, seed)
    expected, given = (run_whole(e, network, run) for e in (ReferenceEngine(), NativeEngine()))
    drive = expected.trace["dendrite"]
    np.testing.assert_array_equal(given.trace["dendrite"], drive)
    assert given.saturated == expected.saturated
    if network["dendrite"].reversed_time:  # type: ignore[attr-defined]  # lowered stage
        return
    watch = Watch(len(run.inputs), trace=("dendrite",))
    session = NativeSession(network, watch)
    for start in range(0, run.inputs.shape[1], chunk):
        part = slice(start, start + chunk)
        step = session.step(run.inputs[:, part])
        np.testing.assert_array_equal(step["dendrite"], drive[:, part])
        state = session.state()
        session = NativeSession(network, watch)
        session.restore(state)


def numbers_of(network: Network) -> str:
    node: Any = network["dendrite"]
    bounds = bound_network(network)
    try:
        layout = lay_out(node, bounds["input"].output, bounds["dendrite"])
    except NotExactError:
        return "integers"
    return str(layout.numbers.dtype)


@pytest.mark.skipif(not library.lanes_of_doubles(), reason="this CPU has no such vectors")
def test_what_is_drawn_takes_all_three() -> None:
    """The suite above means little if floats, doubles and integers are not all among it."""
    networks = [network for seed in range(200) if (network := edge_dendrite(seed)) is not None]
    drawn = [numbers_of(network) for network in networks]
    backwards = sum(network["dendrite"].runs_backwards for network in networks)  # type: ignore[misc]
    assert min(drawn.count(kind) for kind in ("float32", "float64")) >= 20
    assert drawn.count("integers") >= 5
    once = [network["dendrite"].bank.rounds_once for network in networks]  # type: ignore[attr-defined]
    among = [kind for kind, rounds in zip(drawn, once, strict=True) if rounds]
    assert among.count("float64") >= 10
    assert among.count("integers") >= 3
    assert "float32" not in among
    assert 20 <= backwards <= len(networks) - 20
