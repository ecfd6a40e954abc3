"""A LIF may follow any node, and read its layer's past: networks without any state-space model."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import snn_deploy
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployWarning, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import cost_network
from snn_deploy.mapping.placement import place_network
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual

STEPS, BATCH, CHANNELS, HIDDEN = 24, 12, 3, 8
Real = npt.NDArray[np.float64]


def linear(name: str, source: str, outputs: int, inputs: int, scale: float) -> Linear:
    rng = np.random.default_rng(len(name))
    weight = rng.normal(0.0, scale / np.sqrt(inputs), (outputs, inputs))
    return Linear(name=name, inputs=(Edge(source),), weight=weight, bias=np.full(outputs, 0.05))


def recurrent(lag: int = 1, threshold: float = 1.0) -> Network:
    """Input, weights, and a layer of LIF neurons that hears itself ``lag`` steps later."""
    drive = Residual(
        name="hidden.drive",
        inputs=(Edge("hidden.input"), Edge("hidden.recurrent", steps_back=lag)),
        channels=HIDDEN,
    )
    soma = Lif(
        name="hidden.lif",
        inputs=(Edge("hidden.drive"),),
        threshold=np.full(HIDDEN, threshold),
        decay=0.75,
    )
    readout = Readout(
        name="decoder",
        inputs=(Edge("hidden.lif"),),
        mode="mean",
        weight=linear("decoder", "", 4, HIDDEN, 1.0).weight,
        bias=np.zeros(4),
    )
    return Network(
        "float",
        (
            FloatInput(name="input", channels=CHANNELS),
            linear("hidden.input", "input", HIDDEN, CHANNELS, 2.0),
            drive,
            soma,
            linear("hidden.recurrent", "hidden.lif", HIDDEN, HIDDEN, 1.5),
            readout,
        ),
    )


def inputs(batch: int = BATCH) -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).uniform(-1, 1, (batch, STEPS, CHANNELS)).astype(np.float32)


def by_hand(network: Network, x: Real, lag: int) -> Real:
    """The layer's spikes, one number after another."""
    feed, back, soma = (network[f"hidden.{n}"] for n in ("input", "recurrent", "lif"))
    assert isinstance(feed, Linear)
    assert isinstance(back, Linear)
    assert isinstance(soma, Lif)
    spikes = np.zeros((len(x), STEPS, HIDDEN))
    for b in range(len(x)):
        v = np.zeros(HIDDEN)
        for t in range(STEPS):
            heard = back.weight @ spikes[b, t - lag] + back.bias if t >= lag else np.zeros(HIDDEN)
            v = soma.decay * v + (feed.weight @ x[b, t] + feed.bias + heard) / soma.threshold
            spikes[b, t] = v >= 1.0
            v[v >= 1.0] = 0.0
    return spikes


@pytest.mark.parametrize("lag", [1, 3])
def test_the_float_engine_runs_loops(lag: int) -> None:
    network, x = recurrent(lag), inputs().astype(np.float64)
    spikes = run_float(network, x, record=["hidden.lif"]).signals["hidden.lif"]
    expected = by_hand(network, x, lag)
    assert 0.02 < expected.mean() < 0.9
    np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize(("lag", "threshold"), [(1, 1.0), (1, 0.6), (3, 1.7)])
def test_a_recurrent_network_is_converted(lag: int, threshold: float, tmp_path: Path) -> None:
    network, x = recurrent(lag, threshold), inputs()
    deployment = snn_deploy.convert(network, target="loihi2", calibration=x)
    names = [node.name for node in deployment.network]
    oracle = deployment.simulate(x[:3], backend="reference", trace=names)
    spikes = run_float(network, x[:3], record=["hidden.lif"]).signals["hidden.lif"]
    assert np.mean(oracle.trace["hidden.lif"] != spikes) < 0.03
    deployment.save(tmp_path / "r.safetensors")
    again = snn_deploy.load(tmp_path / "r.safetensors").simulate(x[:3], backend="reference")
    np.testing.assert_array_equal(again.logits, oracle.logits)


@pytest.mark.lava
@pytest.mark.parametrize("lag", [1, 3])
def test_a_recurrent_network_runs_on_lava(lag: int) -> None:
    deployment = snn_deploy.convert(recurrent(lag), target="loihi2", calibration=inputs())
    names = deployment.network.names
    oracle, lava = (
        deployment.simulate(inputs()[:3], backend=engine, trace=names)
        for engine in ("reference", "lava")
    )
    assert oracle.trace["hidden.lif"].any()
    for name in names:
        np.testing.assert_array_equal(lava.trace[name], oracle.trace[name], name)
    np.testing.assert_array_equal(lava.logits, oracle.logits)


@pytest.mark.parametrize("lag", [1, 3])
def test_a_recurrent_network_is_streamed(lag: int, tmp_path: Path) -> None:
    """In chunks of any length on the native engine, put away and gone on with."""
    x = inputs()[:3]
    deployment = snn_deploy.convert(recurrent(lag), target="loihi2", calibration=inputs())
    names = deployment.network.names
    oracle, whole = (
        deployment.simulate(x, backend=engine, trace=names) for engine in ("reference", "native")
    )
    for name in names:
        np.testing.assert_array_equal(whole.trace[name], oracle.trace[name], name)
    np.testing.assert_array_equal(whole.logits, oracle.logits)
    stream, spikes = deployment.stream(samples=3, trace=["hidden.lif"]), []
    for start, stop in pairwise([0, 1, 2, 11, STEPS]):
        spikes.append(stream.step(x[:, start:stop]).trace["hidden.lif"])
        stream.save(tmp_path / "state")
        stream = deployment.resume(tmp_path / "state", trace=["hidden.lif"])
    np.testing.assert_array_equal(np.concatenate(spikes, axis=1), oracle.trace["hidden.lif"])
    np.testing.assert_array_equal(stream.answer(), oracle.logits)


def test_a_recurrent_network_is_placed_and_costed() -> None:
    deployment = snn_deploy.convert(recurrent(), target="loihi2", calibration=inputs())
    placement = place_network(deployment.network, load_profile("loihi2"), objective="cores")
    assert len(placement.cores) == 1
    assert cost_network(deployment.network)["hidden.lif"].operations == 7


@pytest.mark.parametrize("lag", [1, 3])
def test_a_recurrent_network_is_reported(lag: int) -> None:
    """A pass, and as many steps to the answer as without the loop: two layers of synapses."""
    deployment = snn_deploy.convert(recurrent(lag), target="loihi2", calibration=inputs())
    report = deployment.report(inputs())
    assert report.timing is not None
    assert (report.timing.passes, report.timing.pipeline_steps) == (1, 2)
    (layer,) = [layer for layer in report.layers if layer.name == "hidden"]
    spikes = deployment.simulate(inputs(), backend="reference", trace=["hidden.lif"])
    assert layer.spike_rate == pytest.approx(spikes.trace["hidden.lif"].mean())


def test_without_calibration_a_loop_of_spikes_is_bounded() -> None:
    with pytest.warns(SnnDeployWarning, match="no calibration data"):
        deployment = snn_deploy.convert(recurrent(), target="loihi2")
    simulation = deployment.simulate(inputs()[:2], backend="reference")
    assert not any(simulation.saturated.values())


def test_what_grows_round_a_loop_needs_calibration() -> None:
    network = recurrent()
    louder = Affine(
        name="louder", inputs=(Edge("hidden.drive"),), scale=np.full(8, 2.0), shift=np.ones(8)
    )
    drive = Residual(
        name="hidden.drive",
        inputs=(Edge("hidden.input"), Edge("louder", steps_back=1)),
        channels=HIDDEN,
    )
    network = network.rewrite({"hidden.drive": (drive, louder), "hidden.recurrent": ()})
    told = "fed back to it may grow without end"
    with (
        pytest.warns(SnnDeployWarning, match="no calibration data"),
        pytest.raises(UnsupportedNetworkError, match=told),
    ):
        snn_deploy.convert(network, target="loihi2")


def test_a_lif_follows_weights() -> None:
    """Feed-forward, with thresholds that no state-space model could take in."""
    network = recurrent(threshold=0.8)
    (soma,) = network.of_kind(Lif)
    plain = network.rewrite(
        {
            "hidden.drive": (),
            "hidden.recurrent": (),
            "hidden.lif": (
                Lif(name="hidden.lif", inputs=(Edge("hidden.input"),), threshold=soma.threshold),
            ),
        }
    )
    x = inputs()
    deployment = snn_deploy.convert(plain, target="loihi2", calibration=x)
    trace = deployment.simulate(x, trace=["hidden.lif"]).trace["hidden.lif"]
    spikes = run_float(plain, x, record=["hidden.lif"]).signals["hidden.lif"]
    assert 0.02 < spikes.mean() < 0.9
    assert np.mean(trace != spikes) < 0.01
