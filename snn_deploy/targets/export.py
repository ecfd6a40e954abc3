"""Writing a deployment as source code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from snn_deploy.errors import OutputError
from snn_deploy.io.deployment_file import deployment_bytes
from snn_deploy.progress import doing
from snn_deploy.run.simulation import encode_inputs
from snn_deploy.targets.files import write_text
from snn_deploy.version import __version__

if TYPE_CHECKING:
    from snn_deploy.data.inputs import Data
    from snn_deploy.deployment import Deployment
    from snn_deploy.targets.registry import Target

__all__ = ["export_deployment", "export_state"]


def export_deployment(
    deployment: Deployment, target: Target, folder: Path, data: Data | None = None
) -> tuple[Path, ...]:
    """Write a deployment's sources for a target into a folder; make that if needed.

    They name the SHA-256 of the deployment's file. With them goes a test: the answers to ``data``,
    or to drawn inputs.

    Raises
    ------
    TargetError
        If the target cannot express the network.
    OutputError
        If something cannot be written.
    """
    content = deployment_bytes(deployment.network, deployment.origin)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    inputs = None if data is None else encode_inputs(deployment.network, data)
    with doing(f"writing {target.name} to {folder}"):
        return target.emit(deployment.network, folder, hashlib.sha256(content).hexdigest(), inputs)


def export_state(deployment: Deployment, state: Path, folder: Path) -> Path:
    """Write a stream's state, as :meth:`~snn_deploy.Stream.save` put it away, beside exported C99.

    Raises
    ------
    DataError
        If the file is no state of this network, or of several sequences.
    OutputError
        If it cannot be written.
    """
    from snn_deploy.engines.registry import get_engine
    from snn_deploy.io.stream_state import read_state
    from snn_deploy.targets.c.resumed import resumed_text
    from snn_deploy.targets.c.source import Source

    found = read_state(state, deployment.network, get_engine("native"))
    text = resumed_text(Source(deployment.network), found.snapshot, __version__)
    return write_text(folder / "snn_resumed.h", text)
