"""The file that holds a stream's state: ``docs/streaming.md`` describes it.

Integers by node in the network's own order, so that it does not matter how many cores or
which vectors the machine has that wrote it. It is bound to the integer network by a digest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from snn_deploy.engines.native.session import Snapshot
from snn_deploy.engines.result import IntArray
from snn_deploy.errors import DataError
from snn_deploy.io.checksummed import ForeignFileError, is_whole, read_checksummed, with_checksum
from snn_deploy.io.files import atomic_write
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.version import __version__

__all__ = ["SCHEMA_VERSION", "StreamState", "read_state", "write_state"]

SCHEMA_VERSION = 1
METADATA_KEY = "snn-deploy-stream"
# names of tensors beside those of the snapshot, which are ``node/what``
RECENT, LENGTHS = "recent", "lengths"


@dataclass(frozen=True)
class StreamState:
    """A stream at some step.

    Parameters
    ----------
    snapshot
        What the engine carries.
    lengths
        Valid steps (B,), or None: all that come.
    recent
        Mantissas (B, K, d_output) of the last outputs, where the last K steps are the answer.
    clipped
        How many input values were clipped so far.
    """

    snapshot: Snapshot
    lengths: IntArray | None
    recent: IntArray
    clipped: int

    @property
    def samples(self) -> int:
        """How many sequences run side by side, B."""
        return len(self.recent)


def write_state(path: str | os.PathLike[str], network: Network, state: StreamState) -> None:
    """Write a stream's state; the same state gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind then.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "network_sha256": network_digest(network),
        "steps": state.snapshot.steps,
        "saturated": {name: int(n) for name, n in state.snapshot.saturated.items()},
        "clipped_inputs": state.clipped,
    }
    tensors = {**state.snapshot.arrays, RECENT: state.recent}
    if state.lengths is not None:
        tensors[LENGTHS] = state.lengths
    content = with_checksum(METADATA_KEY, document, tensors)
    with atomic_write(path) as file:
        file.write(content)


def read_state(path: str | os.PathLike[str], network: Network) -> StreamState:
    """Read the state of a stream through ``network``.

    Raises
    ------
    DataError
        If the file is missing, damaged, no stream's state, or another network's.
    """
    document, tensors = _read(Path(path))
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: a stream's state of schema version {version!r}; this snn-deploy reads "
            f"version {SCHEMA_VERSION}. Resume it with the version that wrote it "
            f"({document.get('tool_version', 'unknown')}), or start anew"
        )
    if document["network_sha256"] != network_digest(network):
        raise DataError(
            f"{path}: the state of a stream through another network (SHA-256 "
            f"{document['network_sha256'][:12]}…); resume it with the deployment that it was saved "
            "with, or start anew"
        )
    lengths, recent = tensors.pop(LENGTHS, None), tensors.pop(RECENT)
    snapshot = Snapshot(document["steps"], tensors, document["saturated"])
    return StreamState(snapshot, lengths, recent, document["clipped_inputs"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        document, tensors = read_checksummed(METADATA_KEY, content)
    except ForeignFileError as error:
        raise DataError(f"{path}: not a stream's state, or damaged ({error})") from error
    if not is_whole(content, document.get("sha256")):
        raise DataError(
            f"{path}: its SHA-256 does not match: the file was changed or damaged after it was "
            "written; start the stream anew, or from an earlier state"
        )
    return document, tensors
