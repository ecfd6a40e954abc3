"""One network in the many files that people save: all of them open, to the same network.

Nothing in them is run: see ``test_checkpoint_hostile``. Made byte by byte, so that torch is not
needed; a test with torch itself is in ``test_training_finetune``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import Call, Global, New, Raw, write_legacy, write_safetensors, write_zip
from conftest import SHARED
from synthetic import tiny_spikingssm_state

from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.checkpoint.plain_data import Record
from snn_deploy.cli.main import main
from snn_deploy.errors import CheckpointError
from snn_deploy.examples.torch_file import state_dict
from snn_deploy.ir.storage import network_digest
from snn_deploy.readers import ReadOptions, read_source

TENSORS, CONFIG = tiny_spikingssm_state()
STATE = state_dict(TENSORS)
OTHERS = {"a.weight": np.ones((2, 2), np.float32), "a.bias": np.ones(2, np.float32)}


def raw(data: bytes) -> Call:
    """Bytes, as protocol 2 writes them."""
    return Call("_codecs.encode", (data.decode("latin1"), "latin1"))


DTYPE = Call("numpy.dtype", ("f8", False, True), state=(3, "<", None, None, None, -1, -1, 0))
TEXTS = Call("numpy.dtype", ("U3", False, True), state=(3, "<", None, None, None, 12, 4, 8))


def array(shape: tuple[int, ...], data: bytes, dtype: Any = DTYPE) -> Call:
    return Call(
        "numpy.core.multiarray._reconstruct",
        (Global("numpy.ndarray"), (0,), raw(b"b")),
        state=(1, shape, dtype, False, raw(data)),
    )


def module(
    kind: str,
    parameters: dict[str, Any] | None = None,
    modules: dict[str, Any] | None = None,
    **attributes: Any,
) -> New:
    """A pickled ``torch.nn.Module``, as torch.save(model) writes one."""
    hooks = {f"_{name}_hooks": Call("collections.OrderedDict") for name in ("forward", "backward")}
    return New(
        kind,
        {
            "training": True,
            "_parameters": Call("collections.OrderedDict", items=parameters or {}),
            "_buffers": Call("collections.OrderedDict"),
            "_non_persistent_buffers_set": Call("builtins.set", ([],)),
            "_modules": Call("collections.OrderedDict", items=modules or {}),
            **hooks,
            **attributes,
        },
    )


def tree(tensors: dict[str, Any], kind: str = "__main__.Net", **attributes: Any) -> New:
    """The module whose state dict is ``tensors``."""
    parameters = {key: value for key, value in tensors.items() if "." not in key}
    names = dict.fromkeys(key.partition(".")[0] for key in tensors if "." in key)
    inner = {
        name: tree(
            {k.partition(".")[2]: v for k, v in tensors.items() if k.startswith(f"{name}.")},
            "torch.nn.modules.module.Module",
        )
        for name in names
    }
    return module(kind, parameters, inner, **attributes)


def prefixed(prefix: str, tensors: dict[str, Any] = TENSORS) -> dict[str, Any]:
    return {prefix + key: value for key, value in tensors.items()}


def lightning(**more: Any) -> dict[str, Any]:
    return {"state_dict": STATE, "hyper_parameters": CONFIG, "epoch": 3, **more}


def hyper(**more: Any) -> dict[str, Any]:
    return {"state_dict": STATE, "hyper_parameters": {**CONFIG, **more}}


KINDS: dict[str, tuple[Any, dict[str, str]]] = {
    "weights under model": ({"model": STATE, "config": CONFIG, "epoch": 1}, {"key": "model"}),
    "weights under net": ({"net": STATE, "cfg": CONFIG}, {"key": "net"}),
    "weights under weights": ({"weights": STATE, "args": CONFIG}, {"key": "weights"}),
    "weights under model_state_dict": (
        {"model_state_dict": STATE, "optimizer_state_dict": {"state": {}}, "hparams": CONFIG},
        {"key": "model_state_dict"},
    ),
    "weights two levels down": ({"run": {"best": STATE}, "config": CONFIG}, {"key": "run.best"}),
    "an optimiser of tensors beside them": (
        {"model": STATE, "metrics": {"acc": np.float32([0.9])}, "config": CONFIG},
        {"key": "model"},
    ),
    "another state dict beside them": (
        {"model": STATE, "discriminator": state_dict(OTHERS), "config": CONFIG},
        {"key": "model"},
    ),
    "the configuration one level down": (
        {"state_dict": STATE, "hyper_parameters": {"config": CONFIG, "seed": 1}},
        {},
    ),
    "a wrapping LightningModule": (
        {"state_dict": state_dict(prefixed("net.")), "hyper_parameters": CONFIG},
        {"prefix": "net."},
    ),
    "two wrapping modules": (
        {"state_dict": state_dict(prefixed("system.backbone.")), "config": CONFIG},
        {"prefix": "system.backbone."},
    ),
    "DistributedDataParallel inside": (
        {"state_dict": state_dict(prefixed("net.module.")), "config": CONFIG},
        {"prefix": "net."},
    ),
    "compiled inside": (
        {"state_dict": state_dict(prefixed("net._orig_mod.")), "config": CONFIG},
        {"prefix": "net."},
    ),
    "a path": (hyper(data_dir=Call("pathlib.PosixPath", ("/", "data"))), {}),
    "a pure path": (hyper(root=Call("pathlib.PurePosixPath", ("/", "x"))), {}),
    "a date": (
        hyper(started=Call("datetime.datetime", (raw(b"\x07\xe8\x01\x02" + b"\0" * 6),))),
        {},
    ),
    "a time zone": (
        hyper(zone=Call("datetime.timezone", (Call("datetime.timedelta", (0, 0, 0)),))),
        {},
    ),
    "an enum": (hyper(mode=Call("my_project.modes.Mode", ("causal",))), {}),
    "a dataclass": (hyper(data=New("my_project.Config", {"batch": 4, "tags": ["a"]})), {}),
    "a namespace": (hyper(args=New("argparse.Namespace", {"lr": 0.1})), {}),
    "a simple namespace": (hyper(ns=Call("types.SimpleNamespace", state={"lr": 0.1})), {}),
    "a UUID": (hyper(run=New("uuid.UUID", {"int": 1 << 100})), {}),
    "a Decimal": (hyper(lr=Call("decimal.Decimal", ("0.1",))), {}),
    "a numpy number": (
        hyper(mean=Call("numpy.core.multiarray.scalar", (DTYPE, raw(b"\0" * 8)))),
        {},
    ),
    "a numpy array": (hyper(std=array((2, 3), np.arange(6.0).tobytes())), {}),
    "a large numpy array": (hyper(std=array((1000,), np.arange(1000.0).tobytes())), {}),
    "a numpy array of texts": (hyper(names=array((1,), b"a\0\0\0" * 3, TEXTS)), {}),
    "a loss": (hyper(loss=module("torch.nn.modules.loss.MSELoss", reduction="mean")), {}),
    "a function": (hyper(activation=Global("torch.nn.functional.gelu")), {}),
    "a bound method": (hyper(act=Call("builtins.getattr", (Global("my.Net"), "act"))), {}),
    "a partial function": (
        hyper(
            norm=Call(
                "functools.partial",
                (Global("torch.nn.LayerNorm"),),
                state=(Global("torch.nn.LayerNorm"), (), {"eps": 1e-5}, None),
            )
        ),
        {},
    ),
    "a slotted object": (hyper(x=New("my.Slotted", (None, {"a": 1}))), {}),
    "callbacks keyed by a class": (
        lightning(callbacks={Global("lightning.callbacks.EarlyStopping"): {"wait": 0}}),
        {},
    ),
    "tables keyed by tuples and enums": (
        lightning(
            x=Raw(b"}(K\x01K\x02\x86K\x03cmy\nMode\nX\x01\x00\x00\x00a\x85RK\x04u"),
        ),
        {},
    ),
    "an optimiser as an object": (
        lightning(optimizer=New("torch.optim.adam.Adam", {"defaults": {"lr": 0.1}, "state": {}})),
        {},
    ),
    "a sparse tensor that is no weight": (
        lightning(
            graph=Call("torch._utils._rebuild_sparse_tensor", (Global("torch.sparse_coo"), ()))
        ),
        {},
    ),
    "a whole module": ({"model": tree(TENSORS), "config": CONFIG}, {"key": "model"}),
    "a whole module that holds itself": (
        {
            "model": Raw(b""),  # filled in below: a module with a link to itself
            "config": CONFIG,
        },
        {"key": "model"},
    ),
    "only a module, its configuration an attribute": (tree(TENSORS, config=CONFIG), {}),
    "a Python 2 string": (lightning(note=Raw(b"U\x03abc")), {}),
    "a bytearray": (lightning(note=Raw(b"\x96\x03\0\0\0\0\0\0\0abc")), {}),
    "an object made with named arguments": (
        lightning(note=Raw(b"cmy\nThing\n)}\x92")),
        {},
    ),
}
KINDS["a whole module that holds itself"][0]["model"] = tree(
    TENSORS, parent=Raw(b"cmy\nThing\n)\x81q\x7f}X\x02\x00\x00\x00meh\x7fsb")
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_zip(tmp_path_factory.mktemp("plain") / "x.ckpt", lightning())
    return network_digest(read_source(path).network)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("kind", KINDS)
def test_what_people_save_opens(
    tmp_path: Path, expected: str, kind: str, write: Callable[..., Path]
) -> None:
    content, said = KINDS[kind]
    source = read_source(write(tmp_path / "x.pth", content))
    assert network_digest(source.network) == expected
    chosen = source.provenance.chosen
    assert chosen.get("state dict") == said.get("key")
    assert chosen.get("prefix") == said.get("prefix")


def test_what_is_in_it_is_kept_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    content = hyper(
        std=KINDS["a numpy array"][0]["hyper_parameters"]["std"],
        many=KINDS["a large numpy array"][0]["hyper_parameters"]["std"],
        texts=KINDS["a numpy array of texts"][0]["hyper_parameters"]["names"],
        data=KINDS["a dataclass"][0]["hyper_parameters"]["data"],
        date=KINDS["a date"][0]["hyper_parameters"]["started"],
        slots=KINDS["a slotted object"][0]["hyper_parameters"]["x"],
        root=KINDS["a pure path"][0]["hyper_parameters"]["root"],
    )
    config: Any = read_checkpoint(write_zip(tmp_path / "x.ckpt", content)).config
    np.testing.assert_array_equal(config["std"], np.arange(6.0).reshape(2, 3))
    assert not config["std"].flags.writeable
    np.testing.assert_array_equal(config["many"], np.arange(1000.0))
    assert config["data"] == {"batch": 4, "tags": ["a"]}
    assert config["data"].kind == "my_project.Config"
    assert (config["date"], config["date"].kind) == ({}, "datetime.datetime")
    assert config["slots"] == {"a": 1}
    assert config["root"] == "/x"
    assert repr(config["texts"]) == "<an object of numpy.ndarray>"


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((2, 4), "48 bytes, not those of its shape"),
        ((-1,), "an impossible shape"),
        ((0, 2**62, 2**62), "an impossible shape"),
    ],
)
def test_damaged_numpy_arrays(tmp_path: Path, shape: tuple[int, ...], told: str) -> None:
    content = hyper(x=array(shape, np.arange(6.0).tobytes()))
    with pytest.raises(CheckpointError, match=told):
        read_checkpoint(write_zip(tmp_path / "x.ckpt", content))


@pytest.mark.parametrize("state", [(3, "<", None), (3, "O", None, None, None, -1, -1, 0)])
def test_numpy_arrays_whose_dtype_is_incomplete(tmp_path: Path, state: tuple[Any, ...]) -> None:
    incomplete = Call("numpy.dtype", ("f8", False, True), state=state)
    content = hyper(std=array((1,), b"\0" * 8, incomplete))
    with pytest.raises(CheckpointError, match="an incomplete dtype"):
        read_checkpoint(write_zip(tmp_path / "x.ckpt", content))


@pytest.mark.parametrize("layers", [1, -1])
def test_an_option_that_is_an_object_is_refused_by_path_and_class(
    tmp_path: Path, layers: int
) -> None:
    model = {**CONFIG["model"], "n_layers": Call("my.Depth", (layers,))}
    content = {"state_dict": STATE, "hyper_parameters": {**CONFIG, "model": model}}
    with pytest.raises(Exception, match=r"n_layers.*my\.Depth"):
        read_source(write_zip(tmp_path / "x.ckpt", content))


# --- several of them


def averaged() -> dict[str, Any]:
    other = {key: np.asarray(value * 1.01, np.float32) for key, value in TENSORS.items()}
    return {"model": STATE, "model_ema": state_dict(other), "config": CONFIG}


def test_several_that_fit_are_a_question(tmp_path: Path, expected: str) -> None:
    path = write_zip(tmp_path / "x.pth", averaged())
    with pytest.raises(
        CheckpointError, match=r"2 state dicts.*'model', 'model_ema'.*--state-dict-key"
    ):
        read_source(path)
    named = read_source(path, ReadOptions(state_dict_key="model"))
    assert network_digest(named.network) == expected
    other = read_source(path, ReadOptions(state_dict_key="model_ema"))
    assert network_digest(other.network) != expected
    assert other.provenance.chosen["state dict"] == "model_ema"
    with pytest.raises(CheckpointError, match=r"no state dict under 'ema' \(there are 'model'"):
        read_source(path, ReadOptions(state_dict_key="ema"))


def test_several_networks_in_one_state_dict(tmp_path: Path, expected: str) -> None:
    both = {**prefixed("student."), **prefixed("teacher.", averaged()["model_ema"].items)}
    path = write_zip(tmp_path / "x.pth", {"state_dict": state_dict(both), "config": CONFIG})
    with pytest.raises(CheckpointError, match=r"2 networks.*'student\.', 'teacher\.'.*--prefix"):
        read_source(path)
    for prefix in ("student", "student."):
        assert network_digest(read_source(path, ReadOptions(prefix=prefix)).network) == expected
    with pytest.raises(CheckpointError, match=r"no key begins with 'pupil\.'.*'student\.'"):
        read_source(path, ReadOptions(prefix="pupil"))


def test_keys_that_are_no_weights_of_the_network(tmp_path: Path, expected: str) -> None:
    more = {
        **TENSORS,
        "criterion.weight": np.ones(3, np.float32),
        "metric.total": np.ones((), np.float32),
    }
    path = write_zip(tmp_path / "x.pth", {"state_dict": state_dict(more), "config": CONFIG})
    with pytest.raises(CheckpointError, match=r"'criterion\.weight'.*--ignore-key"):
        read_source(path)
    read = read_source(path, ReadOptions(ignore_keys=("criterion.*", "metric.total")))
    assert network_digest(read.network) == expected


def test_the_command_takes_the_same_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_zip(tmp_path / "x.pth", averaged())
    assert command("inspect", path, "--state-dict-key", "model_ema") == 0
    assert "state dict   model_ema" in capsys.readouterr().out
    assert command("inspect", path) == 2
    assert "--state-dict-key" in capsys.readouterr().err
    more = {**prefixed("a."), **prefixed("b."), "loss.w": np.ones(2, np.float32)}
    content = {"state_dict": state_dict(more), "hyper_parameters": CONFIG}
    path = write_zip(tmp_path / "y.pth", content)
    assert command("inspect", path, "--prefix", "b") == 0
    assert "prefix       b." in capsys.readouterr().out
    assert command("convert", path, "--prefix", "b", "-o", tmp_path / "y.safetensors") == 0
    said = "reader checkpoint, container zip, family spikingssm, prefix b.; 36 tensors, 982 numbers"
    assert f"read as: {said}\n" in capsys.readouterr().out
    assert command("inspect", tmp_path / "y.safetensors") == 0
    # a file's table is by name
    assert "container zip, family spikingssm, prefix b., reader checkpoint; 36 tensors" in (
        capsys.readouterr().out
    )
    assert command("inspect", path, "--ignore-key", "a.*", "--ignore-key", "loss.*") == 0
    assert command("inspect", path, "--prefix", "b", "--weights", "ema") == 2
    assert "holds no averaged weights" in capsys.readouterr().err


def command(*words: str | Path) -> Any:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


# --- several files


def as_safetensors(path: Path, keys: list[str]) -> Path:
    tensors = {k: ("F32", TENSORS[k].shape, TENSORS[k].astype("<f4").tobytes()) for k in keys}
    return write_safetensors(path, tensors)


def sharded(folder: Path) -> Path:
    keys = sorted(TENSORS)
    halves = {
        "model-00001-of-00002.safetensors": keys[::2],
        "model-00002-of-00002.safetensors": keys[1::2],
    }
    for name, half in halves.items():
        as_safetensors(folder / name, half)
    places = {key: name for name, half in halves.items() for key in half}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return index


def test_shards_and_their_folder(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    single = tmp_path / "single"
    single.mkdir()
    as_safetensors(single / "model.safetensors", sorted(TENSORS))
    (single / "config.json").write_text(json.dumps(CONFIG))
    digests = {network_digest(read_source(path).network) for path in (index, tmp_path, single)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "its shard 'model-00002"),
        (
            lambda f: as_safetensors(
                f / "model-00002-of-00002.safetensors", ["decoder.0.output_transform.bias"]
            ),
            "disagree about",
        ),
        (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "no table 'weight_map'"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{"), "not JSON"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "../../secret"}})
            ),
            r"names '\.\./\.\./secret', which is no file beside it",
        ),
    ],
)
def test_damaged_shards(tmp_path: Path, change: Callable[[Path], Any], told: str) -> None:
    sharded(tmp_path)
    change(tmp_path)
    with pytest.raises(CheckpointError, match=told):
        read_source(tmp_path)


def test_a_folder_with_one_checkpoint_or_several(tmp_path: Path, expected: str) -> None:
    write_zip(tmp_path / "best.pth.tar", lightning())
    assert network_digest(read_source(tmp_path).network) == expected
    write_zip(tmp_path / "last.ckpt", lightning())
    with pytest.raises(
        CheckpointError, match=r"name the checkpoint file in it: best\.pth\.tar, last\.ckpt"
    ):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("__0_0.distcp", r"dcp_to_torch"),
        ("saved_model.pb", "TensorFlow"),
        ("model.ckpt.index", "TensorFlow"),
    ],
)
def test_folders_of_other_tools(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match=told):
        read_source(tmp_path)


# --- what is no checkpoint


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<html>", "a web page"),
        (b"\x1f\x8b\x08\0", "gunzip"),
        (b"\x93NUMPY\x01\0", "a numpy array"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b'{"model": {}}', "JSON text"),
        (b"GGUF\x03\0", "GGUF"),
    ],
)
def test_what_it_is_instead(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=told):
        read_source(path)


@pytest.mark.parametrize("name", ["archive/archive_format", "archive/models/model.json"])
def test_exported_programs(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"torch\.export"):
        read_source(write_zip(tmp_path / "x.pt2", lightning(), extra={name: b"pt2"}))


def test_torchscript_with_packed_code(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("script/data/0", b"0")
        archive.writestr("script/code/model.py", b"pass", zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"TorchScript.*state_dict\(\)"):
        read_source(path)


def test_a_file_without_checksums(tmp_path: Path, expected: str) -> None:
    path = write_zip(tmp_path / "x.ckpt", lightning())
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
        members = archive.infolist()
    for member in members:
        raw[member.header_offset + 14 : member.header_offset + 18] = bytes(4)
        raw[start + 16 : start + 20] = bytes(4)
        start += 46 + sum(raw[start + 28 + 2 * i] + 256 * raw[start + 29 + 2 * i] for i in range(3))
    path.write_bytes(raw)
    assert network_digest(read_source(path).network) == expected
    raw[members[0].header_offset + 14] = 1  # local headers are not looked at
    central = raw.rindex(b"PK\x01\x02")
    raw[central + 16] = 1  # one checksum: then all count
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="checksum"):
        read_source(path)


CASES = SHARED / "cases" / "checkpoints"


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared cases beside the repository")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model_key.pth", {"state dict": "model"}),
        ("net_prefix.ckpt", {"prefix": "net."}),
        ("rich.ckpt", {}),
        ("loss_object.ckpt", {}),
        ("callbacks_by_class.ckpt", {}),
    ],
)
def test_the_cases(name: str, said: dict[str, str]) -> None:
    example = Path(__file__).parent.parent / "examples" / "seqdigits_uni" / "seqdigits_uni.ckpt"
    source = read_source(CASES / name)
    assert network_digest(source.network) == network_digest(read_source(example).network)
    assert said.items() <= source.provenance.chosen.items()


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared cases beside the repository")
def test_the_case_of_torchscript() -> None:
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_source(CASES / "script.pt")


def test_records_are_tables() -> None:
    assert Record("a.B", {"x": 1}) == {"x": 1}


def test_the_documentation_lists_every_kind(root: Path) -> None:
    page = " ".join((root / "docs" / "inputs.md").read_text(encoding="utf-8").split())
    assert [kind for kind in KINDS if kind not in page] == []
