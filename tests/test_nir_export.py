"""NIR files of deployments: graphs near the chip's answers, and the same integers again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from head_networks import comparison, ending, pool
from networks import float_network
from nir_files import chain, write_nir
from nir_simulator import simulate

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import DeploymentError, TargetError
from snn_deploy.formats.nir.made import DT
from snn_deploy.formats.registry import get_format
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.cuba_lif import CubaLif
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_inputs import FloatInput, TokenInput
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.spatial_convolution import SpatialConvolution
from snn_deploy.nodes.spatial_pooling import SpatialPooling
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


def taking(current: float = 0.0) -> Network:
    """Neurons from which a spike takes a level, in a loop."""
    neuron = replace(recurrent()["soma"], resets_to=False, current_decay=current * np.ones(H))  # type: ignore[call-arg, type-var]
    return recurrent().rewrite({"soma": (neuron,)})


def curved(pooled: Any = "sum") -> Network:
    """Curves, and their product, added up over the steps."""
    readout = Readout(
        name="decoder",
        inputs=(Edge("last"),),
        mode=pooled,
        weight=np.eye(3),
        bias=np.array([0.5, -0.5, 0.0]),
    )
    return Network(
        "float",
        (
            FloatInput(name="input", channels=2),
            linear("first", "input", 2, H),
            linear("other", "input", 2, H, 1.0),
            Gelu(name="curve", inputs=(Edge("first"),), channels=H),
            Relu(name="positive", inputs=(Edge("other"),), channels=H),
            Product(name="both", inputs=(Edge("curve"), Edge("positive")), channels=H),
            linear("last", "both", H, 3),
            readout,
        ),
    )


def two_layers() -> Network:
    """Neurons with currents that fall to 0, one layer after another."""
    first = replace(recurrent()["soma"], inputs=(Edge("feed"),), reset=np.zeros(H))  # type: ignore[call-arg, type-var]
    readout = Readout(
        name="decoder",
        inputs=(Edge("second"),),
        mode="mean",
        weight=np.ones((3, H)),
        bias=np.array([0.5, -0.5, 0.1]),
    )
    return Network(
        "float",
        (
            FloatInput(name="input", channels=2),
            linear("feed", "input", 2, H),
            first,
            linear("next", "soma", H, H, 3.0),
            replace(first, name="second", inputs=(Edge("next"),)),
            readout,
        ),
    )


def seeing() -> Network:
    """A kernel and a pool over frames of 2 maps of 3 x 4."""
    rng = np.random.default_rng(3)
    kernels = Windows.over((2, 3, 4), (2, 3), padding=(1, 1))
    pools = Windows.over((4, *kernels.outer), (2, 2), stride=(2, 2), groups=4)
    places = pools.maps * pools.places
    neuron = replace(recurrent()["soma"], **{  # type: ignore[call-arg, type-var]
        name: np.resize(getattr(recurrent()["soma"], name), 4 * kernels.places)
        for name in ("current_decay", "decay", "gain", "threshold", "reset")
    })  # fmt: skip
    return Network(
        "float",
        (
            FloatInput(name="input", channels=2),
            linear("frame", "input", 2, 24),
            SpatialConvolution(
                name="feed",
                inputs=(Edge("frame"),),
                windows=kernels,
                weight=rng.normal(size=(4, 2, 2, 3)),
                bias=rng.normal(0, 0.1, 4),
            ),
            replace(neuron, inputs=(Edge("feed"),)),
            SpatialPooling(name="pool", inputs=(Edge("soma"),), windows=pools, factor=0.25),
            replace(
                two_layers()["decoder"], inputs=(Edge("pool"),), weight=rng.normal(size=(3, places))
            ),  # type: ignore[call-arg, type-var]
        ),
    )


def placed() -> Network:
    """A number for each step, added: a table as long as the longest sequence."""
    network = two_layers()
    table = np.random.default_rng(4).normal(size=(STEPS, H))
    feed: Any = network["feed"]
    plain = replace(feed, name="plain")
    positions = PositionalEncoding(name="feed", inputs=(Edge("plain"),), table=table)
    return network.rewrite({"feed": (plain, positions)})


GRAPHS = {
    "a state-space model": ssm,
    "a gated network": lambda: float_network(width=H, d_in=2, layers=1, drive=3.0),
    "a loop": recurrent,
    "a level taken away": taking,
    "a level taken away, with currents": lambda: taking(0.5),
    "curves, and a sum": curved,
    "two layers": two_layers,
    "kernels and pools": seeing,
    "positions": placed,
}
"""What NIR has primitives for."""


def inputs() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (8, STEPS, 2)).astype(np.float32)


def exported(network: Network, path: Path) -> Deployment:
    deployment = snn_deploy.convert(network, target="cpu", calibration=inputs())
    get_format("nir").write(deployment, path)
    return deployment


@pytest.mark.filterwarnings("ignore:unstable")  # a sum, as one should know
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_comes_near_the_chip(make: Callable[[], Network], tmp_path: Path) -> None:
    """The same values, but for what the chip rounds in each step, and a product to its digits."""
    deployment = exported(make(), tmp_path / "a.nir")
    network = snn_deploy.load_float_network(tmp_path / "a.nir")
    spiking = [node.name for node in deployment.network.spiking]
    chip = deployment.simulate(inputs(), backend="reference", trace=spiking)
    graph = run_float(network, inputs().astype(float), record=spiking)
    for name in spiking:
        assert 0.02 < chip.trace[name].mean() < 0.98
        assert (graph.signals[name] != chip.trace[name]).mean() < 0.02, name
    np.testing.assert_allclose(graph.logits, chip.logits, rtol=0.01, atol=0.05)


@pytest.mark.filterwarnings("ignore:unstable")  # a sum, as one should know
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_a_plain_reader_runs_it_as_ours_does(make: Callable[[], Network], tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    exported(make(), tmp_path / "a.nir")
    network = snn_deploy.load_float_network(tmp_path / "a.nir", output_steps="all")
    x = inputs()[:, :20].astype(float)
    found = simulate(nir.read(tmp_path / "a.nir"), x, DT)
    assert np.abs(found).mean() > 0.05
    np.testing.assert_allclose(run_float(network, x).logits, found, rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore")
def test_norse_reads_it(tmp_path: Path) -> None:
    """Of the tools that read NIR, one that has the primitives of such a network."""
    torch = pytest.importorskip("torch")
    nir, norse = (
        pytest.importorskip("nir"),
        pytest.importorskip("norse.torch", exc_type=ImportError),
    )
    if not hasattr(nir.CubaLIF, "v_reset"):
        pytest.skip("the file's neurons have v_reset, which nir reads from 1.0.8 on")
    deployment = exported(two_layers(), tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    net, state, steps = norse.from_nir(graph, dt=DT), None, []
    with torch.no_grad():
        for x in np.moveaxis(inputs(), 1, 0):
            y, state = net(torch.from_numpy(x), state)
            steps.append(y.numpy())
    found = np.stack(steps, axis=1)
    assert found.std() > 0.1
    np.testing.assert_allclose(found, simulate(graph, inputs().astype(float), DT), atol=1e-5)
    chip = deployment.simulate(inputs(), backend="reference").logits
    np.testing.assert_allclose(found.mean(axis=1), chip, rtol=0, atol=0.01)


def test_the_bundled_example(root: Path, tmp_path: Path) -> None:
    """A SpikingSSM as its authors trained it: a plain reader's predictions are the chip's."""
    nir = pytest.importorskip("nir")
    folder = root / "examples" / "seqdigits_uni"
    deployment = snn_deploy.convert(folder / "seqdigits_uni.ckpt", calibration=folder / "train.npz")
    get_format("nir").write(deployment, tmp_path / "a.nir")
    with np.load(folder / "test.npz") as data:
        x = data["inputs"][:16]
    chip = deployment.simulate(x).logits
    plain = simulate(nir.read(tmp_path / "a.nir"), x.astype(float), DT).mean(axis=1)
    np.testing.assert_array_equal(plain.argmax(axis=1), chip.argmax(axis=1))
    assert np.abs(plain - chip).mean() < 0.01 * np.abs(chip).max()
    again = snn_deploy.load(tmp_path / "a.nir")
    np.testing.assert_array_equal(again.simulate(x).logits, chip)


def test_tokens_are_read_by_thresholds(tmp_path: Path) -> None:
    """A plain reader gives the chip's neurons the rows of a table."""
    nir = pytest.importorskip("nir")
    rng, network = np.random.default_rng(1), two_layers()
    table = Embedding(name="feed", inputs=(Edge("input"),), table=rng.normal(0, 2, (7, H)))
    network = network.rewrite(
        {"input": (TokenInput(name="input", vocabulary=7),), "feed": (table,)}
    )
    tokens = rng.integers(0, 7, (8, STEPS))
    deployment = snn_deploy.convert(network, target="cpu", calibration=tokens)
    get_format("nir").write(deployment, tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    chip = deployment.simulate(tokens, backend="reference").logits
    plain = simulate(graph, tokens[..., None].astype(float), DT).mean(axis=1)
    np.testing.assert_allclose(plain, chip, rtol=0, atol=0.02)
    assert np.abs(chip).max() > 0.2


def test_a_head_is_named(tmp_path: Path) -> None:
    """What the host computes on the answer is left to the reader; the deployment has it again."""
    network = ending(pool(), comparison())
    x = np.random.default_rng(2).uniform(-1, 1, (8, 20, 1)).astype(np.float32)
    deployment = snn_deploy.convert(network, target="cpu", calibration=x)
    told = get_format("nir").write(deployment, tmp_path / "a.nir").notes
    assert told[1:] == ("the head of 'decoder' is left to the reader: decoder.retrieval",)
    with h5py.File(tmp_path / "a.nir") as file:
        metadata = file["node/metadata"]
        assert metadata["heads/decoder"].asstr()[()] == "decoder.retrieval"
        assert metadata["conventions/readout"].asstr()[()] == "mean"
        assert file["node/nodes/decoder.output/shape"][()].tolist() == [4]
    again = snn_deploy.load(tmp_path / "a.nir").simulate(x).logits
    np.testing.assert_array_equal(again, deployment.simulate(x).logits)
    assert again.shape == (4, 2)  # pairs are compared


@pytest.mark.parametrize("make", [ssm, recurrent])
def test_the_integers_come_back(make: Callable[[], Network], tmp_path: Path) -> None:
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


def headed() -> Network:
    """A mean over time, then a curve, which is no longer linear."""
    network = curved("mean")
    curve = Gelu(name="curved", inputs=(Edge("decoder"),), channels=3)
    return Network("float", (*network, curve))


REFUSED: dict[str, tuple[Callable[[], Network], str]] = {
    "a norm": (
        lambda: float_network(width=H, d_in=2, layers=1, norm="layer"),
        r"\(Normalize\): NIR has no primitives for Normalize",
    ),
    "what runs backwards": (
        lambda: float_network(width=H, d_in=2, layers=1, reverse=True),
        "it runs backwards in time, which NIR cannot",
    ),
    "a first step": (lambda: curved("first"), "NIR has no first over time"),
    "a curve of a mean": (headed, r"'curved' \(SelfGate\): it reads a mean over time"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_nir_cannot_say_is_refused(
    case: tuple[Callable[[], Network], str], tmp_path: Path
) -> None:
    make, told = case
    with pytest.raises(TargetError, match=told):
        exported(make(), tmp_path / "a.nir")
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
            changed = {"document": text.replace("cpu", "loihi1"), "json": "{", "list": "[]"}
            del inside["document"]
            inside["document"] = changed[change]
    told = {"json": "not readable JSON", "list": "no JSON object"}.get(change, "SHA-256 does not")
    with pytest.raises(DeploymentError, match=told):
        snn_deploy.load(tmp_path / "a.nir")
