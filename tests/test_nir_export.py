"""NIR files of deployments: graphs near the chip's answers, and the same integers again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from networks import float_network
from nir_files import chain, write_nir

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import DeploymentError, TargetError
from snn_deploy.formats.registry import get_format
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.nodes.cuba_lif import CubaLif
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.threshold import Threshold

h5py = pytest.importorskip("h5py")

H, STEPS = 6, 60


def linear(name: str, source: str, inputs: int, outputs: int, scale: float = 2.0) -> Linear:
    rng = np.random.default_rng(len(name) + inputs)
    weight = rng.normal(0, scale / np.sqrt(inputs), (outputs, inputs))
    return Linear(
        name=name, inputs=(Edge(source),), weight=weight, bias=rng.normal(0, 0.1, outputs)
    )


def ssm() -> Network:
    """A diagonal SSM and its neurons, read out by their mean; without what NIR lacks, a gate."""
    network = float_network(width=H, modes=4, layers=1, d_in=2, drive=3.0)
    spikes = network["layers.0.lif"].name
    kept = [n for n in network if n.name in ("input", "encoder", "layers.0.ssm", spikes)]
    decoder = replace(network["decoder"], inputs=(Edge(spikes),))  # type: ignore[type-var]
    return Network("float", (*kept, decoder))


def recurrent() -> Network:
    """Neurons with currents that hear themselves two steps later, then a threshold."""
    ones = np.ones(H)
    neuron = CubaLif(
        name="soma",
        inputs=(Edge("drive"),),
        current_decay=0.5 * ones,
        decay=np.linspace(0.5, 0.95, H),
        gain=0.6 * ones,
        threshold=np.linspace(0.8, 1.2, H),
        reset=0.1 * ones,
        resets_to=True,
        inclusive=False,
    )
    last = linear("last", "soma", H, 3)
    return Network(
        "float",
        (
            FloatInput(name="input", channels=2),
            linear("feed", "input", 2, H),
            Residual(name="drive", inputs=(Edge("feed"), Edge("back", steps_back=2)), channels=H),
            neuron,
            linear("back", "soma", H, H, 1.0),
            last,
            Threshold(name="above", inputs=(Edge("last"),), level=0.2 * np.ones(3), inclusive=True),
            Readout(
                name="decoder",
                inputs=(Edge("above"),),
                mode="mean",
                weight=np.eye(3),
                bias=np.zeros(3),
            ),
        ),
    )


def inputs() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (8, STEPS, 2)).astype(np.float32)


def exported(network: Network, path: Path) -> Deployment:
    deployment = snn_deploy.convert(network, calibration=inputs())
    get_format("nir").write(deployment, path)
    return deployment


@pytest.mark.parametrize("make", [ssm, recurrent])
def test_a_graph_comes_near_the_chip(make: object, tmp_path: Path) -> None:
    """The same values, but for what the chip rounds in each step."""
    assert callable(make)
    deployment = exported(make(), tmp_path / "a.nir")
    network = snn_deploy.load_float_network(tmp_path / "a.nir")
    spiking = [node.name for node in deployment.network.spiking]
    chip = deployment.simulate(inputs(), backend="reference", trace=spiking)
    graph = run_float(network, inputs().astype(float), record=spiking)
    for name in spiking:
        assert 0.02 < chip.trace[name].mean() < 0.9
        assert (graph.signals[name] != chip.trace[name]).mean() < 0.02, name
    np.testing.assert_allclose(graph.logits, chip.logits, rtol=0, atol=0.05)


@pytest.mark.parametrize("make", [ssm, recurrent])
def test_the_integers_come_back(make: object, tmp_path: Path) -> None:
    assert callable(make)
    deployment = exported(make(), tmp_path / "a.nir")
    again = snn_deploy.load(tmp_path / "a.nir")
    assert network_digest(again.network) == network_digest(deployment.network)
    assert again.origin == deployment.origin
    first, second = (d.simulate(inputs(), backend="native").logits for d in (deployment, again))
    np.testing.assert_array_equal(first, second)
    get_format("nir").write(again, tmp_path / "b.nir")
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()


def test_the_package_nir_reads_it(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    exported(ssm(), tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert kinds == {"Input", "Output", "Linear", "Affine", "Scale", "LI", "LIF", "Delay"}
    assert graph.metadata["conventions"]["dt"] == 1e-4


def test_the_command_line(tmp_path: Path) -> None:
    from click.testing import CliRunner

    deployment = snn_deploy.convert(ssm(), calibration=inputs())
    deployment.save(tmp_path / "a.safetensors")
    words = ["export", tmp_path / "a.safetensors", "--format", "nir", "-o", tmp_path / "a.nir"]
    found = CliRunner().invoke(commands, [str(word) for word in words], standalone_mode=False)
    assert found.exception is None
    assert "the integers are metadata" in found.output


def test_what_nir_cannot_say_is_refused(tmp_path: Path) -> None:
    network = float_network(width=H, d_in=2)
    with pytest.raises(TargetError, match=r"'layers.0.glu' \(Gate\): NIR has no primitives for"):
        exported(network, tmp_path / "a.nir")
    neuron = replace(recurrent()["soma"], resets_to=False)  # type: ignore[call-arg, type-var]
    taking = recurrent().rewrite({"soma": (neuron,)})
    with pytest.raises(TargetError, match=r"'soma' \(CubaSoma\): its spikes take a level away"):
        exported(taking, tmp_path / "a.nir")
    summed = replace(ssm()["decoder"], mode="sum")  # type: ignore[call-arg, type-var]
    with pytest.raises(TargetError, match="NIR has no sum over time"):
        exported(ssm().rewrite({"decoder": (summed,)}), tmp_path / "a.nir")
    assert not (tmp_path / "a.nir").exists()


def test_what_holds_no_deployment_is_refused(tmp_path: Path) -> None:
    path = write_nir(tmp_path / "a.nir", chain(2, {"type": "Scale", "scale": [1.0, 2.0]}))
    with pytest.raises(DeploymentError, match="not a deployment of snn-deploy"):
        snn_deploy.load(path)
    with pytest.raises(DeploymentError, match="holds no deployment; make one with"):
        get_format("nir").read(path)
    (tmp_path / "b.nir").write_bytes(b"snn_deploy")
    with pytest.raises(DeploymentError, match=r"b\.nir: not a readable HDF5 file"):
        snn_deploy.load(tmp_path / "b.nir")


@pytest.mark.parametrize("change", ["document", "tensor", "json", "list"])
def test_a_changed_deployment_is_refused(change: str, tmp_path: Path) -> None:
    exported(ssm(), tmp_path / "a.nir")
    with h5py.File(tmp_path / "a.nir", "r+") as file:
        inside = file["node/metadata/snn_deploy"]
        if change == "tensor":
            inside["tensors/layers.0.ssm/bank/decay_real"][0, 0] += 2
        else:
            text = inside["document"].asstr()[()]
            changed = {"document": text.replace("loihi2", "loihi1"), "json": "{", "list": "[]"}
            del inside["document"]
            inside["document"] = changed[change]
    told = {"json": "not readable JSON", "list": "no JSON object"}.get(change, "SHA-256 does not")
    with pytest.raises(DeploymentError, match=told):
        snn_deploy.load(tmp_path / "a.nir")
