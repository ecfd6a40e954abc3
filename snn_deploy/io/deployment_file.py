"""The deployment file: one safetensors file, integer tensors and one JSON document, checksummed.

``docs/file-format.md`` describes it. The document sits in the safetensors metadata under the key
``snn-deploy``; see ``checksummed.py`` for how any changed byte is found.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import numpy.typing as npt

from snn_deploy.errors import DeploymentError, NetworkError
from snn_deploy.io.checksummed import ForeignFileError, is_whole, read_checksummed, with_checksum
from snn_deploy.io.files import atomic_write
from snn_deploy.io.upgrade import READABLE, SCHEMA_VERSION, upgrade_document
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.verifier import verify_network

__all__ = ["SCHEMA_VERSION", "Provenance", "is_deployment", "read_deployment", "write_deployment"]

METADATA_KEY = "snn-deploy"
_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format itself


@dataclass(frozen=True)
class Provenance:
    """Where a deployment came from.

    Parameters
    ----------
    profile, profile_version
        Name and version of the hardware profile that it was compiled for.
    checkpoint, checkpoint_sha256
        Name and digest of the checkpoint file.
    calibration
        What the formats were chosen from: ``{"source": "calibration", "sequences": …}`` or
        ``{"source": "analytic", "input_range": …}``.
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


def write_deployment(path: str | os.PathLike[str], network: Network, origin: Provenance) -> None:
    """Write a lowered network; the same network gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind then.
    """
    structure, tensors = network_to_document(network)
    document = {"schema_version": SCHEMA_VERSION, **asdict(origin), "network": structure}
    content = with_checksum(METADATA_KEY, document, tensors)
    with atomic_write(path) as file:
        file.write(content)


def read_deployment(path: str | os.PathLike[str]) -> tuple[Network, Provenance]:
    """Read, check and verify a deployment.

    Raises
    ------
    DeploymentError
        If the file is missing, foreign, damaged, of another schema version, or holds a network
        that breaks a rule.
    """
    content = _read(Path(path))
    document, tensors = _parse(content, path)
    version = document.get("schema_version")
    if type(version) is not int or version not in READABLE:
        told = " and ".join(map(str, READABLE))
        raise DeploymentError(
            f"{path}: schema version {version!r}; this snn-deploy reads versions {told}. "
            "Convert the checkpoint again, or install the version that wrote the file "
            f"({document.get('tool_version', 'unknown')})"
        )
    _check_digest(content, document.get("sha256"), path)
    document = upgrade_document(document)
    try:
        network = network_from_document(document.get("network"), tensors)
        verify_network(network)
        origin = _provenance(document)
    except (DeploymentError, NetworkError) as error:
        raise DeploymentError(f"{path}: not a valid deployment: {error}") from error
    return network, origin


def is_deployment(path: str | os.PathLike[str]) -> bool:
    """Tell a deployment from a checkpoint by its first bytes, without trusting either."""
    try:
        with Path(path).open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return size <= _MAX_HEADER and f'"{METADATA_KEY}":'.encode() in file.read(size)
    except OSError:
        return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeploymentError(f"{path}: cannot be read: {error.strerror or error}") from error


def _parse(
    content: bytes, path: str | os.PathLike[str]
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    try:
        return read_checksummed(METADATA_KEY, content)
    except ForeignFileError as error:
        raise DeploymentError(
            f"{path}: not a deployment of snn-deploy, or damaged ({error}); "
            "make one with: snn-deploy convert CHECKPOINT -o OUT.safetensors"
        ) from error


def _check_digest(content: bytes, digest: Any, path: str | os.PathLike[str]) -> None:
    if not is_whole(content, digest):
        raise DeploymentError(
            f"{path}: its SHA-256 does not match: the file was changed or damaged after it was "
            "written; convert the checkpoint again"
        )


def _provenance(document: dict[str, Any]) -> Provenance:
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(Provenance).items():
        kind = get_origin(hint) or hint
        if not isinstance(document.get(name), kind):
            raise DeploymentError(f"'{name}' is missing, or no {kind.__name__}")
        found[name] = document[name]
    return Provenance(**found)
