"""The file formats by name, imported on use, and what each of them must do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from snn_deploy.errors import ConfigError
from snn_deploy.plugins import imported, unknown_name

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = [
    "FORMATS",
    "FileFormat",
    "Written",
    "get_format",
    "holds_deployment",
    "recognised_format",
]

FORMATS: dict[str, str] = {
    "lava-dl": "snn_deploy.formats.lava_dl.file:LavaDlFormat",
    "nir": "snn_deploy.formats.nir.file:NirFormat",
    "onnx": "snn_deploy.formats.onnx.file:OnnxFormat",
}


@dataclass(frozen=True)
class Written:
    """The files that were written, and what their reader should know of them."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


class FileFormat(Protocol):
    """Writes a deployment to a file that other tools read, and reads such a file back."""

    name: str

    def write(self, deployment: Deployment, path: Path) -> Written:
        """Write a deployment; the same one gives the same bytes.

        Raises
        ------
        TargetError
            If the format cannot express the network, naming the node.
        ConfigError
            If the file's name has not the format's ending.
        BackendUnavailableError
            If the format's package is not installed.
        OutputError
            If a file cannot be written; nothing is left behind then.
        """

    def recognises(self, path: Path) -> bool:
        """Tell whether :meth:`read` is for this file, without trusting it or importing much."""

    def read(self, path: Path) -> Deployment:
        """Read back what :meth:`write` wrote, to the same integers, and verify it.

        Raises
        ------
        DeploymentError
            If the file is damaged, was changed, or holds no deployment.
        BackendUnavailableError
            If the format's package is not installed.
        """


def get_format(name: str) -> FileFormat:
    """Import and make the format called ``name``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in FORMATS:
        raise ConfigError(unknown_name("format", name, FORMATS))
    form: FileFormat = imported(FORMATS[name])()
    return form


def recognised_format(path: Path) -> FileFormat | None:
    """Give the format whose file this is; None: it is of none of them."""
    forms = (get_format(name) for name in FORMATS)
    return next((form for form in forms if form.recognises(path)), None)


def holds_deployment(path: str | os.PathLike[str]) -> bool:
    """Tell a deployment, in its own format or another, from any other file, without trusting it."""
    from snn_deploy.io.deployment_file import is_deployment

    return is_deployment(path) or recognised_format(Path(path)) is not None
