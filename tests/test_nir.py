"""NIR files that other tools wrote: their own float64 answers, then equal integers on the chip.

``tests/data/nir`` holds the files, and says which versions of which tools wrote them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.mapping.placement import place_network

h5py = pytest.importorskip("h5py")

FILES: dict[str, dict[str, str]] = {
    "snntorch_leaky": {"writer": "snntorch"},
    "snntorch_zero": {"writer": "snntorch", "reset": "value"},
    "snntorch_recurrent": {"writer": "snntorch"},
    "norse_lif": {"writer": "norse"},
    "norse_recurrent": {"writer": "norse"},
    "norse_iaf": {"writer": "norse"},
    "sinabs_lif": {"writer": "sinabs"},
    "spikingjelly_lif": {"writer": "spikingjelly"},
    "rockpool_lif": {"writer": "rockpool"},
}
"""How each file is read: the tool's own conventions, and what a user changed of them."""


def case(root: Path, name: str) -> tuple[Path, dict[str, npt.NDArray[Any]]]:
    """Give a file, and what its tool answered by layer."""
    folder = root / "tests" / "data" / "nir"
    with np.load(folder / f"{name}.npz") as arrays:
        return folder / f"{name}.nir", dict(arrays)


def node_of(network: Network, layer: str) -> str:
    """Name the node of a layer's number."""
    wanted = (layer, f"{layer}.lif", f"_{layer}")
    return next(name for name in network.names if name in wanted)


@pytest.mark.parametrize("name", FILES)
def test_it_answers_as_the_tool_that_wrote_it(root: Path, name: str) -> None:
    path, answers = case(root, name)
    inputs = answers.pop("inputs")
    network = snn_deploy.load_float_network(path, FILES[name])
    layers = {layer: node_of(network, layer) for layer in answers}
    signals = run_float(network, inputs, record=layers.values()).signals
    spiking = {layer for layer, node in layers.items() if network[node].spikes}
    assert spiking
    for layer in spiking:
        assert 0.005 < answers[layer].mean() < 0.9
        np.testing.assert_array_equal(signals[layers[layer]], answers[layer], layer)
    last = max(answers)
    np.testing.assert_allclose(signals[layers[last]], answers[last], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", FILES)
def test_it_is_deployed(root: Path, name: str) -> None:
    path, answers = case(root, name)
    inputs = answers.pop("inputs").astype(np.float32)
    deployment = snn_deploy.convert(path, calibration=inputs, config=FILES[name])
    spiking = [node.name for node in deployment.network.spiking]
    oracle = deployment.simulate(inputs, backend="reference", trace=spiking)
    native = deployment.simulate(inputs, backend="native", trace=spiking)
    for node in spiking:
        np.testing.assert_array_equal(native.trace[node], oracle.trace[node], node)
    np.testing.assert_array_equal(native.logits, oracle.logits)
    network = snn_deploy.load_float_network(path, FILES[name])
    for layer, expected in answers.items():
        if node_of(network, layer) in spiking:
            found = oracle.trace[node_of(network, layer)]
            assert (found != expected).mean() < 0.02, layer
    assert place_network(deployment.network, deployment.profile).cores


def test_an_unknown_writer_is_told_of(root: Path) -> None:
    path, _ = case(root, "snntorch_leaky")
    with pytest.warns(SnnDeployWarning, match="does not say which tool wrote it"):
        snn_deploy.load_float_network(path)


def test_one_command_from_a_file_to_a_report(root: Path, tmp_path: Path) -> None:
    """A recurrent network of snnTorch's, converted, placed and reported on."""
    path, answers = case(root, "snntorch_recurrent")
    data, out = tmp_path / "data.npz", tmp_path / "out.safetensors"
    np.savez(data, inputs=answers["inputs"].astype(np.float32))
    command = ["convert", str(path), "--set-model", "writer=snntorch", "--target", "loihi2"]
    found = CliRunner().invoke(
        commands, [*command, "--calibration", str(data), "--report", "-o", str(out)]
    )
    assert found.exit_code == 0, found.output
    assert "3 layers, 18 neurons" in found.output
    assert "fits into" in found.output
    assert snn_deploy.load(out).origin.source["writer"] == "snntorch"
