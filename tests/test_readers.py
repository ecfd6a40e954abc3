"""Whatever holds a trained network becomes a Source, through one door."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_network
from synthetic import checkpoint_of, tiny_spikingssm_state

import snn_deploy
from snn_deploy import examples
from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.cli.main import main
from snn_deploy.errors import CheckpointError, ConfigError, NetworkError, SnnDeployWarning
from snn_deploy.examples.torch_file import state_dict, write_zip
from snn_deploy.ir.storage import network_digest
from snn_deploy.readers import ReadOptions, Source, SourceProvenance, read_source

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT, TRAIN = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"


@pytest.fixture(scope="module")
def expected() -> snn_deploy.Deployment:
    """The bundled example, converted from its file."""
    return snn_deploy.convert(CHECKPOINT, calibration=TRAIN)


# --- what can be read


@pytest.mark.parametrize("form", ["str", "bytes", "checkpoint", "network", "source"])
def test_every_form_of_one_network_converts_to_the_same(
    form: str, expected: snn_deploy.Deployment
) -> None:
    forms = {
        "str": lambda: str(CHECKPOINT),
        "bytes": CHECKPOINT.read_bytes,
        "checkpoint": lambda: read_checkpoint(CHECKPOINT),
        "network": lambda: snn_deploy.load_float_network(CHECKPOINT),
        "source": lambda: snn_deploy.read_source(CHECKPOINT),
    }
    made = snn_deploy.convert(forms[form](), calibration=TRAIN)
    assert network_digest(made.network) == network_digest(expected.network)
    if form != "network":
        assert made.origin.checkpoint_sha256 == expected.origin.checkpoint_sha256


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"weight_bits": 4}, r"'weight_bits' is a setting: give it as settings={'weight_bits': 4}"),
        ({"prefx": "net."}, "unknown option 'prefx'; .*did you mean 'prefix'?"),
    ],
)
def test_options_that_are_none(given: dict[str, Any], told: str) -> None:
    for function in (snn_deploy.convert, snn_deploy.load_float_network):
        with pytest.raises(ConfigError, match=told):
            function(float_network(), **given)


def test_a_files_provenance(expected: snn_deploy.Deployment) -> None:
    source = read_source(CHECKPOINT)
    made = source.provenance
    assert made.name == "seqdigits_uni.ckpt"
    assert made.sha256 == hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    assert made.chosen == {"reader": "checkpoint", "container": "zip", "family": "spikingssm"}
    assert made.notes == ("36 tensors, 34,748 numbers",)
    assert expected.origin.source == {**made.chosen, "notes": list(made.notes)}
    with pytest.raises(AttributeError):
        source.network = source.network  # type: ignore[misc]


def test_a_networks_provenance_is_of_its_parameters() -> None:
    first, second = (read_source(float_network(seed=seed)).provenance for seed in (0, 1))
    assert first == read_source(float_network(seed=0)).provenance
    assert first.sha256 != second.sha256
    assert first.chosen == {"reader": "network"}


def test_provenance_is_kept_in_the_file(tmp_path: Path) -> None:
    provenance = SourceProvenance("mine", "b" * 64, {"reader": "by hand"}, ("one", "two"))
    source = Source(float_network(), provenance)
    with pytest.warns(SnnDeployWarning, match="no calibration data"):
        snn_deploy.convert(source, target="cpu").save(tmp_path / "d")
    origin = snn_deploy.load(tmp_path / "d").origin
    assert (origin.checkpoint, origin.checkpoint_sha256) == ("mine", "b" * 64)
    assert origin.source == {"reader": "by hand", "notes": ["one", "two"]}


def test_verify_takes_a_source(expected: snn_deploy.Deployment) -> None:
    with np.load(TRAIN) as data:
        inputs = data["inputs"][:4]
    options: dict[str, Any] = {"backends": ["native"]}
    by_path = expected.verify(inputs, against=CHECKPOINT, **options).accuracy
    by_source = expected.verify(inputs, against=read_source(CHECKPOINT), **options).accuracy
    assert by_path is not None
    assert by_source is not None
    assert by_path.agreement == by_source.agreement
    assert by_path.largest_logit_error == pytest.approx(by_source.largest_logit_error)
    assert [s.node for s in by_path.signals] == [s.node for s in by_source.signals]
    other = Source(read_source(CHECKPOINT).network, SourceProvenance("other", "c" * 64))
    with pytest.warns(SnnDeployWarning, match="other is not the file that this deployment"):
        expected.verify(inputs, against=other, **options)


class Tensor:
    """What of a torch tensor the reader uses, for where there is no torch."""

    def __init__(self, value: np.ndarray) -> None:
        self.value, self.dtype = value, value.dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self.value


def stand_in() -> tuple[type, Callable[[np.ndarray], Any]]:
    return type("Module", (), {"__module__": "torch.nn.modules.module"}), Tensor


def real() -> tuple[type, Callable[[np.ndarray], Any]]:
    torch = pytest.importorskip("torch")
    return torch.nn.Module, torch.from_numpy


@pytest.mark.parametrize("torch_of", [stand_in, real])
def test_a_live_module(torch_of: Callable[[], tuple[type, Callable[..., Any]]]) -> None:
    tensors, config = tiny_spikingssm_state()
    module, tensor = torch_of()

    class Net(module):  # type: ignore[misc,valid-type]
        def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {key: tensor(value) for key, value in tensors.items()}

    net = Net()
    net.hparams = config
    source = read_source(net)
    plain = read_source(checkpoint_of(tensors, config))
    assert network_digest(source.network) == network_digest(plain.network)
    assert source.provenance.name == "Net"
    assert source.provenance.chosen["reader"] == "module"
    net.hparams = None
    with pytest.raises(CheckpointError, match="Net: the file holds weights but no configuration"):
        read_source(net)
    again = read_source(net, ReadOptions(config=config))
    assert again.provenance == source.provenance
    tensors["encoder.0.bias"] = tensors["encoder.0.bias"] + 1
    trained_on = read_source(net, ReadOptions(config=config))
    assert trained_on.provenance.sha256 != source.provenance.sha256


# --- the family


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    """A checkpoint whose configuration names a family that does not exist."""
    tensors, config = tiny_spikingssm_state()
    config["model"]["_name_"] = "private"
    write_zip(
        tmp_path / "net.ckpt", {"state_dict": state_dict(tensors), "hyper_parameters": config}
    )
    return tmp_path / "net.ckpt"


def test_the_family_overrules_what_the_checkpoint_says(nameless: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is 'private'; known families: spikingssm"):
        snn_deploy.convert(nameless)
    network = snn_deploy.load_float_network(nameless, family="spikingssm")
    width = network.input.width
    data = tmp_path / "data.npz"
    np.savez(data, inputs=np.random.default_rng(0).normal(size=(2, 9, width)))
    out = tmp_path / "d.safetensors"
    family, last = ["--family", "spikingssm"], ["--data", str(data)]
    lines = [
        ["inspect", str(nameless)],
        ["convert", str(nameless), "--calibration", str(data), "-o", str(out)],
        ["simulate", str(nameless), *last, "--backend", "float"],
        ["verify", str(out), *last, "--against", str(nameless), "--backends", "native"],
        ["compare", str(out), str(out), *last, "--against", str(nameless)],
        ["report", str(out), *last, "--against", str(nameless), "--html", str(tmp_path / "r")],
    ]
    for words in lines:
        with pytest.raises(SystemExit) as left:
            main([*words, *family])
        assert left.value.code == 0, words
    for words in (lines[0], lines[2]):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2, words


def test_an_unknown_family(nameless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["convert", str(nameless), "--family", "spiking_ssm"])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "unknown family 'spiking_ssm'; there are: spikingssm" in told
    assert "did you mean 'spikingssm'?" in told


def test_a_configuration_as_a_table_or_a_file(tmp_path: Path) -> None:
    tensors, config = tiny_spikingssm_state()
    write_zip(tmp_path / "bare.ckpt", state_dict(tensors))
    (tmp_path / "config.json").write_text(json.dumps(config))
    content = (tmp_path / "bare.ckpt").read_bytes()
    found = {
        network_digest(read_source(thing, ReadOptions(config=given)).network)
        for thing in (tmp_path / "bare.ckpt", content)
        for given in (config, tmp_path / "config.json")
    }
    assert len(found) == 1


# --- what cannot be read


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (3, "nothing reads a int; give the path of a checkpoint"),
        (b"", "cannot use the checkpoint's bytes: the file is empty"),
        (b"hello, world", "bytes: it is neither a PyTorch checkpoint nor safetensors"),
        ("nowhere.ckpt", "cannot use the checkpoint nowhere.ckpt: no such file"),
    ],
)
def test_what_nothing_reads(thing: object, message: str) -> None:
    with pytest.raises((CheckpointError, ConfigError), match=message):
        read_source(thing)


def test_options_without_use_are_refused() -> None:
    network = float_network()
    with pytest.raises(ConfigError, match="a Network takes no family: leave it out"):
        snn_deploy.convert(network, family="spikingssm")
    source = read_source(network)
    with pytest.raises(ConfigError, match="takes no config and no output_steps"):
        read_source(source, ReadOptions(config={}, output_steps="all"))


def test_a_source_is_no_lowered_network(expected: snn_deploy.Deployment) -> None:
    with pytest.raises(NetworkError, match="a source is a float network, or an integer one, but"):
        read_source(expected.network)
