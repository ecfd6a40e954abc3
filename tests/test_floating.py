"""The float engine: its dynamics against plain recurrences, its batching, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import checkpoint_of, random_inputs, tiny_spikingssm_state

from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import check_data
from snn_deploy.engines import floating
from snn_deploy.engines.float_dynamics import convolve, kernel_spectrum, ssm_kernel
from snn_deploy.engines.float_ops import Context
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import BackendError, DataError, NetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.run.simulation import simulate

Array = npt.NDArray[Any]


def random_ssm(
    seed: int, channels: int, modes: int, reverse: bool, radius: float = 0.9995
) -> DiagonalSsm:
    rng = np.random.default_rng(seed)

    def complex_normal() -> Array:
        return rng.normal(size=(channels, modes)) + 1j * rng.normal(size=(channels, modes))

    magnitude = rng.uniform(0.1, radius, (channels, modes))
    return DiagonalSsm(
        name="ssm",
        inputs=(Edge("input"),),
        a=magnitude * np.exp(1j * rng.uniform(-np.pi, np.pi, (channels, modes))),
        b=complex_normal(),
        c=complex_normal(),
        d=rng.normal(size=channels),
        c_reverse=complex_normal() if reverse else None,
    )


def recurrence(ssm: DiagonalSsm, u: Array) -> Array:
    """Run the equations of DiagonalSsm step by step."""
    batch, steps, channels = u.shape
    y = ssm.d * u
    h = np.zeros((batch, channels, ssm.modes), complex)
    for t in range(steps):
        h = ssm.a * h + ssm.b * u[:, t, :, None]
        y[:, t] += 2 * (ssm.c * h).sum(-1).real
    if ssm.c_reverse is not None:
        g = np.zeros((batch, channels, ssm.modes), complex)
        for t in range(steps - 2, -1, -1):
            g = ssm.a * g + ssm.b * u[:, t + 1, :, None]
            y[:, t] += 2 * (ssm.c_reverse * g).sum(-1).real
    return y


@given(
    seed=st.integers(0, 100),
    channels=st.integers(1, 4),
    modes=st.integers(0, 5),
    steps=st.sampled_from([1, 2, 3, 16, 17, 64, 257]),
    reverse=st.booleans(),
)
def test_convolution_is_the_recurrence(
    seed: int, channels: int, modes: int, steps: int, reverse: bool
) -> None:
    ssm = random_ssm(seed, channels, modes, reverse)
    u = np.random.default_rng(seed + 1).normal(size=(2, steps, channels))
    expected = recurrence(ssm, u)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        convolve(ssm.d, u, kernel_spectrum(ssm, u.shape[1])), expected, rtol=0, atol=1e-12 * scale
    )


def test_impulse_response_of_a_long_sequence_stays_exact() -> None:
    a = np.array([[0.99995 * np.exp(3.1j)]])
    kernel = ssm_kernel(a, np.array([[1.0 + 0j]]), 16384)
    j = np.array([0, 1, 127, 128, 129, 9999, 16383])
    expected = 2 * 0.99995**j * np.cos(3.1 * j)
    np.testing.assert_allclose(kernel[j, 0], expected, rtol=0, atol=1e-10)


def test_lif_fires_at_threshold_and_forgets() -> None:
    drive = np.array([[1.0, 0.0, 0.9375, 0.5, 0.9375, 0.0, 7.0, 0.99]])[..., None]
    # membrane before reset: 1 | 0 | 0.9375 | 0.617… | 1.01… | 0 | 7 | 0.99
    lif = Lif(name="lif", threshold=np.ones(1), decay=0.125)
    spikes = lif.evaluate([drive], Context(np.array([8]), "exact"))
    np.testing.assert_array_equal(spikes[0, :, 0], [1, 0, 0, 0, 1, 0, 1, 0])


@pytest.fixture
def tiny() -> tuple[Network, Array]:
    tensors, config = tiny_spikingssm_state(bidirectional=True)
    return (
        to_float_network(checkpoint_of(tensors, config)),
        random_inputs(config, tensors, batch=5, steps=11),
    )


def test_batches_do_not_change_the_answer(
    tiny: tuple[Network, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, inputs = tiny
    names = ["encoder", "layers.1.lif", "decoder"]
    whole = run_float(network, inputs, record=names)
    monkeypatch.setattr(floating, "_BATCH_BYTES", 1)
    pieces = run_float(network, inputs, record=names)
    np.testing.assert_allclose(pieces.logits, whole.logits, rtol=1e-12)
    for name in names:
        np.testing.assert_allclose(pieces.signals[name], whole.signals[name], rtol=1e-12)
    np.testing.assert_array_equal(whole.signals["decoder"], whole.logits)


def test_a_function_sees_every_node_of_every_batch(
    tiny: tuple[Network, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, inputs = tiny
    monkeypatch.setattr(floating, "_BATCH_BYTES", 1)
    seen: list[tuple[str, tuple[int, ...]]] = []
    result = run_float(network, inputs, record=lambda name, i, t, x: seen.append((name, x.shape)))
    assert [name for name, _ in seen] == list(network.names) * 5
    assert seen[0] == ("input", (1, 11, 1))
    assert dict(seen)["layers.0.mix"] == (1, 11, 16)
    assert not result.signals


def test_spikes_are_zeros_and_ones(tiny: tuple[Network, Array]) -> None:
    network, inputs = tiny
    spikes = run_float(network, inputs, record={"layers.0.lif"}).signals["layers.0.lif"]
    assert spikes.shape == (5, 11, 8)
    np.testing.assert_array_equal(np.unique(spikes), [0.0, 1.0])


def test_pairs_stay_together_over_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, config = tiny_spikingssm_state(d_model=4, n_layers=1, vocabulary=9)
    rng = np.random.default_rng(0)
    tensors = {key: value for key, value in tensors.items() if not key.startswith("decoder")}
    for layer, shape in ((0, (4, 16)), (2, (3, 4))):
        key = f"decoder.0.retrieval.classifier.{layer}."
        tensors |= {f"{key}weight": rng.normal(size=shape), f"{key}bias": np.zeros(shape[0])}
    config["decoder"] = {"_name_": "retrieval", "mode": "pool", "use_lengths": True}
    network = to_float_network(checkpoint_of(tensors, config))
    inputs, lengths = rng.integers(0, 9, (10, 7)), rng.integers(1, 8, 10)
    names = ["layers.0.residual", "layers.0.lif", "decoder", "decoder.retrieval"]

    whole = run_float(network, inputs, lengths, record=names)
    monkeypatch.setattr(floating, "_BATCH_BYTES", 1)
    pieces = run_float(network, inputs, lengths, record=names)

    assert whole.logits.shape == (5, 3)
    np.testing.assert_allclose(pieces.logits, whole.logits, rtol=1e-12)
    for name in names:
        np.testing.assert_allclose(pieces.signals[name], whole.signals[name], rtol=1e-12)

    found = {name: np.full_like(whole.signals[name], np.nan) for name in names}

    def record(name: str, sample: int, step: int, part: Array) -> None:
        assert step == 0
        found[name][sample : sample + len(part)] = part

    data = check_data(network, inputs, lengths=lengths)
    simulation = simulate(network, data, get_engine("float"), names, record=record)
    np.testing.assert_array_equal(simulation.logits, pieces.logits)
    np.testing.assert_array_equal(simulation.predictions, whole.logits.argmax(axis=-1))
    spikes = pieces.signals["layers.0.lif"]
    np.testing.assert_array_equal(simulation.spike_counts["layers.0"], spikes.sum(axis=1))
    assert not simulation.trace
    for name in names:
        np.testing.assert_array_equal(found[name], pieces.signals[name])


def test_lengths_choose_the_valid_steps() -> None:
    tensors, config = tiny_spikingssm_state(use_lengths=True)
    network = to_float_network(checkpoint_of(tensors, config))
    inputs = random_inputs(config, tensors, batch=2, steps=9)
    # a causal network: steps after the valid ones cannot matter
    logits = run_float(network, inputs, np.array([9, 4])).logits
    np.testing.assert_allclose(logits[0], run_float(network, inputs).logits[0], rtol=1e-12)
    np.testing.assert_allclose(logits[1], run_float(network, inputs[1:, :4]).logits[0], rtol=1e-9)


def test_every_float_node_can_be_run() -> None:
    for kind in legal_kinds("float").values():
        assert kind.evaluate is not FloatNode.evaluate


def test_missing_surrogate_is_named(tiny: tuple[Network, Array]) -> None:
    tensors, config = tiny_spikingssm_state(neuron="bptt")
    network = to_float_network(checkpoint_of(tensors, config))
    with pytest.raises(
        BackendError, match=r"layers\.0\.lif \(Lif\) has no surrogate .*backend 'float'"
    ):
        run_float(network, tiny[1], neuron="surrogate")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros(5), r"inputs of shape \(5,\); need \(sequences, steps, "),
        (np.zeros((5, 11)), r"shape \(5, 11\).* reads numbers of shape \(batch, steps, 1\)"),
        (np.zeros((5, 11, 2)), r"shape \(5, 11, 2\)"),
        (np.full((5, 11, 1), "a"), r"type <U1; the network reads numbers"),
        (np.zeros((0, 11, 1)), r"nothing to run"),
        (np.zeros((5, 0, 1)), r"nothing to run"),
    ],
)
def test_inputs_that_do_not_fit(tiny: tuple[Network, Array], inputs: Array, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run_float(tiny[0], inputs)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 3), np.float32), r"type float32; the network reads integer tokens"),
        (np.zeros((2, 3, 1), np.int64), r"shape \(2, 3, 1\)"),
        (np.array([[0, 1], [6, 7]]), r"token 7 in sequence 1, step 1; .* tokens 0 … 6"),
        (np.array([[0, -1]]), r"token -1 in sequence 0, step 1"),
    ],
)
def test_tokens_that_do_not_fit(inputs: Array, message: str) -> None:
    tensors, config = tiny_spikingssm_state(vocabulary=7)
    network = to_float_network(checkpoint_of(tensors, config))
    with pytest.raises(DataError, match=message):
        run_float(network, inputs)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (np.array([11, 11]), r"lengths have shape \(2,\) .* expected 5 integers"),
        (np.full(5, 3.0), r"type float64; expected 5 integers"),
        (np.array([1, 2, 0, 4, 5]), r"lengths say 0 for sequence 2; .* 1 … 11 steps"),
        (np.array([1, 12, 3, 4, 5]), r"lengths say 12 for sequence 1"),
    ],
)
def test_lengths_that_do_not_fit(tiny: tuple[Network, Array], lengths: Array, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run_float(*tiny, lengths)


def test_odd_number_of_documents() -> None:
    tensors, config = tiny_spikingssm_state(d_model=4, n_layers=0)
    tensors = {key: value for key, value in tensors.items() if not key.startswith("decoder")}
    for layer, shape in ((0, (4, 16)), (2, (3, 4))):
        key = f"decoder.0.retrieval.classifier.{layer}."
        tensors |= {f"{key}weight": np.ones(shape), f"{key}bias": np.zeros(shape[0])}
    config["decoder"] = "retrieval"
    network = to_float_network(checkpoint_of(tensors, config))
    with pytest.raises(DataError, match=r"3 documents; .* first documents, then second"):
        run_float(network, np.zeros((3, 5, 1)))


@pytest.mark.parametrize("mode", ["first", "last"])
def test_sequences_shorter_than_the_answer(mode: Any) -> None:
    tensors, config = tiny_spikingssm_state(mode=mode)
    network = to_float_network(checkpoint_of(tensors, config), 8)
    with pytest.raises(DataError, match=r"the answer is the (first|last) 8.*--output-steps"):
        run_float(network, np.zeros((2, 7, 1)))


def test_sequences_longer_than_the_positions() -> None:
    nodes = (
        FloatInput(name="input", channels=2),
        PositionalEncoding(name="encoder", inputs=(Edge("input"),), table=np.zeros((4, 2))),
    )
    network = Network("float", nodes, answers="all")
    assert run_float(network, np.ones((1, 4, 2))).logits.shape == (1, 4, 2)
    with pytest.raises(DataError, match=r"encoder: sequences have 5 steps, .* only 4 positions"):
        run_float(network, np.ones((1, 5, 2)))


def test_networks_of_other_stages_and_foreign_nodes(tiny: tuple[Network, Array]) -> None:
    network, inputs = tiny
    with pytest.raises(NetworkError, match="not stage 'integer'"):
        run_float(replace(network, stage="integer"), inputs)
    with pytest.raises(NetworkError, match=r"no node named 'layers\.9\.lif'"):
        run_float(network, inputs, record=["layers.9.lif"])
    lif = network["layers.0.lif"]
    delayed = network.rewrite({lif.name: (replace(lif, inputs=(Edge("layers.0.ssm", 1),)),)})
    with pytest.raises(NetworkError, match=r"reads layers\.0\.ssm@-1; .* have no delay"):
        run_float(delayed, inputs)


def test_a_last_step_without_readout() -> None:
    weight = np.array([[2.0]])
    linear = Linear(name="y", inputs=(Edge("input"),), weight=weight, bias=np.zeros(1))
    network = Network("float", (FloatInput(name="input", channels=1), linear))
    x = np.arange(6.0).reshape(2, 3, 1)
    np.testing.assert_array_equal(run_float(network, x).logits, [[4.0], [10.0]])
    np.testing.assert_array_equal(run_float(network.answering(steps=2), x).logits, 2 * x[:, 1:])


def test_unknown_nodes_are_refused() -> None:
    class Mystery(FloatNode):
        """A node that no engine knows."""

        width = 1

    mystery = Mystery(name="mystery", inputs=(Edge("input"),))
    network = Network("float", (FloatInput(name="input", channels=1), mystery))
    with pytest.raises(NetworkError, match="mystery: the float engine does not know Mystery nodes"):
        run_float(network, np.zeros((1, 1, 1)))


def test_progress_adds_up_to_the_whole_run() -> None:
    tensors, config = tiny_spikingssm_state()
    network = to_float_network(checkpoint_of(tensors, config))
    shares: list[float] = []
    run_float(network, random_inputs(config, tensors), progress=shares.append)
    assert len(shares) >= len(network)
    assert sum(shares) == pytest.approx(1.0)
