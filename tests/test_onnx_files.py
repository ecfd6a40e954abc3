"""ONNX files: what is in them, what comes back, and what a stranger's file cannot do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from head_networks import deployed, ending, softmax
from networks import MAKERS, around
from same_results import assert_same_signals
from test_several_ports import LENGTHS, ORIGIN, compiled, mantissas

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError, DeploymentError, OutputError
from snn_deploy.formats.registry import FORMATS, get_format, recognised_format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.storage import network_digest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from snn_deploy.formats.onnx.engine import OnnxEngine  # noqa: E402

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
PREFIX = "snn_deploy."


@pytest.fixture(scope="module")
def digits() -> snn_deploy.Deployment:
    checkpoint, data = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
    return snn_deploy.convert(checkpoint, calibration=data)


def written(network: Network, folder: Path) -> Path:
    path = folder / "network.onnx"
    get_format("onnx").write(snn_deploy.Deployment(network, ORIGIN), path)
    return path


def told(path: Path) -> dict[str, Any]:
    """Give what the metadata say, by their names without the prefix."""
    found = {
        entry.key.removeprefix(PREFIX): entry.value for entry in onnx.load(path).metadata_props
    }
    plain = ("version", "deployment_sha256", "content_sha256")
    return {name: text if name in plain else json.loads(text) for name, text in found.items()}


def test_what_comes_back(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    with np.load(EXAMPLE / "test.npz") as data:
        sequences = data["inputs"][:4]
    digits.save(tmp_path / "d.safetensors")
    words = ["export", str(tmp_path / "d.safetensors"), "--format", "onnx", "-o"]
    for name in ("a.onnx", "b.onnx"):
        done = CliRunner().invoke(commands, [*words, str(tmp_path / name)], standalone_mode=False)
        assert done.exception is None
        assert f"wrote {tmp_path / name}" in done.output
    for suffix in (".onnx", ".step.onnx"):
        first, second = (tmp_path / f"{name}{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
        found = snn_deploy.load(first)
        assert network_digest(found.network) == network_digest(digits.network)
        assert found.origin == digits.origin
        native = [x.simulate(sequences, backend="native").answer for x in (found, digits)]
        np.testing.assert_array_equal(*native)


@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_a_node_of_each_kind_comes_back(kind: type[Node], tmp_path: Path) -> None:
    network = around(kind, np.random.default_rng(1))
    if network.stage != "lowered":
        return
    path = written(network, tmp_path)
    assert network_digest(get_format("onnx").read(path).network) == network_digest(network)


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    network = compiled()
    run = Run(mantissas(network), LENGTHS, network.names)
    made, reference = (run_whole(e, network, run) for e in (OnnxEngine(), ReferenceEngine()))
    assert made.output.keys() == {"kind", "act"}
    assert_same_signals(made, reference)
    path = written(network, tmp_path)
    assert set(told(path)["inputs"]) == {"touch", "sight"}
    assert set(told(path)["outputs"]) == {"kind/answer", "act/answer"}
    assert network_digest(get_format("onnx").read(path).network) == network_digest(network)


def test_a_head_is_named(tmp_path: Path) -> None:
    network = deployed(ending(softmax(), output_steps="all"))
    head = [node.name for node in network.head]
    assert head
    path = written(network, tmp_path)
    (output,) = told(path)["outputs"].values()
    assert output["head"] == head
    assert network_digest(get_format("onnx").read(path).network) == network_digest(network)


def test_what_the_file_says(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    get_format("onnx").write(digits, path)
    model, form = onnx.load(path), digits.network.input.output  # type: ignore[attr-defined]
    assert (model.ir_version, model.opset_import[0].version) == (8, 18)
    assert told(path)["inputs"] == {
        "input": {"bits": form.bits, "exponent": list(form.exponent), "signed": form.signed}
    }
    assert [node.name for node in model.graph.node if node.op_type == "Synapses"] == [
        node.name for node in digits.network if node.kind == "Synapses"
    ]
    types = {tensor.data_type for tensor in model.graph.initializer}
    assert types <= {onnx.TensorProto.INT8, onnx.TensorProto.INT32, onnx.TensorProto.INT64}


def test_a_backwards_network_has_no_step(tmp_path: Path) -> None:
    drawn = (around(kind("Dendrite"), np.random.default_rng(seed)) for seed in range(20))
    network = next(found for found in drawn if found.nodes[-1].runs_backwards)
    deployment, path = snn_deploy.Deployment(network, ORIGIN), tmp_path / "d.onnx"
    made = get_format("onnx").write(deployment, path)
    assert made.paths == (path,)
    (note,) = made.notes
    assert note == (
        "this network has no model of a step: node 'node' (Dendrite) runs from a sequence's end to "
        "its start"
    )


def kind(name: str) -> type[Node]:
    return next(kind for kind in MAKERS if kind.__name__ == name)


def spoil(change: Callable[[Any], None], path: Path) -> None:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())


def outside(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def huge(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**40]


def negative(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [-1, 5]


def without_type(model: Any) -> None:
    model.graph.initializer[0].data_type = 99


def texts(model: Any) -> None:
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING


def changed(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]


def missing(model: Any) -> None:
    del model.graph.initializer[0]


def metadata(name: str, text: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == PREFIX + name)
        entry.value = text

    return change


def foreign(model: Any) -> None:
    del model.metadata_props[:]


def beside(dtype: str, shape: Any, data: bytes | str) -> Callable[[Any], None]:
    packed = data if isinstance(data, str) else base64.b64encode(data).decode()
    entry = {"x": {"dtype": dtype, "shape": shape, "data": packed}}
    return metadata("tensors_beside", json.dumps(entry))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "its numbers are in another file, which is not opened"),
        (huge, "bytes, and there are"),
        (negative, "is no array's"),
        (without_type, "99 is no known type of numbers"),
        (texts, "is no type of numbers"),
        (changed, "its SHA-256 does not match"),
        (missing, "a damaged deployment"),
        (foreign, "not a deployment of snn-deploy"),
        (metadata("document", "{"), "a damaged deployment"),
        (metadata("document", "[]"), "its document are a list"),
        (metadata("document", "[" * 100_000), "a damaged deployment"),
        (metadata("document", "{}"), "schema version None"),
        (metadata("tensors", '{"x": 1}'), "a damaged deployment"),
        (beside("|O", [1], b"12345678"), "its type is none of"),
        (beside("<i8", [2], b"12345678"), "do not fill its shape"),
        (beside("<i8", [-1], b"12345678"), "its shape is no array's"),
        (beside("<i8", [1], "%"), "not base64"),
        (beside("<i8", None, b"12345678"), "a damaged deployment"),
    ],
)
def test_a_spoilt_file(
    change: Callable[[Any], None], message: str, digits: snn_deploy.Deployment, tmp_path: Path
) -> None:
    path = tmp_path / "d.onnx"
    get_format("onnx").write(digits, path)
    spoil(change, path)
    with pytest.raises(DeploymentError) as caught:
        snn_deploy.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 100, 10_000])
def test_a_truncated_file(size: int, digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    get_format("onnx").write(digits, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DeploymentError, match=r"not (an ONNX file|a deployment of snn-deploy), or"):
        snn_deploy.load(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="No such file"):
        snn_deploy.load(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(DeploymentError, match="Is a directory"):
        snn_deploy.load(tmp_path / "folder.onnx")


def test_test_vectors_are_for_sources(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    digits.save(tmp_path / "d.safetensors")
    words = ["export", str(tmp_path / "d.safetensors"), "--format", "onnx", "--data", "x.npz"]
    done = CliRunner().invoke(commands, [*words, "-o", str(tmp_path / "d.onnx")])
    assert isinstance(done.exception, Exception)
    assert "--data: format onnx has no test vectors: leave it out" in str(done.exception)


def test_a_name_says_the_format(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"give a name that ends in \.onnx"):
        get_format("onnx").write(digits, tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_a_model_of_others_is_not_overwritten(
    digits: snn_deploy.Deployment, tmp_path: Path
) -> None:
    for name in ("d.onnx", "d.step.onnx"):
        path = tmp_path / name
        path.write_bytes(b"theirs")
        with pytest.raises(OutputError, match=r"exists and is not a deployment"):
            get_format("onnx").write(digits, tmp_path / "d.onnx")
        assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"theirs"]
        path.unlink()
    get_format("onnx").write(digits, tmp_path / "d.onnx")
    get_format("onnx").write(digits, tmp_path / "d.onnx")


def test_commands_take_a_model(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    path, data = str(tmp_path / "d.onnx"), str(EXAMPLE / "test.npz")
    get_format("onnx").write(digits, Path(path))
    run = CliRunner().invoke(commands, ["simulate", path, "--data", data])
    assert (run.exit_code, run.exception) == (0, None)
    assert "98.06%" in run.output
    for words in (["inspect", path], ["verify", path, "--data", data, "--limit", "1"]):
        run = CliRunner().invoke(commands, words)
        assert (run.exit_code, run.exception) == (0, None)
    with pytest.raises(ConfigError, match="is a deployment already"):
        CliRunner().invoke(
            commands, ["convert", path, "-o", f"{path}.safetensors"], catch_exceptions=False
        )


def test_formats_are_known_by_their_files(tmp_path: Path) -> None:
    assert list(FORMATS) == [get_format(name).name for name in FORMATS]
    assert recognised_format(tmp_path / "d.safetensors") is None
    (tmp_path / "D.ONNX").write_bytes(b"snn_deploy.document")
    found = recognised_format(tmp_path / "D.ONNX")
    assert found is not None
    assert found.name == "onnx"
