"""Every way to end a network: the same integers on all engines, and the float network's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from head_networks import ENDINGS, STEPS, WIDTH, cumulative, deployed, dss, ending, pool, readout
from networks import float_inputs

from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import DataError, UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import Simulation, simulate

LAVA = ("running sum, last 5 of the valid", "sum of the valid", "retrieval")


def some_data(network: Network, batch: int = 6, steps: int = STEPS) -> Data:
    lengths = np.linspace(5, steps, batch).astype(np.int64)
    return check_data(network, float_inputs(network, batch, steps, seed=9), lengths=lengths)


def run(network: Network, data: Data, backend: str = "native") -> Simulation:
    return simulate(network, data, get_engine(backend), network.names)


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_on_every_engine(name: str, backend: str) -> None:
    if backend == "lava" and name not in LAVA:
        pytest.skip("takes seconds; the endings that it runs have every kind of node")
    network = deployed(ENDINGS[name]())
    data = some_data(network, batch=2 if backend == "lava" else 6)
    found, expected = run(network, data, backend), run(network, data, "reference")
    np.testing.assert_array_equal(found.answer, expected.answer)
    np.testing.assert_array_equal(found.logits, expected.logits)
    for node in network.names:
        np.testing.assert_array_equal(found.trace[node], expected.trace[node], err_msg=node)
    if backend != "lava":
        assert found.saturated == expected.saturated


@pytest.mark.parametrize("name", ENDINGS)
def test_what_is_not_traced_changes_no_answer(name: str) -> None:
    network = deployed(ENDINGS[name]())
    data = some_data(network)
    silent = simulate(network, data, get_engine("native"))
    np.testing.assert_array_equal(silent.answer, run(network, data).answer)


@pytest.mark.parametrize("name", ENDINGS)
def test_answers_are_the_float_networks_but_for_rounding(name: str) -> None:
    """With the float network's own spikes next to nothing but rounding is left."""
    source = ENDINGS[name]()
    network = deployed(source)
    data = some_data(network)
    exact = run_float(source, data.inputs, data.lengths, record=["layers.0.lif"])
    found = run(network, data)
    assert found.logits.shape == exact.logits.shape
    same = (found.trace["layers.0.lif"] == exact.signals["layers.0.lif"]).all(axis=(1, 2))
    if network.pairs:
        same = same[:3] & same[3:]
    assert same.any()
    scale = np.abs(exact.logits).max()
    np.testing.assert_allclose(found.logits[same], exact.logits[same], rtol=0, atol=0.03 * scale)


def test_a_sum_never_clips_sequences_as_long_as_the_calibration() -> None:
    """Even with every input at the end of its format."""
    for network in (deployed(ending(readout("sum"))), deployed(ENDINGS["running sum"]())):
        summing = network.of_kind(Accumulator, RunningSum)[0].name
        limit: Any = network.input.output  # type: ignore[attr-defined]
        loudest = np.full((1, STEPS, 1), limit.decode(np.array([[limit.limit]]))[0, 0])
        assert run(network, check_data(network, loudest)).saturated[summing] == 0


def test_a_longer_sum_clips_and_says_so() -> None:
    network = deployed(ending(readout("sum")))
    long = np.tile(float_inputs(network, 1, STEPS), (1, 400, 1))
    assert run(network, check_data(network, long)).saturated["decoder.pool"] > 0


@pytest.mark.parametrize("name", ["sum", "running sum"])
def test_sums_need_to_know_how_long_sequences_are(name: str) -> None:
    told = "node 'decoder': a sum over time grows with the sequence.* give calibration data"
    with pytest.raises(UnsupportedNetworkError, match=told):
        compile_network(ENDINGS[name](), QuantizationConfig())


def test_what_a_host_compares_is_pooled_without_synapses() -> None:
    network = deployed(ending(pool(), ENDINGS["retrieval"]().nodes[-1]))
    assert isinstance(network.output, Accumulator)
    assert network.output.name == "decoder"
    assert network.output.output.bits == 24
    assert not any(node.name.startswith("decoder") for node in network.of_kind(Synapses))


# --- weights that depend on the length


@pytest.mark.parametrize("source", [lambda: dss(False), ENDINGS["divided by channel"]])
def test_a_length_is_fixed_and_kept(source: Any) -> None:
    network = deployed(source())
    assert network.steps == STEPS
    told = (
        f"x: sequences of 21 steps, but this network was converted for {STEPS}, on which its "
        f"weights depend: pad to {STEPS} steps, or convert with calibration data of 21"
    )
    with pytest.raises(DataError, match=told):
        check_data(network, np.zeros((2, 21, 1)), where="x")


def test_other_networks_hold_for_any_length() -> None:
    assert deployed(ending(readout("mean"))).steps is None


@pytest.mark.parametrize("name", ["dss", "divided by channel"])
def test_a_length_must_be_known(name: str) -> None:
    told = r"the weights of \w+ depend on how long sequences are: give calibration data"
    with pytest.raises(UnsupportedNetworkError, match=told):
        compile_network(ENDINGS[name](), QuantizationConfig())


def test_a_division_by_each_sequences_own_length_is_refused() -> None:
    network = ending(cumulative(divide_by_channel=True, use_lengths=True), output_steps=WIDTH)
    told = "node 'decoder': a running sum that is divided by each sequence's own length"
    with pytest.raises(UnsupportedNetworkError, match=told):
        deployed(network)


# --- the last K steps


def answers(name: str, lengths: list[int]) -> npt.NDArray[np.float64]:
    network = deployed(ENDINGS[name]())
    inputs = float_inputs(network, len(lengths), STEPS, seed=9)
    return run(network, check_data(network, inputs, lengths=np.array(lengths))).answer


def test_the_last_valid_steps_are_each_sequences_own() -> None:
    whole = answers("last 5", [STEPS, STEPS])
    found = answers("last 5 of the valid", [STEPS, 9])
    np.testing.assert_array_equal(found[0], whole[0])
    network = deployed(ENDINGS["last 5 of the valid"]())
    signal = run(network, some_data(network, 2)).trace["decoder"]
    np.testing.assert_array_equal(found[1], network.output.output.decode(signal)[1, 4:9])  # type: ignore[attr-defined]


def test_every_sequence_must_have_as_many_valid_steps() -> None:
    told = "the answer is the last 5 steps, but the shortest sequence has only 4 valid ones"
    with pytest.raises(DataError, match=told):
        answers("last 5 of the valid", [STEPS, 4])


def test_the_first_steps_must_be_there() -> None:
    network = deployed(ENDINGS["first 5"]())
    told = "the answer is the first 5 steps, but the sequences have only 4; give longer ones"
    with pytest.raises(DataError, match=told):
        check_data(network, np.zeros((2, 4, 1)))
