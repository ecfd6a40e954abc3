"""Edges that read earlier steps, and loops of them, on the native engine: random networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lava_networks import loops, past_of_both_directions
from random_loops import looped
from random_networks import Limits, random_run
from same_results import assert_same_results
from test_native_programs import assert_streams

from snn_deploy.engines.native import NativeEngine, session
from snn_deploy.engines.native.assembly import assemble_integers
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import plan_sweeps

seeds = st.integers(0, 2**31)


@settings(max_examples=100)
@given(seed=seeds, chunk=st.integers(1, 9), exactly=st.booleans())
def test_native_equals_reference(seed: int, chunk: int, exactly: bool) -> None:
    network = looped(seed)
    assume(network is not None)
    assert network is not None
    run = random_run(network, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "MIN_STEPS", 1)
        patch.setattr(session, "MAX_STEPS", chunk)
        if exactly:
            patch.setattr(session, "assemble", assemble_integers)
        given = run_whole(NativeEngine(), network, run)
    assert_same_results(run_whole(ReferenceEngine(), network, run), given)


@pytest.mark.parametrize("make", [loops, past_of_both_directions])
def test_loops_of_every_length(make: Callable[[], Network]) -> None:
    network = make()
    rng = np.random.default_rng(0)
    inputs = rng.integers(-2047, 2048, (3, 40, network.input.width))
    run = Run(inputs, np.array([40, 1, 17]), network.names)
    assert_same_results(
        run_whole(ReferenceEngine(), network, run), run_whole(NativeEngine(), network, run)
    )


@settings(max_examples=60)
@given(seed=seeds)
def test_a_stream_goes_on_elsewhere(seed: int) -> None:
    network = looped(seed, Limits(causal=True))
    assume(network is not None)
    assert network is not None
    plan = plan_network(network)
    assume(plan.causal and not plan.needs_length)
    assert_streams(network, random_run(network, seed, steps=33))


def test_what_is_drawn_has_loops_and_sweeps() -> None:
    """The suite above means little if its networks have neither."""
    drawn = [network for seed in range(80) if (network := looped(seed)) is not None]
    recurrent = [any(is_recurrent(g) and len(g) > 1 for g in groups(n)) for n in drawn]
    assert len(drawn) >= 40
    assert sum(recurrent) >= 15
    assert sum(len(plan_sweeps(network)) > 1 for network in drawn) >= 10
