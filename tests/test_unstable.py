"""A network whose states grow: float runs it over sequences that end, ``convert`` refuses it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import float_inputs, float_network
from synthetic import checkpoint_of, tiny_spikingssm_state

import snn_deploy
from snn_deploy.cli.main import main
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import DataError, SnnDeployWarning, UnsupportedNetworkError
from snn_deploy.examples.torch_file import state_dict, write_zip
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.stability import grows, unstable_nodes
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.nplr_ssm import NplrSsm
from snn_deploy.nodes.resonate_and_fire import ResonateAndFire
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.tune.format_search import search_formats

KERNEL = "model.s4_layers.1.kernel."


def growing(largest: float = 1.02, reverse: bool = False) -> Network:
    """A network whose second SSM has one mode of this modulus, in channel 2."""
    network = float_network(reverse=reverse)
    ssm: DiagonalSsm = network["layers.1.ssm"]  # type: ignore[assignment]
    a = ssm.a.copy()
    a[2, 1] = largest
    return network.rewrite({ssm.name: (replace(ssm, a=a),)})


def by_the_recurrence(ssm: DiagonalSsm, u: np.ndarray) -> np.ndarray:
    """The docstring's equation, step by step."""
    y = ssm.d * u
    h = np.zeros((len(u), *ssm.a.shape), complex)
    for t in range(u.shape[1]):
        h = ssm.a * h + ssm.b * u[:, t, :, None]
        y[:, t] += 2 * (ssm.c * h).sum(-1).real
    if ssm.c_reverse is not None:
        h = np.zeros_like(h)
        for t in reversed(range(u.shape[1])):
            y[:, t] += 2 * (ssm.c_reverse * h).sum(-1).real
            h = ssm.a * h + ssm.b * u[:, t, :, None]
    return y


# --- float


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("largest", [1.0, 1.02, 1.3])
def test_float_runs_it_as_exactly_at_every_step(largest: float, reverse: bool) -> None:
    """Relative to what has been so far, and not only to the largest value, at the end."""
    network = growing(largest, reverse)
    inputs = float_inputs(network, steps=150)
    ssm: DiagonalSsm = network["layers.1.ssm"]  # type: ignore[assignment]
    with pytest.warns(SnnDeployWarning, match="unstable"):
        signals = run_float(network, inputs, record=["layers.0.residual", ssm.name]).signals
    expected = by_the_recurrence(ssm, signals["layers.0.residual"])
    found = signals[ssm.name]
    for steps in (slice(0, 20), slice(60, 80), slice(130, 150)):
        scale = np.abs(expected[:, steps]).max()
        np.testing.assert_allclose(found[:, steps], expected[:, steps], rtol=0, atol=1e-9 * scale)


def test_one_warning_names_node_count_and_modulus() -> None:
    network = growing(1.25)
    inputs = float_inputs(network)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = run_float(network, inputs).logits
        second = run_float(network, inputs).logits
    np.testing.assert_array_equal(first, second)
    assert len(caught) == 1
    told = str(caught[0].message)
    assert "unstable: 'layers.1.ssm' (1 of 12 modes, largest |a| 1.25)" in told
    assert "convert refuses it" in told


def test_a_stable_network_is_not_warned_of() -> None:
    network = float_network()
    run_float(network, float_inputs(network))  # a warning is an error
    assert not list(unstable_nodes(network))


def test_what_grows_beyond_float64_is_refused() -> None:
    network = growing(40.0)
    with (
        pytest.warns(SnnDeployWarning, match="unstable"),
        pytest.raises(DataError, match=r"'layers\.1\.ssm' is unstable and grows beyond float64"),
    ):
        run_float(network, float_inputs(network, steps=300))


def test_a_dense_state_matrix() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 3, 3)) / 3
    a[1] *= 1.2 / np.abs(np.linalg.eigvals(a[1])).max()
    b, c = rng.normal(size=(2, 3)) + 0j, rng.normal(size=(2, 3)) + 0j
    node = NplrSsm(name="ssm", inputs=(), a=a + 0j, b=b, c=c, d=np.zeros(2))
    assert grows(node, 200)
    assert not grows(node, 5)
    u = rng.normal(size=(1, 200, 2))
    h, expected = np.zeros((2, 3), complex), np.zeros_like(u)
    for t in range(200):
        h = np.einsum("hmn,hn->hm", a, h) + b * u[0, t, :, None]
        expected[0, t] = (c * h).sum(-1).real
    found = node.evaluate([u], None)  # type: ignore[arg-type]
    scale = np.maximum.accumulate(np.abs(expected), axis=1).max(-1, keepdims=True) + 1
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-9)


# --- conversion


def test_convert_refuses_it_by_name() -> None:
    network = growing(1.25)
    told = (
        r"node 'layers\.1\.ssm' is unstable: \|a\| >= 1 in channel 2, mode 1 \(1 such modes, the "
        r"largest 1\.25\); .*\(simulate --backend float\)"
    )
    with pytest.raises(UnsupportedNetworkError, match=told):
        snn_deploy.convert(network, target="cpu", calibration=float_inputs(network))
    inputs = float_inputs(network)
    data = Data(inputs, None, np.full(len(inputs), inputs.shape[1]))
    with pytest.raises(UnsupportedNetworkError, match=told):
        search_formats(network, data, QuantizationConfig(), 1.0)


def spiking(modulus: float) -> Network:
    """A neuron whose state grows until its spikes take it back."""
    neuron = ResonateAndFire(
        name="lif",
        inputs=(Edge("input"),),
        pole=np.array([0.5, modulus * np.exp(0.5j)]),
        gain=np.full(2, 0.1),
        reset=np.ones(2) + 0j,
    )
    return Network("float", (FloatInput(name="input", channels=2), neuron), "all")


def test_a_neuron_may_grow_as_long_as_its_words_hold_it() -> None:
    inputs = np.random.default_rng(0).normal(size=(4, 200, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_float(spiking(1.01), inputs)
        deployment = snn_deploy.convert(spiking(1.01), target="loihi2", calibration=inputs)
    result = deployment.simulate(inputs, backend="reference")
    assert result.saturated["lif"] == 0
    assert result.messages["lif"][:, 1].min() > 0


@pytest.mark.filterwarnings("ignore:no calibration data")
@pytest.mark.parametrize(
    ("modulus", "calibrated", "within"),
    [(1.06, True, "the 200 steps of a sequence"), (1.01, False, "sequences of any length")],
)
def test_a_neuron_that_outgrows_its_words_is_refused(
    modulus: float, calibrated: bool, within: str
) -> None:
    told = f"node .lif. is unstable: the state of channel 1 outgrows its words .* within {within}"
    inputs = np.zeros((1, 200, 2)) + 1.0
    with pytest.raises(UnsupportedNetworkError, match=told):
        snn_deploy.convert(
            spiking(modulus), target="loihi2", calibration=inputs if calibrated else None
        )


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A checkpoint with a mode that does not decay, and data for it."""
    tensors, config = tiny_spikingssm_state()
    tensors[f"{KERNEL}log_A_real"][4, 1] = -80.0
    content = {"state_dict": state_dict(tensors), "hyper_parameters": config}
    write_zip(tmp_path / "net.ckpt", content)
    width = to_float_network(checkpoint_of(tensors, config)).input.width
    np.savez(tmp_path / "data.npz", inputs=np.random.default_rng(0).normal(size=(2, 9, width)))
    return tmp_path


@pytest.mark.parametrize("neuron", ["float", "float-surrogate"])
def test_simulate_runs_it_with_one_warning(
    untrained: Path, neuron: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(untrained / "data.npz")
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(untrained / "net.ckpt"), "--data", data, "--backend", neuron])
    assert left.value.code == 0
    told = capsys.readouterr().err
    assert told.count("warning: ") == 1
    assert "unstable: 'layers.1.ssm' (1 of" in told
    assert "largest |a| 1)" in told


def test_convert_leaves_with_2(untrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = str(untrained / "data.npz"), untrained / "out"
    with pytest.raises(SystemExit) as left:
        main(["convert", str(untrained / "net.ckpt"), "--calibration", data, "-o", str(out)])
    assert left.value.code == 2
    assert "error: node 'layers.1.ssm' is unstable" in capsys.readouterr().err
    assert not out.exists()
