"""Every checkpoint of the other families gives its oracle's logits, and every spike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from family_cases import Case, cases

from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.ir.network import Network
from snn_deploy.nodes.residual import Residual


def spiking(network: Network) -> list[str]:
    return [node.name for node in network if node.spikes]


def assert_close(found: npt.NDArray[Any], expected: npt.NDArray[Any], share: float = 1e-6) -> None:
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * scale)


def stream(network: Network) -> list[str]:
    """Name the signal in front of the first layer, and the one behind each layer."""
    inner = [node for node in network if node.name.startswith("layers.")]
    first = network[inner[0].inputs[0].source]
    last = {node.name.split(".")[1]: node for node in inner}
    return [first.name, *(node.name for node in last.values())]


@pytest.mark.parametrize("case", cases("stan_rhodes"))
def test_stan_rhodes_and_relatives(case: Case) -> None:
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    names = spiking(network)
    index, traced = oracle["index"], oracle["index_traces"]

    result = run_float(network, test["inputs"][index], record=names)
    assert_close(result.logits, oracle["logits_f64"], 1e-12)
    assert len(names) == len(oracle["spikes"])
    for name, spikes in zip(names, oracle["spikes"], strict=True):
        np.testing.assert_array_equal(result.signals[name], spikes)

    # one drive a layer, that of its first neuron
    drives = [network[name].inputs[0].source for name in names[:: len(names) // 2]]
    result = run_float(network, test["inputs"][traced], record=[*drives, *stream(network)])
    for name, drive in zip(drives, oracle["drive_f64"], strict=True):
        assert_close(result.signals[name], drive, 1e-12)
    for name, expected in zip(stream(network), oracle["resid_f32"], strict=True):
        assert_close(result.signals[name], expected, 2e-7)


@pytest.mark.parametrize("case", cases("stan_rhodes"))
def test_stan_rhodes_whole_test_set(case: Case) -> None:
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    result = run_float(network, test["inputs"])
    assert_close(result.logits, oracle["logits_all_f64"], 1e-12)


@pytest.mark.parametrize("case", cases("relatives/longspike"))
@pytest.mark.parametrize("neuron", ["exact", "surrogate"])
def test_longspike(case: Case, neuron: Any) -> None:
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    names, residuals = spiking(network), [node.name for node in network.of_kind(Residual)]
    lengths = test.get("lengths")

    result = run_float(network, test["inputs"], lengths, neuron, record=[*names, *residuals])
    if neuron == "surrogate":
        assert_close(result.logits, oracle["logits_sdn_f64"], 1e-12)
        return
    assert_close(result.logits, oracle["logits_bptt_f64"], 1e-12)
    for name, spikes in zip(names, oracle["spikes_bptt"], strict=True):
        np.testing.assert_array_equal(result.signals[name], spikes)
    for name, expected in zip(residuals, oracle["resid_bptt"][1:], strict=True):
        assert_close(result.signals[name], expected, 2e-7)
    if "inputs_padx" in test:
        padded = run_float(network, test["inputs_padx"], lengths)
        assert_close(padded.logits, oracle["logits_padx_bptt_f64"], 1e-12)


@pytest.mark.parametrize("case", cases("relatives/prf"))
def test_prf_neuron_alone(case: Case) -> None:
    oracle, network = case.arrays("oracle"), case.network()
    inputs = case.arrays("test")["inputs"].swapaxes(0, 1)  # the authors put time first
    result = run_float(network, inputs, record=["neuron.potential"])
    assert_close(result.signals["neuron.potential"].swapaxes(0, 1), oracle["u_real_f64"], 1e-12)
    np.testing.assert_array_equal(result.logits.swapaxes(0, 1), oracle["spikes_f64"])


@pytest.mark.parametrize("case", cases("relatives/silif"))
def test_silif_and_relatives_from_zero_state(case: Case) -> None:
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    names = spiking(network)
    result = run_float(network, test["inputs"], record=[*names, "decoder.membrane"])
    assert_close(result.logits, oracle["logits_zero_init_f64"], 1e-12)
    assert len(names) == 2
    for layer, name in enumerate(names):
        expected = oracle[f"spikes_zero_init_layer{layer}"]
        np.testing.assert_array_equal(result.signals[name], expected)
    membrane = oracle["readout_membrane_zero_init_f32"]
    np.testing.assert_allclose(result.signals["decoder.membrane"], membrane, rtol=0, atol=1e-6)


SAMPLERS = {
    "s_in": "spike",
    "s_out": "out_spike",
    "s_in2": "second.spike",
    "s_rev": "second.out_spike",
}


@pytest.mark.parametrize("case", cases("relatives/pspike"))
def test_pspikessm_with_recorded_draws(case: Case) -> None:
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    names = [*spiking(network), *stream(network), "layers.0.input"]
    result = run_float(
        network, test["inputs"], test.get("lengths"), record=names, draws=oracle["draws"]
    )
    assert_close(result.logits, oracle["logits_f64"], 1e-12)
    stored = [key for key in SAMPLERS if key in oracle]
    for key in stored:
        for layer, spikes in enumerate(oracle[key]):
            found = result.signals[f"layers.{layer}.{SAMPLERS[key]}"]
            np.testing.assert_array_equal(found, spikes)
    assert len(spiking(network)) == 2 * len(stored)
    for name, expected in zip(stream(network), oracle["resid"], strict=True):
        assert_close(result.signals[name], expected, 2e-7)


@pytest.mark.parametrize("case", cases("relatives/pspike"))
def test_pspikessm_with_a_threshold(case: Case) -> None:
    checkpoint = case.checkpoint()
    assert checkpoint.config is not None
    checkpoint.config["model"]["layer"]["sampling"] = "threshold"
    test, network = case.arrays("test"), to_float_network(checkpoint)
    result = run_float(network, test["inputs"], test.get("lengths"))
    assert_close(result.logits, case.arrays("oracle")["logits_threshold_half_f64"], 1e-12)


@pytest.mark.parametrize("case", cases("relatives/pspike"))
def test_pspikessm_over_seeds(case: Case) -> None:
    """The mean over seeds is the authors' mean, within what chance allows."""
    test, oracle, network = case.arrays("test"), case.arrays("oracle"), case.network()
    runs = [
        run_float(network, test["inputs"], test.get("lengths"), draws=seed).logits
        for seed in range(100)
    ]
    spread = oracle["logits_std_200_draws_f32"] * np.sqrt(1 / 100 + 1 / 200)
    errors = np.abs(np.mean(runs, axis=0) - oracle["logits_mean_200_draws_f32"]) / spread
    assert np.sqrt((errors**2).mean()) < 1.5
    assert errors.max() < 5
