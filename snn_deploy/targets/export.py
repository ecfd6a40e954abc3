"""Writing a deployment as source code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from snn_deploy.errors import OutputError
from snn_deploy.io.deployment_file import deployment_bytes
from snn_deploy.run.simulation import encode_inputs
from snn_deploy.targets.registry import get_target

if TYPE_CHECKING:
    from snn_deploy.data.inputs import Data
    from snn_deploy.deployment import Deployment

__all__ = ["export_deployment"]


def export_deployment(
    deployment: Deployment, form: str, folder: Path, data: Data | None = None
) -> tuple[Path, ...]:
    """Write a deployment's sources in a format, such as ``c``, into a folder; make that if needed.

    They name the SHA-256 of the deployment's file. With them goes a test: the answers to ``data``,
    or to drawn inputs.

    Raises
    ------
    ConfigError, TargetError
        If there is no such format, or it cannot express the network.
    OutputError
        If something cannot be written.
    """
    target = get_target(form)
    content = deployment_bytes(deployment.network, deployment.origin)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    inputs = None if data is None else encode_inputs(deployment.network, data)
    return target.emit(deployment.network, folder, hashlib.sha256(content).hexdigest(), inputs)
