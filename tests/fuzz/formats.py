"""One target a file format: files that are good, how they are changed, and how they are read.

What reads a changed file must give something usable, or raise one of our errors; nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from checkpoint_files import write_legacy, write_zip
from fuzz.mutate import mutate_bytes, mutate_document, mutate_text
from networks import float_network
from random_networks import Limits, random_network
from rich.console import Console
from safetensors.numpy import save
from test_checkpoints_as_people_have_them import KINDS

import snn_deploy
from snn_deploy.checkpoint.config_file import read_config
from snn_deploy.data.data_file import Binning, DataFile
from snn_deploy.data.inputs import load_data
from snn_deploy.deployment import Deployment
from snn_deploy.errors import DataError, NetworkError
from snn_deploy.evaluation.dataset import open_dataset
from snn_deploy.evaluation.journal import open_journal
from snn_deploy.evaluation.tally import Tally, TallySchema
from snn_deploy.formats.registry import get_format
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.io.npz import write_npz
from snn_deploy.ir.network import Network
from snn_deploy.ir.text import format_network
from snn_deploy.mapping.profile import load_profile
from snn_deploy.quantize.config import parse_settings, read_formats
from snn_deploy.readers import read_source
from snn_deploy.reports.table import render_profile
from snn_deploy.run.streaming import Stream
from snn_deploy.traces import TraceWriter, read_trace
from snn_deploy.traces.writer import Signal

__all__ = ["FORMATS", "Format"]

ROOT = Path(snn_deploy.__file__).parent
EXAMPLE = ROOT / "examples" / "seqdigits_uni"
SEEDS = 6  # good files of each format

Change = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Format:
    """A file format: its good files, how one is changed, and what reads one."""

    seeds: Callable[[Path], list[bytes]]
    change: Change
    read: Callable[[Path], None]
    suffix: str = ""


# --- networks that are small, and their deployments

ORIGIN = Provenance(
    profile="loihi2",
    profile_version="1.0.0",
    checkpoint="tiny.ckpt",
    checkpoint_sha256="0" * 64,
    calibration={"source": "calibration", "sequences": 3, "steps": 20},
    settings={"weight_bits": 8, "nodes": {"layers.0": {"weight_bits": 4}}},
    tool_version="0.1.0",
    profile_settings={"limits.cores_per_chip": 120},
)


@cache
def networks(causal: bool = False) -> tuple[Network, ...]:
    """Give random lowered networks, with nodes of every kind among them."""
    found: list[Network] = []
    seed = 0
    while len(found) < SEEDS:
        limits = Limits(causal=causal, blocks=2, host=seed % 3 == 1)
        with contextlib.suppress(NetworkError):  # of some seeds comes none
            found.append(random_network(seed, limits))
        seed += 1
    return tuple(found)


def _deployments(folder: Path) -> list[bytes]:
    made = []
    for network in networks():
        write_deployment(folder / "made", network, ORIGIN)
        made.append((folder / "made").read_bytes())
    return made


def _read_deployment(path: Path) -> None:
    network, origin = read_deployment(path)
    deployment = Deployment(network, origin)
    _ = deployment.profile
    format_network(network)
    inputs = _inputs(network, 3)
    deployment.simulate(inputs)
    if one_in(4, path):
        deployment.report(inputs)


def one_in(share: int, path: Path) -> bool:
    """Pick a share of the files by their bytes, for what takes longer than reading them."""
    return zlib.crc32(path.read_bytes()) % share == 0


# --- signed files: safetensors with a document and a digest


def change_signed(rng: random.Random, content: bytes) -> bytes:
    """Change bytes; or the header, the document or a tensor, and sign the file again."""
    if rng.random() < 0.2:
        return mutate_bytes(rng, content)
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    (key,) = header["__metadata__"]
    document = json.loads(header["__metadata__"][key])
    kind = rng.randrange(10)
    if kind < 6:
        document = mutate_document(rng, document)
    elif kind < 8:
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        header = {"__metadata__": header["__metadata__"], **mutate_document(rng, tensors)}
    else:
        body = mutate_bytes(rng, body)
    return _signed(header, key, document, body)


def _signed(header: dict[str, Any], key: str, document: Any, body: bytes) -> bytes:
    if isinstance(document, dict):
        document["sha256"] = "0" * 64
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    table = json.dumps({**header, "__metadata__": {key: text}}).encode()
    content = len(table).to_bytes(8, "little") + table + body
    digest = hashlib.sha256(content).hexdigest().encode()
    field = b'\\"sha256\\":\\"'
    return content.replace(field + b"0" * 64, field + digest, 1)


# --- states of streams


@cache
def _streams() -> tuple[Network, ...]:
    return tuple(network for network in networks(causal=True) if _is_stream(network))


def _is_stream(network: Network) -> bool:
    try:
        Stream(network, 2)
    except snn_deploy.errors.SnnDeployError:
        return False
    return True


def _inputs(network: Network, steps: int) -> Any:
    rng = np.random.default_rng(0)
    if not network.input.output.signed:  # type: ignore[attr-defined]
        return np.zeros((2, steps), np.int64)
    return rng.normal(size=(2, steps, network.input.width)).astype(np.float32)


def _states(folder: Path) -> list[bytes]:
    made = []
    for network in _streams():
        stream = Stream(network, 2)
        stream.step(_inputs(network, 3))
        stream.save(folder / "made")
        made.append((folder / "made").read_bytes())
    return made


def _read_state(path: Path) -> None:
    content = path.read_bytes()
    for network in _streams():
        from snn_deploy.ir.storage import network_digest

        if network_digest(network).encode() in content:
            break
    stream = Stream.resume(network, path)
    stream.step(_inputs(network, 1)[:1].repeat(stream.samples, axis=0))
    _ = stream.saturated, stream.spike_counts


# --- journals

TASK = {
    "schema_version": 1,
    "tool_version": "0.1.0",
    "deployment_sha256": "0" * 64,
    "data_sha256": "1" * 64,
    "backend": "native",
    "shard_size": 4,
}
SHARDS = 3


@cache
def _tallied() -> Network:
    return networks(causal=True)[0]


def _tally(network: Network) -> dict[str, Any]:
    layers = TallySchema(network, 4, 5)._record.fields["spikes"].fields  # type: ignore[attr-defined]
    spikes = {name: [1] * items.exactly for name, items in layers.items()}
    record = Tally(4, 20, 2, 4, 12345, {"0>1": 2, "1>1": 2}, {"1": 4}, spikes, {"input": 3})
    return record.to_json()


def _journals(folder: Path) -> list[bytes]:
    entries = [{"task": TASK}]
    entries += [{"shard": shard, "value": _tally(_tallied())} for shard in range(SHARDS)]
    whole = b"".join(map(_line, entries))
    return [whole, whole[:-20], _line(entries[0])]


def _line(entry: Any) -> bytes:
    text = json.dumps(entry).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def change_journal(rng: random.Random, content: bytes) -> bytes:
    """Change bytes, or a line whose checksum is then made to fit."""
    if rng.random() < 0.3:
        return mutate_bytes(rng, content)
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    if rng.random() < 0.3:
        text = mutate_bytes(rng, lines[at][9:-1])
        lines[at] = b"%08x %s\n" % (zlib.crc32(text), text)
    elif lines[at].endswith(b"\n"):
        lines[at] = _line(mutate_document(rng, json.loads(lines[at][9:])))
    return b"".join(lines)


def _read_journal(path: Path) -> None:
    values = {shard: TallySchema(_tallied(), 4, 5) for shard in range(SHARDS)}
    with open_journal(path, TASK, values, fresh=False) as journal:
        parts = [Tally.from_json(value) for value in journal.done.values()]
        for part in parts:
            _ = part + parts[0]


# --- arrays


def _zipped(members: dict[str, bytes], method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return content.getvalue()


def change_npz(rng: random.Random, content: bytes) -> bytes:
    """Change bytes, or a member whose checksum is then made to fit."""
    if rng.random() < 0.4:
        return mutate_bytes(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    kind = rng.randrange(6)
    if kind == 0:
        members[name] = b""
    elif kind == 1:
        head, numbers = members[name][:128], members[name][128:]
        members[name] = mutate_text(rng, head) + numbers
    elif kind == 2:
        members[name] = members[name][:128] + mutate_bytes(rng, members[name][128:])
    elif kind == 3:
        del members[name]
    elif kind == 4:
        members[rng.choice((name, "inputs.npy", "@steps.npy"))] = rng.choice(list(members.values()))
    else:
        shape = rng.choice((b"(2, 3, 2)", b"(2, 0, 2)", b"(99999999999, 9, 2)", b"(" * 999))
        members[name] = members[name].replace(b"(2, 3, 2)", shape)
    return _zipped(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


@cache
def _plain() -> Network:
    return next(n for n in networks() if n.input.output.signed)  # type: ignore[attr-defined]


def _tables(folder: Path) -> list[bytes]:
    return [b"0.5,1.25,-3e-2\n0.25,1,2\n", b"label;a;b\n1;0.5;0.25\n0;1.5;2.5\n"]


def _read_table(path: Path) -> None:
    load_data(path, float_network(layers=0))


def _event_files(folder: Path) -> list[bytes]:
    times = np.array([0.0, 0.5, 1.5, 0.25])
    events = {"t": times, "x": np.array([0, 1, 0, 1]), "offsets": np.array([0, 3, 4])}
    return [_npz(**events), _npz(**events, p=np.array([0, 1, 0, 1]), labels=np.array([0, 1]))]


def _read_events(path: Path) -> None:
    load_data(DataFile(str(path), binning=Binning(0.5, 8)), _plain())


def _recordings(folder: Path) -> list[bytes]:
    """Events of 40 bits: column, row, polarity and microseconds."""
    return [bytes([2, 1, 128, 0, 9, 0, 240, 0, 0, 0, 1, 0, 0, 4, 1]), bytes([1, 1, 0, 16, 0])]


def _read_recording(path: Path) -> None:
    file = DataFile(str(path), binning=Binning(1000.0, 8, (3, 2)))
    load_data(file, float_network(d_in=12, layers=0))


def _datasets(folder: Path) -> list[bytes]:
    x = _inputs(_plain(), 3)
    return [_npz(inputs=x), _npz(inputs=x, labels=np.array([1, 0]), lengths=np.array([3, 2]))]


def _read_data(path: Path) -> None:
    load_data(path, _plain())


def _npys(folder: Path) -> list[bytes]:
    arrays = (_inputs(_plain(), 3), np.asfortranarray(_inputs(_plain(), 5).astype(np.float64)))
    content = []
    for array in arrays:
        made = io.BytesIO()
        np.save(made, array)
        content.append(made.getvalue())
    return content


def _read_npy(path: Path) -> None:
    dataset = open_dataset(path, _plain())
    dataset.digest()
    dataset.shard(_plain(), 0, len(dataset))


def _traces(folder: Path) -> list[bytes]:
    made = []
    for form in ("dense", "events"):
        signals = {"a": Signal(2, np.dtype(np.int16)), "s": Signal(3, np.dtype(np.uint8), True)}
        with write_npz(folder / "made.npz") as npz:
            steps = range(0, 6, 2)
            writer = TraceWriter(npz, signals, 2, steps, form, complete=False)  # type: ignore[arg-type]
            rng = np.random.default_rng(1)
            writer.record("a", 0, 0, rng.integers(-5, 5, (2, 6, 2)))
            writer.record("s", 0, 0, rng.integers(0, 2, (2, 6, 3)))
        made.append((folder / "made.npz").read_bytes())
    return made


def _read_trace(path: Path) -> None:
    trace = read_trace(path)
    _ = trace.steps
    for name in trace:
        _ = trace[name]
        with contextlib.suppress(DataError):  # a signal that is no spikes
            trace.events(name)


# --- checkpoints

_CONFIG = {"model": {"_name_": "spikingssm", "d_model": 4, "n_layers": 1}, "encoder": "linear"}


_KINDS = (
    *("weights under model", "two wrapping modules", "a whole module that holds itself"),
    *("a large numpy array", "a partial function", "tables keyed by tuples and enums"),
)


def _checkpoints(folder: Path) -> list[bytes]:
    weights = {
        "model.s4_layers.0.A": np.arange(8, dtype=np.float32).reshape(2, 4),
        "encoder.0.weight": np.ones((4, 1), np.float32),
        "n": np.array([3], np.int64),
    }
    content = {"state_dict": weights, "hyper_parameters": _CONFIG, "epoch": 3}
    files = [write_zip(folder / "zip", content), write_legacy(folder / "legacy", content)]
    for number, name in enumerate(_KINDS):
        files.append(write_zip(folder / f"kind{number}", KINDS[name][0]))
    files.append(EXAMPLE / "seqdigits_uni.ckpt")
    return [*(file.read_bytes() for file in files), save(weights, metadata={"format": "pt"})]


def change_checkpoint(rng: random.Random, content: bytes) -> bytes:
    """Change bytes, or a member of the zip whose checksum is then made to fit."""
    if not content.startswith(b"PK") or rng.random() < 0.4:
        return mutate_bytes(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*members, *[n for n in members if n.endswith(".pkl")] * 3])
    members[name] = mutate_bytes(rng, members[name])
    return _zipped(members, zipfile.ZIP_STORED)


def _read_checkpoint(path: Path) -> None:
    read_source(path)


# --- profiles, settings, configurations


def _profiles(folder: Path) -> list[bytes]:
    names = ("loihi2", "loihi1", "kapoho_point", "cpu")
    return [(ROOT / "hw_profiles" / f"{name}.toml").read_bytes() for name in names]


def _read_profile(path: Path) -> None:
    profile = load_profile(path)
    if one_in(32, path):
        render_profile(profile, Console(file=io.StringIO()))
    _ = profile.with_overrides({"limits.chips": 2}).cores


def _settings(folder: Path) -> list[bytes]:
    return [
        b'weight_bits = 4\nheadroom = 1.5\n[nodes."layers.0"]\nweight_bits = 3\n',
        b"state_bits = 20\n[nodes.a]\ndecay_bits = 8\n[nodes.b]\ntable_span = 4.0\n",
    ]


def _read_settings(path: Path) -> None:
    settings = parse_settings(read_formats(path))
    settings.at("layers.0.ssm")


def _configurations(folder: Path) -> list[bytes]:
    model = b"model:\n  _name_: spikingssm\n  d_model: 4\n  n_layers: 2\n  dropout: 1e-3\n"
    return [model + b"encoder: [linear, {a: 1}]\ndecoder: {_name_: sequence, mode: pool}\n"]


def _read_configuration(path: Path) -> None:
    read_config(path)


# --- ONNX


def _onnx_models(folder: Path) -> list[bytes]:
    del folder
    found = sorted((Path(__file__).parent.parent / "data" / "onnx").glob("*.onnx"))
    return [path.read_bytes() for path in found]


def _read_onnx_model(path: Path) -> None:
    format_network(snn_deploy.load_float_network(path))


def _onnx_deployments(folder: Path) -> list[bytes]:
    path = folder / "network.onnx"
    contents = []
    for network in networks():
        get_format("onnx").write(Deployment(network, ORIGIN), path)
        contents.append(path.read_bytes())
    return contents


def _read_onnx_deployment(path: Path) -> None:
    format_network(snn_deploy.load(path).network)


# --- NIR


def _nir_graphs(folder: Path) -> list[bytes]:
    del folder
    found = sorted((Path(__file__).parent.parent / "data" / "nir").glob("*.nir"))
    return [path.read_bytes() for path in found]


def _read_nir_graph(path: Path) -> None:
    format_network(snn_deploy.load_float_network(path, {"writer": "snntorch"}))


FORMATS: dict[str, Format] = {
    "deployment": Format(_deployments, change_signed, _read_deployment),
    "state": Format(_states, change_signed, _read_state),
    "journal": Format(_journals, change_journal, _read_journal),
    "trace": Format(_traces, change_npz, _read_trace, ".npz"),
    "checkpoint": Format(_checkpoints, change_checkpoint, _read_checkpoint),
    "profile": Format(_profiles, mutate_text, _read_profile, ".toml"),
    "settings": Format(_settings, mutate_text, _read_settings, ".toml"),
    "configuration": Format(_configurations, mutate_text, _read_configuration, ".yaml"),
    "data": Format(_datasets, change_npz, _read_data, ".npz"),
    "table": Format(_tables, mutate_text, _read_table, ".csv"),
    "events": Format(_event_files, change_npz, _read_events, ".npz"),
    "recording": Format(_recordings, mutate_bytes, _read_recording, ".bin"),
    "array": Format(_npys, mutate_bytes, _read_npy, ".npy"),
}

if importlib.util.find_spec("h5py") is not None:
    FORMATS["nir"] = Format(_nir_graphs, mutate_bytes, _read_nir_graph, ".nir")

if importlib.util.find_spec("onnx") is not None:
    FORMATS |= {
        "onnx": Format(_onnx_models, mutate_bytes, _read_onnx_model, ".onnx"),
        "onnx-deployment": Format(_onnx_deployments, mutate_bytes, _read_onnx_deployment, ".onnx"),
    }
