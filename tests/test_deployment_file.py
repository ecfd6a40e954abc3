"""The deployment file: the same bytes for the same network, and no changed byte unnoticed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import extreme_inputs, float_inputs, float_network, run_reference
from safetensors.numpy import load, save

from snn_deploy.errors import DeploymentError, OutputError
from snn_deploy.io.deployment_file import (
    SCHEMA_VERSION,
    Provenance,
    is_deployment,
    read_deployment,
    write_deployment,
)
from snn_deploy.ir.network import Network
from snn_deploy.ir.text import format_network
from snn_deploy.mapping.profile import load_profile
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

ORIGIN = Provenance(
    profile="loihi2",
    profile_version="3",
    checkpoint="tiny.ckpt",
    checkpoint_sha256="0" * 64,  # looks like the digest's own place holder
    calibration={"source": "calibration", "sequences": 3, "steps": 20},
    settings={"weight_bits": 8, "headroom": 1.1},
    tool_version="0.1.0",
)


def lowered(**shape: Any) -> Network:
    source = float_network(**{"layers": 1, "width": 3, "modes": 2, **shape})
    return compile_network(source, QuantizationConfig(), Calibration(float_inputs(source)))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a deployment file."""
    path = tmp_path_factory.mktemp("made") / "made.safetensors"
    write_deployment(path, lowered(), ORIGIN)
    return path.read_bytes()


# --- round trip


@pytest.mark.parametrize(
    "shape",
    [{}, {"reverse": True, "norm": True}, {"modes": 0}, {"layers": 0}, {"readout": "every"}],
)
def test_a_deployment_comes_back(tmp_path: Path, shape: dict[str, Any]) -> None:
    path = tmp_path / "made.safetensors"
    network = lowered(**shape)
    write_deployment(path, network, ORIGIN)
    back, origin = read_deployment(path)
    assert origin == ORIGIN
    assert format_network(back) == format_network(network)
    mantissas = extreme_inputs(network, np.random.default_rng(0))
    first, second = run_reference(network, mantissas), run_reference(back, mantissas)
    for name in network.names:
        np.testing.assert_array_equal(first.trace[name], second.trace[name])


def test_the_same_deployment_gives_the_same_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "made.safetensors"
    write_deployment(path, lowered(), ORIGIN)
    assert path.read_bytes() == content
    network, origin = read_deployment(path)
    write_deployment(tmp_path / "again.safetensors", network, origin)
    assert (tmp_path / "again.safetensors").read_bytes() == content


def test_it_is_a_safetensors_file_of_integers(content: bytes) -> None:
    tensors = load(content)
    assert tensors
    assert {tensor.dtype.kind for tensor in tensors.values()} == {"i"}
    document = document_of(content)
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["profile"] == "loihi2"
    assert document["tool_version"] == "0.1.0"
    blank = content.replace(document["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == document["sha256"]


@pytest.mark.parametrize(
    "name",
    [
        "0" * 64,
        '"sha256":"' + "0" * 64 + '"',
        '\\"sha256\\":\\"' + "0" * 64,
        "ключ ☃ \U0001f600 \n\t\x00.ckpt",
    ],
)
def test_names_that_look_like_the_digest(tmp_path: Path, name: str) -> None:
    path = tmp_path / "made.safetensors"
    origin = replace(ORIGIN, checkpoint=name, tool_version=name)
    write_deployment(path, lowered(layers=0), origin)
    assert read_deployment(path)[1] == origin


# --- changed bytes


def refused(path: Path, content: bytes) -> str:
    """Write bytes, and give the message with which they are refused."""
    path.write_bytes(content)
    with pytest.raises(DeploymentError) as caught:
        read_deployment(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


def header_of(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def test_any_changed_byte_is_refused(tmp_path: Path, content: bytes) -> None:
    """The length, a part of the header and of the tensors; each time another bit."""
    rng = random.Random(0)
    header = header_of(content)
    digest = content.index(document_of(content)["sha256"].encode())
    positions = [
        *range(8),
        *rng.sample(range(8, header), 250),
        *range(digest - 14, digest + 66),
        *rng.sample(range(header, len(content)), 150),
        len(content) - 1,
    ]
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.randrange(8)
        refused(tmp_path / "changed.safetensors", bytes(changed))


def test_every_byte_value_of_a_weight_is_guarded(tmp_path: Path, content: bytes) -> None:
    position = len(content) - 5
    for value in set(range(256)) - {content[position]}:
        changed = bytearray(content)
        changed[position] = value
        told = refused(tmp_path / "changed.safetensors", bytes(changed))
        assert "its SHA-256 does not match: the file was changed or damaged" in told


def test_swapped_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    header = header_of(content)
    changed = content[:header] + content[header:][::-1]
    assert "SHA-256 does not match" in refused(tmp_path / "changed.safetensors", changed)


def test_a_space_in_the_header_is_refused(tmp_path: Path, content: bytes) -> None:
    header = header_of(content)
    text = content[8:header] + b" " * 8
    changed = len(text).to_bytes(8, "little") + text + content[header:]
    assert "SHA-256 does not match" in refused(tmp_path / "changed.safetensors", changed)


def test_truncated_and_longer_files_are_refused(tmp_path: Path, content: bytes) -> None:
    rng = random.Random(1)
    header = header_of(content)
    sizes = [*range(10), header - 1, header, header + 1, len(content) - 1]
    sizes += rng.sample(range(len(content)), 60)
    for size in sizes:
        refused(tmp_path / "short.safetensors", content[:size])
    for tail in (b"\0", b" ", b"{}", content):
        refused(tmp_path / "long.safetensors", content + tail)


# --- files of another kind


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"PK\x03\x04 a zip file",
        b"\x80\x02}q\x00.",
        (2**63 - 1).to_bytes(8, "little") + b"{}",
        save({"weight": np.zeros(3, np.float32)}),
        save({"weight": np.zeros(3, np.int8)}, metadata={"format": "pt"}),
        save({"weight": np.zeros(3, np.int8)}, metadata={"snn-deploy": "no json"}),
        save({"weight": np.zeros(3, np.int8)}, metadata={"snn-deploy": "[" * 100_000}),
        save({"weight": np.zeros(3, np.int8)}, metadata={"snn-deploy": '{"schema_version":NaN}'}),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_foreign_files_are_refused(tmp_path: Path, foreign: bytes) -> None:
    told = refused(tmp_path / "foreign.safetensors", foreign)
    assert "not a deployment of snn-deploy, or damaged" in told or "schema version" in told


@pytest.mark.parametrize("document", ["[]", "3", "null", '"text"'])
def test_a_description_that_is_no_object(tmp_path: Path, document: str) -> None:
    foreign = save({"weight": np.zeros(3, np.int8)}, metadata={"snn-deploy": document})
    told = refused(tmp_path / "foreign.safetensors", foreign)
    assert "its description is no JSON object" in told


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    rng = random.Random(2)
    for _ in range(100):
        refused(tmp_path / "random.bin", rng.randbytes(rng.randrange(300)))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="cannot be read: No such file or directory"):
        read_deployment(tmp_path / "missing.safetensors")
    with pytest.raises(DeploymentError, match="cannot be read: Is a directory"):
        read_deployment(tmp_path)


def test_a_deployment_is_told_from_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    assert not is_deployment(path)
    assert not is_deployment(tmp_path)
    path.write_bytes(content)
    assert is_deployment(path)
    path.write_bytes(content[: len(content) // 2])
    assert is_deployment(path)  # a damaged one is still meant to be one
    for foreign in (b"", b"PK\x03\x04", save({"a": np.zeros(3)}), b"\xff" * 100):
        path.write_bytes(foreign)
        assert not is_deployment(path)


# --- files that someone changed and signed again


def document_of(content: bytes) -> Any:
    header = json.loads(content[8 : header_of(content)])
    return json.loads(header["__metadata__"]["snn-deploy"])


def signed(content: bytes, change: Callable[[Any], None]) -> bytes:
    """Change the description of a deployment and give it a digest that fits."""
    document = document_of(content)
    change(document)
    document["sha256"] = "0" * 64
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    blank = save(load(content), metadata={"snn-deploy": text})
    digest = hashlib.sha256(blank).hexdigest()
    place = blank.index(b'\\"sha256\\":\\"') + len(b'\\"sha256\\":\\"')
    return blank[:place] + digest.encode() + blank[place + 64 :]


def test_signing_again_works(tmp_path: Path, content: bytes) -> None:
    assert signed(content, lambda document: None) == content


SIGNED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "newer schema": (
        lambda d: d.update(schema_version=SCHEMA_VERSION + 1, tool_version="9.1"),
        "schema version 4; this snn-deploy reads versions 2 and 3. Convert the checkpoint",
    ),
    "schema of no number": (lambda d: d.update(schema_version="new"), "schema version 'new'; "),
    "no schema": (lambda d: d.pop("schema_version"), "schema version None; "),
    "no network": (lambda d: d.pop("network"), "not a valid deployment: network: 'stage' is"),
    "no profile": (lambda d: d.pop("profile"), "not a valid deployment: 'profile' is missing"),
    "a profile that is no text": (
        lambda d: d.update(profile=3),
        "not a valid deployment: 'profile': 3 is no text of at most 64 characters",
    ),
    "settings that are no object": (
        lambda d: d.update(settings=[]),
        "not a valid deployment: 'settings': [] is no table of at most 1,000 entries",
    ),
    "an unknown node": (
        lambda d: d["network"]["nodes"][3].update(kind="Perceptron"),
        "not a valid deployment: unknown node kind 'Perceptron'; there are: Accumulator, ",
    ),
    "a missing field": (
        lambda d: d["network"]["nodes"][0].pop("channels"),
        "not a valid deployment: input: Input has ['channels', 'inputs', 'name', 'output'], not",
    ),
    "a format too wide": (
        lambda d: d["network"]["nodes"][0]["output"].update(bits=99),
        "not a valid deployment: input/output: a number format has 1 to 48 bits, not 99",
    ),
    "another dtype": (
        lambda d: d["network"]["nodes"][1].update(weight={"tensor": "encoder/rescale/bias"}),
        "not a valid deployment: encoder.synapses/weight: dtype int32, not int8",
    ),
    "a broken rule": (
        lambda d: d["network"]["nodes"][1].update(weight_bits=3),
        "not a valid deployment: node 'encoder.synapses' (Synapses): a weight exceeds 3 bits",
    ),
}


@pytest.mark.parametrize("case", SIGNED.values(), ids=SIGNED)
def test_signed_changes_are_checked_too(
    tmp_path: Path, content: bytes, case: tuple[Callable[[Any], Any], str]
) -> None:
    change, told = case
    assert told in refused(tmp_path / "signed.safetensors", signed(content, change))


# --- writing


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = tmp_path / "made.safetensors"
    if there:
        path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    told = f"cannot write {path}: No space left on device; nothing was written"
    with pytest.raises(OutputError, match=re.escape(told)):
        write_deployment(path, lowered(layers=0), ORIGIN)
    assert {file.name for file in tmp_path.iterdir()} == ({path.name} if there else set())
    assert not there or path.read_bytes() == b"old"


def test_unwritable_targets(tmp_path: Path) -> None:
    network = lowered(layers=0)
    with pytest.raises(OutputError, match="No such file or directory"):
        write_deployment(tmp_path / "nowhere" / "made.safetensors", network, ORIGIN)
    with pytest.raises(OutputError, match="it is a folder; name a file"):
        write_deployment(tmp_path, network, ORIGIN)
    assert not list(tmp_path.iterdir())


def test_reading_one_imports_nothing_of_the_compiler(tmp_path: Path) -> None:
    """The schemas of profiles and configurations, and what converts, are slow to import."""
    path = tmp_path / "deployment.safetensors"
    version = load_profile(ORIGIN.profile).version
    write_deployment(path, lowered(), replace(ORIGIN, profile_version=version))
    asked = (
        "import sys; from snn_deploy.deployment import load; load(sys.argv[1]); "
        "print({'pydantic', 'snn_deploy.passes.pipeline', 'snn_deploy.api'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
