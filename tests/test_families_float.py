"""Every checkpoint of the other families gives its oracle's logits, and every spike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from zoo import CHECKPOINTS

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.ir.float_nodes import Residual
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network


@dataclass(frozen=True)
class Case:
    """One folder with a checkpoint and its oracle."""

    folder: Path

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        with np.load(self.folder / f"{name}.npz") as file:
            return dict(file)

    def checkpoint(self) -> Checkpoint:
        (path,) = (p for p in self.folder.iterdir() if p.suffix in (".ckpt", ".pth"))
        return read_checkpoint(path)

    def network(self) -> Network:
        network = to_float_network(self.checkpoint())
        verify_network(network)
        return network


def cases(group: str) -> list[Any]:
    """Give every folder of a group as a pytest parameter; one that skips where there is none."""
    folders = sorted(path.parent for path in (CHECKPOINTS / group).glob("*/meta.json"))
    if not folders:
        reason = "needs the folder ../shared with real checkpoints beside the repository"
        return [pytest.param(Case(Path()), id="none", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(Case(folder), id=folder.name) for folder in folders]


def spiking(network: Network) -> list[str]:
    return [node.name for node in network if getattr(node, "spikes", False)]


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
