"""ONNX files of a deployment: written, and read back to the same integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from snn_deploy.errors import (
    BackendUnavailableError,
    ConfigError,
    DeploymentError,
    OutputError,
    SnnDeployError,
    TargetError,
)
from snn_deploy.formats.registry import Written
from snn_deploy.io.files import atomic_write
from snn_deploy.io.reading import read_regular

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = [
    "PREFIX",
    "SUFFIX",
    "OnnxFormat",
    "check_available",
    "is_deployment",
    "parse_model",
    "read_content",
]

MAX_FILE_BYTES = 2**31 - 1  # of a protocol buffer
SUFFIX = ".onnx"
PREFIX = "snn_deploy."
"""Stands before the names of a deployment's metadata."""
DOCUMENT = f"{PREFIX}document"


def check_available(what: str, package: str = "onnx") -> None:
    """Refuse to go on where a package is missing.

    Raises
    ------
    BackendUnavailableError
        Saying how to get it.
    """
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise BackendUnavailableError(
            f"{what} needs the package {package}, which is not installed: "
            "pip install 'snn-deploy[onnx]'"
        )


def read_content(path: Path, wrong: type[SnnDeployError]) -> bytes:
    """Read a file, that one alone, whatever it refers to; ``wrong`` is raised if it cannot be."""
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise wrong(f"{path}: cannot be read: {error.strerror or error}") from error


def parse_model(content: bytes, where: str, wrong: type[SnnDeployError]) -> Any:
    """Give a model, an ``onnx.ModelProto``; ``wrong`` is raised if it is none."""
    check_available("reading ONNX files")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load_model_from_string(content)
    except DecodeError as error:
        raise wrong(f"{where}: not an ONNX file, or damaged: {error}") from error


def is_deployment(model: Any) -> bool:
    """Tell whether a model says that it was written from a deployment."""
    return any(entry.key == DOCUMENT for entry in model.metadata_props)


class OnnxFormat:
    """A model of whole sequences, and beside it, ``NAME.step.onnx``, one of a step."""

    name = "onnx"

    def write(self, deployment: Deployment, path: Path) -> Written:
        """Write both models; only the first where the network has no step of its own."""
        check_available("writing ONNX files")
        if path.suffix.lower() != SUFFIX:
            raise ConfigError(f"{path}: give a name that ends in {SUFFIX}, by which it is known")
        step = path.with_suffix(f".step{SUFFIX}")
        for file in (path, step):
            if file.exists() and not self.recognises(file):
                raise OutputError(f"{file} exists and is not a deployment; choose another name")
        from snn_deploy.formats.onnx.document import describe
        from snn_deploy.formats.onnx.model import NoStepError, sequence_model, step_model
        from snn_deploy.ir.storage import network_to_document

        network = deployment.network
        _, tensors = network_to_document(network)
        models = {path: sequence_model(network, tensors)}
        notes: tuple[str, ...] = ()
        try:
            models[step] = step_model(network, tensors)
        except NoStepError as error:
            notes = (str(error),)
        for model in models.values():
            describe(model, deployment)
        contents = {file: _content(model.proto) for file, model in models.items()}
        for file, content in contents.items():
            with atomic_write(file) as opened:
                opened.write(content)
        return Written(tuple(models), notes)

    def recognises(self, path: Path) -> bool:
        """Tell by the ending, and by the name of a deployment's metadata in it."""
        if path.suffix.lower() != SUFFIX:
            return False
        try:
            return DOCUMENT.encode() in read_regular(path, MAX_FILE_BYTES)
        except OSError:
            return False

    def read(self, path: Path) -> Deployment:
        """Read either model."""
        model = parse_model(read_content(path, DeploymentError), str(path), DeploymentError)
        from snn_deploy.formats.onnx.document import restore

        return restore(str(path), model)


def _content(model: Any) -> bytes:
    size = model.ByteSize()
    if size > MAX_FILE_BYTES:
        raise TargetError(
            f"the model takes {size:,} bytes, and an ONNX file holds {MAX_FILE_BYTES:,} at the most"
        )
    return bytes(model.SerializeToString(deterministic=True))
