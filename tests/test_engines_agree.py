"""One suite, several engines: every integer equal, on networks that nobody chose by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import random_network, random_run

from snn_deploy.engines.native.engine import NativeEngine
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.native.session import NativeSession
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.ir.network import Network


def assert_same(network: Network, first: Result, second: Result) -> None:
    np.testing.assert_array_equal(first.output, second.output)
    assert first.trace.keys() == second.trace.keys()
    for name in first.trace:
        np.testing.assert_array_equal(first.trace[name], second.trace[name], err_msg=name)
    assert first.messages.keys() == second.messages.keys()
    for name in first.messages:
        np.testing.assert_array_equal(first.messages[name], second.messages[name], err_msg=name)
    clipped = [{k: n for k, n in r.saturated.items() if n} for r in (first, second)]
    assert clipped[0] == clipped[1]


@settings(max_examples=120)
@given(seed=st.integers(0, 2**31), traced=st.booleans())
def test_native_gives_the_reference_engine_s_bits(seed: int, traced: bool) -> None:
    network = random_network(seed)
    drawn = random_run(network, seed)
    run = Run(drawn.inputs, drawn.lengths, trace=network.names if traced else ())
    assert_same(network, ReferenceEngine().run(network, run), NativeEngine().run(network, run))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), data=st.data())
def test_a_stream_cut_anywhere_gives_the_same_bits(seed: int, data: st.DataObject) -> None:
    network = random_network(seed)
    run = random_run(network, seed)
    samples, steps, _ = run.inputs.shape
    plan = plan_network(network)
    assume(plan.causal and not plan.needs_length)
    session = NativeSession(network, samples, watched=[network.output.name])
    cuts = sorted(data.draw(st.lists(st.integers(0, steps), max_size=5)))
    parts = [
        session.step(run.inputs[:, a:b])[network.output.name]
        for a, b in zip([0, *cuts], [*cuts, steps], strict=True)
        if b > a
    ]
    whole = Run(run.inputs, np.full(samples, steps), trace=[network.output.name])
    expected = ReferenceEngine().run(network, whole)
    closing = session.finish()
    if network.output.name in closing.spoken:  # a pool, or what follows one, speaks at the end
        given_output = closing.spoken[network.output.name].answer
        speaks = expected.trace[network.output.name][:, -1]
        np.testing.assert_array_equal(given_output, speaks)
    else:
        signal = np.concatenate(parts, axis=1)
        np.testing.assert_array_equal(signal, expected.trace[network.output.name])


def test_progress_adds_up_to_one() -> None:
    network = random_network(3)
    drawn = random_run(network, 3)
    parts: list[float] = []
    NativeEngine().run(network, Run(drawn.inputs, drawn.lengths, progress=parts.append))
    assert sum(parts) == pytest.approx(1.0)
