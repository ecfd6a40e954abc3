"""A checkpoint that asks for anything but data is refused by name, and nothing in it happens."""

from __future__ import annotations

import os
import pickletools
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import Call, Encoder, Global, New, Raw, Stored, write_legacy, write_zip

from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.checkpoint.plain_data import Record
from snn_deploy.checkpoint.unpickle import unpickle
from snn_deploy.errors import CheckpointError

WEIGHT = np.ones(3, np.float32)
COMMAND = ("touch executed",)

REFUSED = [
    "os.system",
    "posix.system",
    "nt.system",
    "os.path.join",
    "subprocess.Popen",
    "builtins.eval",
    "__builtin__.eval",
    "builtins.exec",
    "builtins.__import__",
    "builtins.open",
    "importlib.import_module",
    "pickle.loads",
    "_pickle.loads",
    "types.FunctionType",
    "runpy._run_code",
    "torch.load",
    "torch.jit.load",
    "torch.hub.load",
    "torch.serialization.load",
    "numpy.load",
    "urllib.request.urlopen",
    "shutil.rmtree",
    "sys.exit",
]
"""What can only be meant to run."""

INERT = [
    "builtins.getattr",
    "builtins.type",
    "builtins.bytearray",
    "functools.partial",
    "operator.attrgetter",
    "copyreg._reconstructor",
    "copyreg.__newobj__",
    "copy_reg._reconstructor",
    "copyreg.add_extension",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_wrapper_subclass",
    "torch.nn.modules.linear.Linear",
    "numpy.core.multiarray._reconstruct",
    "omegaconf_.OmegaConf.register_new_resolver",
    "collections.OrderedDict.__class__",
    "typing.Any.__class__",
    "typing.Any",
    "pathlib.Path",
    "snn_deploy.checkpoint.reader.read_checkpoint",
    "src.models.sequence.SequenceModel",
    "builtins.dict",
    "torch.FloatStorage",
]
"""What real files name for no harm: it is never imported or called either."""


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_names_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for evil in (Call(path, COMMAND), Global(path), New(path, {"a": 1})):
        file = write(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": evil})
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(file)
        assert f"refuses to load '{path}', which no trained network needs" in str(caught.value)
        assert str(file) in str(caught.value)
        assert "Nothing in it was run" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.ckpt"]


@pytest.mark.parametrize("path", INERT)
@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_other_names_are_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for evil in (Call(path, COMMAND), New(path, {"a": 1})):
        file = write(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": evil})
        record = read_checkpoint(file).extras["x"]
        assert type(record) is Record
        assert record == ({"a": 1} if isinstance(evil, New) else {})
        if not isinstance(evil, Call) or not path.startswith(("copy", "numpy")):
            assert record.kind == path
    file = write(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": Global(path)})
    assert read_checkpoint(file).extras == {"x": path}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.ckpt"]


@pytest.mark.parametrize("path", ["torch._utils._rebuild_sparse_tensor", "my.Tensor"])
def test_a_weight_that_is_a_record_is_refused_by_name_and_class(tmp_path: Path, path: str) -> None:
    file = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT, "b.v": Call(path)}})
    with pytest.raises(CheckpointError, match=f"'b.v' is no tensor, but <an object of {path}>"):
        read_checkpoint(file)


def test_a_tensor_pickled_on_its_own_is_named(tmp_path: Path) -> None:
    evil = Call("torch.storage._load_from_bytes", COMMAND)
    file = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": evil})
    with pytest.raises(CheckpointError, match="was pickled on its own"):
        read_checkpoint(file)


def test_a_name_from_the_stack_is_refused_too() -> None:
    with pytest.raises(CheckpointError, match=r"refuses to load 'os\.system'"):
        unpickle(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")


def test_a_long_name_is_cut() -> None:
    with pytest.raises(CheckpointError) as caught:
        unpickle(b"\x80\x02cos." + b"m" * 900 + b"\nx\x1b[2J\n.")
    assert len(str(caught.value)) < 700
    assert "\x1b" not in str(caught.value)


def test_no_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_module.py").write_text("open('sprung', 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {"w": WEIGHT}, "x": Call("trap_module.run")}
    read_checkpoint(write_zip(tmp_path / "x.pt", content))
    assert "trap_module" not in sys.modules
    assert not (tmp_path / "sprung").exists()


def test_python_sees_no_import_execution_or_process(tmp_path: Path) -> None:
    """Python's own audit events, in a process of its own because a hook cannot be taken off."""
    files = [
        write_zip(tmp_path / f"{i}.ckpt", {"state_dict": {"w": WEIGHT}, "x": Call(path, COMMAND)})
        for i, path in enumerate([*REFUSED, *INERT])
    ]
    good = write_zip(tmp_path / "good.ckpt", {"state_dict": {"w": WEIGHT}})
    program = """
import sys
from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.errors import CheckpointError
read_checkpoint(sys.argv[1])
events = set()
sys.addaudithook(lambda event, arguments: events.add(event))
for file in sys.argv[1:]:
    try:
        read_checkpoint(file)
    except CheckpointError:
        pass
print(*sorted(events))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", program, good, *files],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert set(run.stdout.split()) == {"open"}


HOOKS = Call("collections.OrderedDict")


@pytest.mark.parametrize(
    "evil",
    [
        Call("torch._utils._rebuild_tensor_v2", ()),
        Call("torch._utils._rebuild_tensor_v2", (WEIGHT, 0, (3,), (1,), False, HOOKS)),
        Call("torch._utils._rebuild_tensor_v3", (1, 0, (3,), (1,), False, HOOKS, "float32")),
        Call("torch._utils._rebuild_parameter", ("os.system", True, HOOKS)),
        Call("torch._utils._rebuild_parameter", (WEIGHT,)),
        Call("torch.Size", ([1],)),
        Call("torch.Size", ((1,) * 1000,)),
        Call("torch.Size", ((1.5,),)),
        Call("torch.device", (5,)),
        Call("collections.OrderedDict", ([["a", 1]],)),
        Call("collections.defaultdict", (Global("typing.Any"), {})),
        Call("collections.Counter", ("abc",)),
        Call("builtins.set", ("abc",)),
        Call("_codecs.encode", ("x", "rot13")),
        Call("_codecs.encode", ("\u0394", "latin1")),
        Call("_codecs.encode", ("x",)),
        Call("pathlib.PosixPath", (1,)),
        Call("pathlib.PosixPath", ("a",) * 100),
        Call("numpy.dtype", (8, False, True)),
        Call(
            "numpy.core.multiarray.scalar",
            (
                Call("numpy.dtype", ("f8", False, True), (3, "O", None, None, None, -1, -1, 0)),
                Call("_codecs.encode", ("12345678", "latin1")),
            ),
        ),
        Call(
            "numpy._core.multiarray.scalar",
            (
                Call("numpy.dtype", ("f8", False, True), (3, "<", None, None, None, -1, -1, 0)),
                Call("_codecs.encode", ("123", "latin1")),
            ),
        ),
    ],
)
def test_known_calls_with_unknown_arguments(tmp_path: Path, evil: Call) -> None:
    file = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": evil})
    with pytest.raises(CheckpointError, match="is called with arguments that no genuine file has"):
        read_checkpoint(file)


@pytest.mark.parametrize("kind", ["names", "lists", "tensors", "strings", "twice"])
def test_attributes_of_nothing_real_are_set(tmp_path: Path, kind: str) -> None:
    state = {"__class__": 1, "__setstate__": 2, "__dict__": {}, "__code__": 3, "__defaults__": (4,)}
    targets: dict[str, Any] = {
        "names": Global("torch._utils._rebuild_tensor_v2"),
        "lists": [1],
        "tensors": WEIGHT,
        "strings": "abc",
        "twice": New("argparse.Namespace", state),
    }
    encoder = Encoder()
    pickled = encoder.encode(targets[kind]) + encoder.encode(state) + b"b"
    with pytest.raises(CheckpointError, match="sets attributes of something that has none"):
        unpickle(b"\x80\x02" + pickled + b".")


def test_an_objects_state_is_only_data(tmp_path: Path) -> None:
    state = {"__class__": "x", "__dict__": {"y": 1}, "__setstate__": 2, "__reduce__": 3}
    content = {
        "state_dict": Call("collections.OrderedDict", items={"w": WEIGHT}, state=state),
        "x": New("argparse.Namespace", state),
    }
    checkpoint = read_checkpoint(write_zip(tmp_path / "x.ckpt", content))
    assert checkpoint.extras == {"x": state}
    assert type(checkpoint.tensors) is dict


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "incomplete object"),
        ({"_metadata": 1}, "incomplete object"),
        (({"_val": 1}, {"__class__": 1}), "incomplete object"),
    ],
)
def test_incomplete_objects(tmp_path: Path, state: Any, message: str) -> None:
    evil = New("omegaconf.nodes.AnyNode", state)
    file = write_zip(tmp_path / "x.ckpt", {"state_dict": {"w": WEIGHT}, "x": evil})
    with pytest.raises(CheckpointError, match=f"{message} of 'omegaconf.nodes.AnyNode'"):
        read_checkpoint(file)


GENUINE_OPCODES = (
    b"\x80\x95(012NJKMGXCB)tt]lae}suqrhjcRbQ.\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
    b"\x90\x91\x92\x93\x94\x96TU"
)


@pytest.mark.parametrize("code", sorted({op.code for op in pickletools.opcodes}))
def test_every_other_opcode_is_refused(code: str) -> None:
    if code.encode("latin1") in GENUINE_OPCODES:
        return
    pickled = b"\x80\x02" + code.encode("latin1") + b"os\nsystem\n."
    with pytest.raises(CheckpointError, match=f"opcode 0x{ord(code):02x} at byte 2"):
        unpickle(pickled)


@pytest.mark.parametrize(
    "pid",
    [
        "storage",
        ("module", "x", "y", "z"),
        ("storage", "torch.FloatStorage", "0", "cpu", 3),
        ("storage", Global("collections.OrderedDict"), "0", "cpu", 3),
        ("storage", Global("torch.FloatStorage"), 0, "cpu", 3),
        ("storage", Global("torch.FloatStorage"), "0", "cpu", -3),
        ("storage", Global("torch.FloatStorage"), "0", "cpu", "3"),
        ("storage", Global("torch.FloatStorage"), "0", "cpu", 3, ("1", 0, 1)),
        ("storage", Global("torch.FloatStorage"), "0" * 1000, "cpu", 3),
    ],
)
def test_odd_storages(pid: Any) -> None:
    with pytest.raises(CheckpointError, match="a storage is described in a way"):
        unpickle(b"\x80\x02" + Encoder().encode(pid) + b"Q.")


def test_a_storage_is_no_value(tmp_path: Path) -> None:
    pid = Encoder().encode(("storage", Global("torch.FloatStorage"), "0", "cpu", 3)) + b"Q"
    file = write_zip(tmp_path / "x.pt", {"w": WEIGHT, "x": Raw(pid)})
    with pytest.raises(CheckpointError, match="it holds a StorageRef where plain data should be"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    ("size", "stride", "offset", "message"),
    [
        ((4,), (1,), 0, "outside its storage of 3 elements"),
        ((3,), (1,), 1, "outside its storage"),
        ((3,), (2,), 0, "outside its storage"),
        ((2,), (2**63,), 0, "outside its storage"),
        ((2,), (2**100,), 0, "outside its storage"),
        ((), (), 3, "outside its storage"),
        ((3,), (-1,), 2, "negative"),
        ((-1,), (1,), 0, "negative"),
        ((1,), (1,), -1, "negative"),
        ((2, 2), (1,), 0, "impossible"),
        ((1,) * 40, (1,) * 40, 0, "at most 32 dimensions"),
        ((2**40,), (0,), 0, "larger than its storage of 3 elements"),
        ((2**62, 2**62), (0, 0), 0, "larger than its storage"),
        ((0, 2**62, 2**62), (1, 1, 1), 0, "larger than its storage"),
    ],
)
def test_views_outside_the_storage(
    tmp_path: Path, size: Any, stride: Any, offset: int, message: str
) -> None:
    stored = Stored("torch.FloatStorage", WEIGHT.tobytes(), 3, size, stride, offset)
    for write in (write_zip, write_legacy):
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(write(tmp_path / "x.pt", {"w": stored}))


def test_a_stride_that_is_never_used_may_be_anything(tmp_path: Path) -> None:
    stored = Stored("torch.FloatStorage", WEIGHT.tobytes(), 3, (1, 3), (2**100, 1))
    tensor = read_checkpoint(write_zip(tmp_path / "x.pt", {"w": stored})).tensors["w"]
    np.testing.assert_array_equal(tensor, [[1, 1, 1]])


def test_lazy_conjugates_are_refused(tmp_path: Path) -> None:
    stored = Stored("torch.FloatStorage", WEIGHT.tobytes(), 3, (3,), (1,), metadata={"conj": True})
    with pytest.raises(CheckpointError, match="lazy conjugate"):
        read_checkpoint(write_zip(tmp_path / "x.pt", {"w": stored}))


def nested(depth: int, opening: bytes, closing: bytes) -> Raw:
    return Raw(opening * depth + b"N" + closing * depth)


def laughs(levels: int, make: bytes) -> Raw:
    """Each level holds the one before twice: 2^levels values, in a few bytes."""
    body = b"K\x01q\x00" + b"0"
    for level in range(levels):
        again = b"h" + bytes([level])
        body += b"(" + again + again + make + b"q" + bytes([level + 1]) + b"0"
    return Raw(body + b"h" + bytes([levels]))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("evil", "message"),
    [
        (nested(50_000, b"](", b"e"), "nested in a circle, or deeper than 64"),
        (nested(100_000, b"", b"\x85"), "nested in a circle, or deeper than 64"),
        (nested(50_000, b"}K\x01", b"s"), "nested in a circle, or deeper than 64"),
        (laughs(60, b"t"), "more than 500000 values"),
        (laughs(60, b"l"), "more than 500000 values"),
        (Raw(b"}" + laughs(60, b"t").opcodes + b"Ns"), "key that is no string or number"),
        (Raw(b"}(" + b"K\x01" * 9 + b"tNs"), "key that is no string or number"),
        (Raw(b"})\x85Ns"), "key that is no string or number"),
        (Raw(b"}\x8a\x0a" + b"\x01" * 10 + b"Ns"), "key that is no string or number"),
        (Raw(b"}cos\nsystem\nNs"), "refuses to load 'os.system'"),
        (Raw(b"}]Ns"), "key that is no string or number"),
        (Raw(b"]q\x00h\x00a"), "nested in a circle"),
        (Raw(b"}q\x00K\x01h\x00s"), "nested in a circle"),
        (Raw(b"]" + b"Na" * 1_500_000), "longer than 2000000 operations"),
        (Raw(b"\x8a\xff" + b"\x7f" * 255), "an integer of 255 bytes"),
        (Raw(b"\x8b" + struct.pack("<I", 2**31) + b"\x7f" * 64), "an integer of 2147483648 bytes"),
        (Raw(b"\x8d" + struct.pack("<Q", 2**63) + b"x"), "damaged at byte"),
        (Raw(b"\x8e" + struct.pack("<Q", 2**64 - 1) + b"x"), "damaged at byte"),
        (Raw(b"X\x04\0\0\0\xed\xa0\x80x"), "damaged at byte"),
        (Raw(b"j\xff\xff\xff\xff"), "damaged at byte"),
        (Raw(b"Nr\xff\xff\xff\xff"), "is no tensor"),
    ],
)
def test_bombs(tmp_path: Path, evil: Raw, message: str) -> None:
    file = write_zip(tmp_path / "x.pt", {"w": WEIGHT, "x": evil})
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(file)


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"", "damaged at byte 0"),
        (b".", "damaged at byte 1"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x00N.", "protocol 0; 2 to 5 can be read"),
        (b"\x80\x09N.", "protocol 9"),
        (b"N", "damaged at byte 1"),
        (b"R.", "damaged"),
        (b"NR.", "damaged"),
        (b"NNR.", "damaged"),
        (b"NN\x81.", "damaged"),
        (b"NNb.", "sets attributes"),
        (b"\x85.", "damaged"),
        (b"N\x86.", "damaged"),
        (b"t.", "damaged"),
        (b"Ne.", "damaged"),
        (b"(e.", "damaged"),
        (b"N(Ne.", "damaged"),
        (b"}(Nu.", "damaged"),
        (b"NNNs.", "damaged"),
        (b"Na.", "damaged"),
        (b"a.", "damaged"),
        (b"q\x00.", "damaged"),
        (b"NN\x93.", "damaged"),
        (b"cno newline", "damaged"),
        (b"c\xff\xff\nx\n.", "damaged"),
        (b"00.", "damaged"),
        (b"Q.", "damaged"),
        (b"G\x00.", "damaged"),
        (b"J\x00.", "damaged"),
    ],
)
def test_damaged_pickles(pickled: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        unpickle(pickled)
