"""What is in a checkpoint comes out of it: every container, layout and element type."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import (
    Call,
    Encoder,
    Global,
    New,
    Raw,
    Stored,
    state_dict,
    write_legacy,
    write_safetensors,
    write_zip,
)
from hypothesis import given
from hypothesis import strategies as st

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.errors import ConfigError

Writer = Callable[[Path, Any], Path]
writers = pytest.mark.parametrize("write", [write_zip, write_legacy])

DTYPES = ("bool", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16")
WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
"""Checkpoints whose pickle lost a byte when a path in it was masked; torch refuses them too."""


def omegaconf(value: Any) -> Any:
    """Pickle ``value`` the way OmegaConf containers pickle themselves."""
    metadata = New(
        "omegaconf.base.ContainerMetadata",
        {
            "ref_type": Global("typing.Any"),
            "object_type": Global("__builtin__.dict"),
            "resolver_cache": Call("collections.defaultdict", (Global("__builtin__.dict"),)),
        },
    )
    common = {"_metadata": metadata, "_parent": None, "_flags_cache": None}
    if isinstance(value, dict):
        content: Any = {key: omegaconf(item) for key, item in value.items()}
        return New("omegaconf.dictconfig.DictConfig", common | {"_content": content})
    if isinstance(value, list):
        items = [omegaconf(item) for item in value]
        return New("omegaconf.listconfig.ListConfig", common | {"_content": items})
    return New("omegaconf.nodes.AnyNode", {"_metadata": metadata, "_parent": None, "_val": value})


@writers
def test_bare_state_dict(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path / "model.pt", state_dict({"b": WEIGHT, "a": WEIGHT[0]}))
    checkpoint = read_checkpoint(path)
    assert list(checkpoint.tensors) == ["b", "a"]
    np.testing.assert_array_equal(checkpoint.tensors["b"], WEIGHT)
    np.testing.assert_array_equal(checkpoint.tensors["a"], WEIGHT[0])
    assert checkpoint.path == path
    assert checkpoint.container == ("zip" if write is write_zip else "legacy")
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.config is None
    assert checkpoint.extras == {}


@writers
def test_lightning_checkpoint(tmp_path: Path, write: Writer) -> None:
    config = {
        "model": {"layer": {"d_state": 64, "lr": [0.001, None]}, "prenorm": False},
        "mode": "${train.monitor}",
        "unset": "???",
    }
    content = {
        "epoch": 3,
        "pytorch-lightning_version": "2.0.4",
        "state_dict": state_dict({"module.w": WEIGHT}),
        "optimizer_states": [{"state": {0: {"ema": WEIGHT * 2}}, "betas": (0.9, 0.999)}],
        "hyper_parameters": omegaconf(config),
        "hparams_type": Global("omegaconf.dictconfig.DictConfig"),
    }
    checkpoint = read_checkpoint(write(tmp_path / "last.ckpt", content))
    assert list(checkpoint.tensors) == ["module.w"]
    assert checkpoint.config == config
    assert set(checkpoint.extras) == set(content) - {"state_dict", "hyper_parameters"}
    assert checkpoint.extras["epoch"] == 3
    assert checkpoint.extras["hparams_type"] == "omegaconf.dictconfig.DictConfig"
    (optimizer,) = checkpoint.extras["optimizer_states"]
    assert optimizer["betas"] == [0.9, 0.999]
    np.testing.assert_array_equal(optimizer["state"][0]["ema"], WEIGHT * 2)


def test_averaged_model_keeps_its_keys(tmp_path: Path) -> None:
    count = np.array(7, np.int64)
    path = write_zip(tmp_path / "swa.pt", state_dict({"n_averaged": count, "module.w": WEIGHT}))
    tensors = read_checkpoint(path).tensors
    assert list(tensors) == ["n_averaged", "module.w"]
    assert tensors["n_averaged"].shape == ()
    assert tensors["n_averaged"] == 7


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (New("argparse.Namespace", {"lr": 0.1}), {"lr": 0.1}),
        (Call("pathlib.PosixPath", ("/", "data", "x")), "/data/x"),
        (Call("pathlib._local.WindowsPath", ("C:\\", "x")), "C:\\x"),
        (Call("torch.Size", ((2, 3),)), [2, 3]),
        (Call("torch.device", ("cuda", 1)), "cuda:1"),
        (Call("torch.device", ("cpu",)), "cpu"),
        (Global("torch.float32"), "torch.float32"),
        (Call("__builtin__.set", ([1, 2],)), [1, 2]),
        (Raw(b"\x8f(K\x01K\x02\x90"), [1, 2]),
        (Raw(b"(K\x01K\x02\x91"), [1, 2]),
        (Call("collections.Counter", ({30: 1},)), {30: 1}),
        (Raw(b"\x8c\x02ab"), "ab"),
        (Raw(b"J\xff\xff\xff\xff"), -1),
        (Raw(b"M\x01\x02"), 0x201),
        (Raw(b"C\x02ab"), b"ab"),
        (-(2**100), -(2**100)),
        (
            Call(
                "numpy.core.multiarray.scalar",
                (
                    Call(
                        "numpy.dtype",
                        ("f8", False, True),
                        state=(3, "<", None, None, None, -1, -1, 0),
                    ),
                    Call("_codecs.encode", (struct.pack("<d", 0.3).decode("latin1"), "latin1")),
                ),
            ),
            0.3,
        ),
    ],
)
def test_plain_values(tmp_path: Path, value: Any, plain: Any) -> None:
    path = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "extra": value})
    assert read_checkpoint(path).extras == {"extra": plain}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_pickle_itself_writes(tmp_path: Path, protocol: int) -> None:
    shared: list[Any] = ["x", 0.5, -70_000, 2**40]
    value = {"a": shared, "b": shared, "c": (), "d": ((1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))}
    value |= {"e": OrderedDict(x=True, y=None), "f": {5}, "g": b"\xffab", "h": "é" * 300}
    plain = value | {"d": [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]], "c": [], "f": [5]}
    pickled = Raw(pickle.dumps(value, protocol)[2:-1])  # without the protocol and the stop
    path = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "extra": pickled})
    assert read_checkpoint(path).extras["extra"] == plain


@writers
@pytest.mark.parametrize("dtype", DTYPES)
def test_element_types(tmp_path: Path, write: Writer, dtype: str) -> None:
    array = np.array([[0, 1, 3], [2, 0, 100]]).astype(dtype)
    tensor = read_checkpoint(write(tmp_path / "x.pt", {"w": array})).tensors["w"]
    assert tensor.dtype == array.dtype
    np.testing.assert_array_equal(tensor, array)


@writers
def test_bfloat16_becomes_the_same_float32(tmp_path: Path, write: Writer) -> None:
    halves = np.array([0x3F80, 0xC049, 0x0001, 0x7F80, 0x0000], np.uint16)
    stored = Stored("torch.BFloat16Storage", halves.tobytes(), 5, (5,), (1,))
    tensor = read_checkpoint(write(tmp_path / "x.pt", {"w": stored})).tensors["w"]
    expected = np.array([1.0, -3.140625, 2.0**-133, np.inf, 0.0], np.float32)
    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor, expected)


def test_types_without_a_storage_class_of_their_own(tmp_path: Path) -> None:
    data = np.arange(6, dtype=np.uint16)
    reference = ("storage", Global("torch.storage.UntypedStorage"), "k", "cpu", data.nbytes)
    view = (Raw(b""), 1, (2, 2), (2, 1), False, Call("collections.OrderedDict"))

    def rebuild(dtype: str) -> Call:
        pid = Raw(Encoder().encode(reference) + b"Q")
        return Call("torch._utils._rebuild_tensor_v3", (pid, *view[1:], Global(dtype)))

    path = tmp_path / "x.pt"
    write_zip(path, {"w": rebuild("torch.uint16")}, extra={"archive/data/k": data.tobytes()})
    tensor = read_checkpoint(path).tensors["w"]
    assert tensor.dtype == np.uint16
    np.testing.assert_array_equal(tensor, [[1, 2], [3, 4]])


def test_parameters(tmp_path: Path) -> None:
    hooks = Call("collections.OrderedDict")
    content = {
        "a": Call("torch._utils._rebuild_parameter", (WEIGHT, True, hooks)),
        "b": Call("torch._utils._rebuild_parameter_with_state", (WEIGHT, True, hooks, {"x": 1})),
    }
    tensors = read_checkpoint(write_zip(tmp_path / "x.pt", content)).tensors
    np.testing.assert_array_equal(tensors["a"], WEIGHT)
    np.testing.assert_array_equal(tensors["b"], WEIGHT)


def test_big_endian_file(tmp_path: Path) -> None:
    stored = Stored("torch.FloatStorage", WEIGHT.astype(">f4").tobytes(), 12, (3, 4), (4, 1))
    path = write_zip(tmp_path / "x.pt", {"w": stored}, byte_order=b"big")
    tensor = read_checkpoint(path).tensors["w"]
    assert tensor.dtype.isnative
    np.testing.assert_array_equal(tensor, WEIGHT)


@given(
    size=st.lists(st.integers(0, 4), max_size=4).map(tuple),
    order=st.randoms(),
    offset=st.integers(0, 5),
    step=st.integers(1, 3),
)
def test_views_into_one_storage(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, ...],
    order: Any,
    offset: int,
    step: int,
) -> None:
    """Transposed, strided and shifted views, as numpy sees them."""
    base = np.arange(offset + step * int(np.prod(size)), dtype=np.float32)
    axes = list(range(len(size)))
    order.shuffle(axes)
    expected = base[offset : offset + step * int(np.prod(size)) : step].reshape(size)
    expected = expected.transpose(axes)
    stride = [step * int(np.prod(size[axis + 1 :])) for axis in axes]
    kind, shape = "torch.FloatStorage", expected.shape
    stored = Stored(kind, base.tobytes(), base.size, shape, tuple(stride), offset)
    path = write_zip(tmp_path_factory.mktemp("views") / "x.pt", {"w": stored, "v": WEIGHT})
    np.testing.assert_array_equal(read_checkpoint(path).tensors["w"], expected)


def test_tied_tensors_share_their_storage(tmp_path: Path) -> None:
    tied = Stored("torch.FloatStorage", WEIGHT.tobytes(), 12, (3, 4), (4, 1), key="7")
    tensors = read_checkpoint(write_zip(tmp_path / "x.pt", {"a": tied, "b": tied})).tensors
    assert np.shares_memory(tensors["a"], tensors["b"])


def test_arrays_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", {"w": WEIGHT, "h": np.ones(3, np.float16)})
    for tensor in read_checkpoint(path).tensors.values():
        assert not tensor.flags.writeable
        base: Any = tensor
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base.obj, bytes)


def test_empty_tensors(tmp_path: Path) -> None:
    empty = Stored("torch.FloatStorage", b"", 0, (1, 16, 0, 2), (0, 0, 2, 1))
    path = write_zip(tmp_path / "x.pt", {"C": empty})
    assert read_checkpoint(path).tensors["C"].shape == (1, 16, 0, 2)


def test_any_root_folder_and_no_byte_order(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", {"w": WEIGHT}, root="best_model2", byte_order=None)
    np.testing.assert_array_equal(read_checkpoint(path).tensors["w"], WEIGHT)


def read_safetensors_example(path: Path, **kwargs: Any) -> Checkpoint:
    tensors = {
        "w": ("F32", (3, 4), WEIGHT.tobytes()),
        "n": ("I64", (), np.array(5, np.int64).tobytes()),
        "e": ("F64", (2, 0), b""),
        "h": ("BF16", (1,), np.array([0x3F80], np.uint16).tobytes()),
        "b": ("BOOL", (2,), b"\1\0"),
        "odd": ("F16", (1,), np.array([2.5], np.float16).tobytes()),
    }
    return read_checkpoint(write_safetensors(path, tensors, {"format": "pt"}), **kwargs)


def test_safetensors(tmp_path: Path) -> None:
    checkpoint = read_safetensors_example(tmp_path / "x.safetensors")
    assert checkpoint.container == "safetensors"
    assert checkpoint.config is None
    assert checkpoint.extras == {"__metadata__": {"format": "pt"}}
    tensors = checkpoint.tensors
    np.testing.assert_array_equal(tensors["w"], WEIGHT)
    assert tensors["n"] == 5
    assert tensors["e"].shape == (2, 0)
    assert (tensors["h"].dtype, tensors["h"][0]) == (np.float32, 1.0)
    assert tensors["b"].tolist() == [True, False]
    assert tensors["odd"].tolist() == [2.5]


def test_safetensors_takes_the_config_beside_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model": {"n_layers": 2}}')
    assert read_safetensors_example(tmp_path / "x.safetensors").config == {"model": {"n_layers": 2}}
    other = tmp_path / "other.yaml"
    other.write_text("model: {n_layers: 3}")
    checkpoint = read_safetensors_example(tmp_path / "x.safetensors", config=other)
    assert checkpoint.config == {"model": {"n_layers": 3}}


def test_a_config_file_goes_before_the_one_inside(tmp_path: Path) -> None:
    content = {"state_dict": {"w": WEIGHT}, "hyper_parameters": {"lr": 1}}
    path = write_zip(tmp_path / "x.ckpt", content)
    config = tmp_path / "config.yaml"
    config.write_text("lr: 1e-3\nsize: 1_000\nname: ${model.name}\nday: 2024-01-31\nnone: ~\n")
    assert read_checkpoint(path).config == {"lr": 1}
    assert read_checkpoint(path, config).config == {
        "lr": 0.001,
        "size": 1000,
        "name": "${model.name}",
        "day": "2024-01-31",
        "none": None,
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "- 1\n- 2\n", "c.yaml cannot be used: it is not a table of names"),
        ("c.yaml", "a: [1", "it is not YAML"),
        ("c.yaml", "a: 1\nb: 2\na: 3\n", "'a' is given twice, again at line 3"),
        ("c.yaml", "a: &a {x: 1}\nb: {<<: *a}\n", "merges a table with '<<' at line 2"),
        ("c.yaml", "a: !!python/object/apply:os.system [ls]\n", "could not determine a constr"),
        ("c.yaml", "a: !!set {x, y}\n", "holds a set where plain data should be"),
        ("c.yaml", "a: &a [*a]\n", "nested in a circle"),
        ("c.yaml", "[" * 999, "nested too deeply"),
        ("c.yaml", "a: \x00\n", "it is not YAML"),
        ("c.json", "{", "Expecting property name"),
        ("c.json", "[" * 100_000, "nested too deeply"),
        ("c.json", "7", "it is not a table"),
        ("c.yaml", "", "it is not a table"),
    ],
)
def test_bad_config_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = write_zip(tmp_path / "x.pt", {"w": WEIGHT})
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_checkpoint(path, tmp_path / name)


def test_shared_anchors_cannot_blow_up_a_config(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    path = write_zip(tmp_path / "x.pt", {"w": WEIGHT})
    with pytest.raises(ConfigError, match="more than 500000 values"):
        read_checkpoint(path, tmp_path / "c.yaml")


def test_missing_config_files(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", {"w": WEIGHT})
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_checkpoint(path, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        read_checkpoint(path, tmp_path)


def real_checkpoints(shared: Path) -> list[Path]:
    kinds = {".ckpt", ".pt", ".pth", ".safetensors"}
    return sorted(file for file in (shared / "checkpoints").rglob("*") if file.suffix in kinds)


def test_every_real_checkpoint_reads(shared: Path) -> None:
    files = real_checkpoints(shared)
    assert len(files) > 100
    for file in files:
        checkpoint = read_checkpoint(file)
        assert checkpoint.tensors
        if "zoo" in file.parts:
            check_shapes(file, checkpoint.tensors)


def check_shapes(file: Path, tensors: dict[str, Any]) -> None:
    """Against the authors' network, whose keys the containers wrap in several ways."""
    expected = json.loads((file.parent / "meta.json").read_text())["keys"]
    backbone = "model." if file.stem.startswith("bare_module") else ""
    for key, tensor in tensors.items():
        if key != "n_averaged":
            name = backbone + key.removeprefix("module.").removeprefix("_orig_mod.")
            assert list(tensor.shape) == expected.pop(name)[0], (file, key)
    assert not [key for key in expected if key.startswith(backbone)]


def test_the_configuration_inside_is_the_one_beside(shared: Path) -> None:
    for name in ("seqdigits_uni", "seqdigits_bi", "listops_bi"):
        folder = shared / "checkpoints" / name
        inside = read_checkpoint(folder / f"{name}.ckpt")
        beside = read_checkpoint(folder / f"{name}.ckpt", folder / "config.yaml")
        assert inside.config is not None
        assert inside.config == beside.config


def test_real_checkpoints_equal_torch(shared: Path) -> None:
    torch = pytest.importorskip("torch")
    files = [file for file in real_checkpoints(shared) if file.suffix in {".pt", ".pth"}]
    for file in files:
        if file.stem == "legacy_pt":  # holds OmegaConf objects
            continue
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        ours = read_checkpoint(file).tensors
        assert list(ours) == list(loaded)
        for key, tensor in loaded.items():
            assert ours[key].dtype == tensor.numpy().dtype
            np.testing.assert_array_equal(ours[key], tensor.numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_torch_writes_here(tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.arange(12.0).reshape(3, 4)
    content = {
        "t": weight.T,
        "tail": weight[1:, 2],
        "expanded": torch.ones(1).expand(5),
        "parameter": torch.nn.Parameter(weight),
        "half": weight.half(),
        "bfloat16": weight.bfloat16(),
        "complex": torch.complex(weight, weight),
        "empty": torch.empty(0, 3),
    }
    path = tmp_path / "x.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    tensors = read_checkpoint(path).tensors
    for key, tensor in content.items():
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        assert tensors[key].dtype == wide.detach().numpy().dtype
        np.testing.assert_array_equal(tensors[key], wide.detach().numpy())
