"""One way to run: what every engine's session does, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import Limits, random_network, random_run

from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.network import Network


def drawn() -> tuple[Network, Run]:
    network = random_network(3)
    return network, random_run(network, 3, batch=3, steps=5)


def test_a_batch_is_one_step(backend: str) -> None:
    network, run = drawn()
    expected = run_whole(ReferenceEngine(), network, run)
    session = get_engine(backend).open(network, Watch(3, run.lengths, 5, trace=network.names))
    assert (session.steps, list(session.late)) == (0, [])
    with pytest.raises(DataError, match="no step of these sequences came yet"):
        session.finish()
    trace = session.step(run.inputs)
    assert session.steps == 5
    for name in network.names:
        np.testing.assert_array_equal(trace[name], expected.trace[name], err_msg=name)
    result = session.finish()
    np.testing.assert_array_equal(result.output, expected.output)
    assert result.trace == {}
    for name, messages in expected.messages.items():
        np.testing.assert_array_equal(result.messages[name], messages, err_msg=name)


def test_whole_sequences_come_at_once(backend: str) -> None:
    network, run = drawn()
    session = get_engine(backend).open(network, Watch(3, steps=5))
    with pytest.raises(DataError, match="need 3 whole sequences of 5 steps at once"):
        session.step(run.inputs[:, :2])
    session.step(run.inputs)
    with pytest.raises(DataError, match="all 5 steps of these sequences have come already"):
        session.step(run.inputs)


def test_without_lengths_all_steps_are_valid(backend: str) -> None:
    network, run = drawn()
    session = get_engine(backend).open(network, Watch(3, steps=5))
    session.step(run.inputs)
    expected = run_whole(ReferenceEngine(), network, Run(run.inputs, np.full(3, 5)))
    np.testing.assert_array_equal(session.finish().output, expected.output)


def test_whole_sequences_carry_no_state(backend: str) -> None:
    network, run = drawn()
    session = get_engine(backend).open(network, Watch(3, steps=5))
    session.step(run.inputs)
    with pytest.raises(ConfigError, match=f"whole sequences on the backend {backend} carry no st"):
        session.state()


@pytest.mark.parametrize("name", ["reference", "lava"])
def test_engines_that_run_no_streams(name: str) -> None:
    with pytest.raises(ConfigError, match=f"backend {name} runs whole sequences: streams"):
        get_engine(name).open(drawn()[0], Watch(3))


@pytest.mark.parametrize("recorded", [False, True])
def test_a_stream_gives_or_records(recorded: bool) -> None:
    network = next(
        n
        for n in (random_network(seed, Limits(causal=True)) for seed in range(100))
        if plan_network(n).closing and n.answer.steps == "one"
    )
    run = random_run(network, 0)
    samples, steps, _ = run.inputs.shape
    whole = run_whole(ReferenceEngine(), network, Run(run.inputs, run.lengths, network.names))
    found = {name: np.full_like(signal, -1) for name, signal in whole.trace.items()}

    def record(name: str, sample: int, step: int, part: np.ndarray) -> None:
        found[name][sample : sample + len(part), step : step + part.shape[1]] = part

    into = record if recorded else None
    watch = Watch(samples, run.lengths, trace=network.names, record=into)
    session = get_engine("native").open(network, watch)
    for step in range(steps):
        given = session.step(run.inputs[:, step : step + 1])
        assert bool(given) is not recorded
        for name, part in given.items():
            record(name, 0, step, part)
    end = session.finish()
    assert set(end.late) == set(session.late)
    for name, signal in end.late.items():
        record(name, 0, 0, signal(0, steps))
    for name in network.names:
        np.testing.assert_array_equal(found[name], whole.trace[name], err_msg=name)
    np.testing.assert_array_equal(end.output, whole.output)
