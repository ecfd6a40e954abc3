"""The deployment file: one safetensors file, integer tensors and one JSON document, checksummed.

``docs/file-format.md`` describes it. The document sits in the safetensors metadata under the key
``snn-deploy``; see ``checksummed.py`` for how any changed byte is found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from snn_deploy.errors import DeploymentError, NetworkError
from snn_deploy.io.checksummed import (
    Contents,
    ForeignFileError,
    Tensors,
    has_document,
    read_checksummed,
    with_checksum,
)
from snn_deploy.io.files import atomic_write
from snn_deploy.io.schema import TEXT, Plain, Record, SchemaError, Table, Text
from snn_deploy.io.upgrade import READABLE, SCHEMA_VERSION, upgrade_document
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.verifier import verify_network
from snn_deploy.printable import shown

__all__ = [
    "SCHEMA_VERSION",
    "Provenance",
    "deployment_bytes",
    "deployment_document",
    "deployment_from_document",
    "is_deployment",
    "read_deployment",
    "write_deployment",
]

METADATA_KEY = "snn-deploy"


@dataclass(frozen=True)
class Provenance:
    """Where a deployment came from.

    Parameters
    ----------
    profile, profile_version
        Name and version of the hardware profile that it was compiled for.
    checkpoint, checkpoint_sha256
        Name and digest of the checkpoint file, or of whatever else was read.
    source
        How it was read: the reader, and what that chose and noted; empty where it is not known.
    calibration
        What the formats were chosen from: ``{"source": "calibration", "sequences": …}`` or
        ``{"source": "analytic", "input_range": …}``; ``{"source": "given"}``: from nothing, they
        were in the source.
    settings
        The quantisation settings, every one.
    tool_version
        The version of snn-deploy that wrote it.
    profile_settings
        Numbers of the profile that the user set, by dotted key.
    profile_data
        The user's own profile as plain data; empty for one that comes with the package.
    """

    profile: str
    profile_version: str
    checkpoint: str
    checkpoint_sha256: str
    calibration: dict[str, Any]
    settings: dict[str, Any]
    tool_version: str
    profile_settings: dict[str, Any] = field(default_factory=dict)
    profile_data: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def read_as(self) -> str:
        """How it was read, in a line: what the reader chose, and what it noted."""
        chosen = [f"{name} {told}" for name, told in self.source.items() if name != "notes"]
        notes = self.source.get("notes")
        return "; ".join([", ".join(chosen), *map(str, notes if isinstance(notes, list) else ())])


def write_deployment(path: str | os.PathLike[str], network: Network, origin: Provenance) -> None:
    """Write a lowered network; the same network gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind then.
    """
    content = deployment_bytes(network, origin)
    with atomic_write(path) as file:
        file.write(content)


def deployment_bytes(network: Network, origin: Provenance) -> bytes:
    """Give the bytes of a deployment's file."""
    return with_checksum(METADATA_KEY, *deployment_document(network, origin))


def deployment_document(network: Network, origin: Provenance) -> tuple[dict[str, Any], Tensors]:
    """Give a deployment as a JSON-able document, and the tensors that it refers to by name."""
    structure, tensors = network_to_document(network)
    return {"schema_version": SCHEMA_VERSION, **asdict(origin), "network": structure}, tensors


def read_deployment(path: str | os.PathLike[str]) -> tuple[Network, Provenance]:
    """Read, check and verify a deployment.

    Raises
    ------
    DeploymentError
        If the file is missing, foreign, damaged, of another schema version, or holds a network
        that breaks a rule.
    """
    found = _read(path)
    return deployment_from_document(os.fspath(path), found.document, found.tensors, found.whole)


def deployment_from_document(
    where: str, document: Mapping[str, Any], tensors: Tensors, whole: bool = True
) -> tuple[Network, Provenance]:
    """Rebuild what :func:`deployment_document` gave, whatever file it was in, and verify it.

    ``whole`` tells whether the file's digest fits.

    Raises
    ------
    DeploymentError
        As :func:`read_deployment`; ``where`` is what messages call the file.
    """
    version = document.get("schema_version")
    if type(version) is not int or version not in READABLE:
        told = " and ".join(map(str, READABLE))
        raise DeploymentError(
            f"{where}: schema version {shown(version)}; this snn-deploy reads versions {told}. "
            "Convert the checkpoint again, or install the version that wrote the file "
            f"({str(document.get('tool_version', 'unknown'))[:80]})"
        )
    if not whole:
        raise DeploymentError(
            f"{where}: its SHA-256 does not match: the file was changed or damaged after it was "
            "written; convert the checkpoint again"
        )
    document = upgrade_document(dict(document))
    try:
        origin = _provenance(document)
        network = network_from_document(document.get("network"), tensors)
        verify_network(network)
    except (DeploymentError, NetworkError, SchemaError) as error:
        raise DeploymentError(f"{where}: not a valid deployment: {error}") from error
    return network, origin


def is_deployment(path: str | os.PathLike[str]) -> bool:
    """Tell a deployment from a checkpoint by its first bytes, without trusting either."""
    return has_document(METADATA_KEY, path)


def _read(path: str | os.PathLike[str]) -> Contents:
    try:
        return read_checksummed(METADATA_KEY, path)
    except OSError as error:
        raise DeploymentError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ForeignFileError as error:
        raise DeploymentError(
            f"{path}: not a deployment of snn-deploy, or damaged ({error}); "
            "make one with: snn-deploy convert CHECKPOINT -o OUT.safetensors"
        ) from error


_PLAIN_TABLE = Table(Plain(), names=TEXT, most=1000)
_SCHEMA = Record(
    {
        "profile": Text(64, "[a-z][a-z0-9_]*"),
        "profile_version": TEXT,
        "checkpoint": TEXT,
        "checkpoint_sha256": TEXT,
        "calibration": _PLAIN_TABLE,
        "settings": _PLAIN_TABLE,
        "tool_version": TEXT,
        "profile_settings": _PLAIN_TABLE,
        "profile_data": _PLAIN_TABLE,
        "source": _PLAIN_TABLE,
    },
    closed=False,
)


def _provenance(document: dict[str, Any]) -> Provenance:
    _SCHEMA.check(document, "")
    return Provenance(**{name: document[name] for name in _SCHEMA.fields})
