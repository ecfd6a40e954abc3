"""NIR files of a deployment: written, and read back to the same integers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snn_deploy.errors import BackendUnavailableError, CheckpointError, DeploymentError
from snn_deploy.formats.registry import Written
from snn_deploy.io.files import atomic_write
from snn_deploy.io.hdf5 import read_hdf5
from snn_deploy.io.reading import read_regular

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = ["NirFormat"]

MOST_BYTES = 1 << 30
SUFFIX = ".nir"
DEPLOYMENT = "snn_deploy"
VERSION = "1.0.8"  # of nir's, whose files these are


class NirFormat:
    """A graph of primitives; the deployment itself is in its metadata, under ``snn_deploy``."""

    name = "nir"

    def write(self, deployment: Deployment, path: Path) -> Written:
        """Write the graph that the integers stand for, and the integers."""
        from snn_deploy.formats.nir.graph import graph_of
        from snn_deploy.io.deployment_file import deployment_document
        from snn_deploy.ir.storage import content_digest

        try:
            import h5py
        except ImportError as error:
            raise BackendUnavailableError(
                "writing NIR files needs h5py, which is not installed: pip install "
                "'snn-deploy[nir]'"
            ) from error
        graph = graph_of(deployment.network)
        document, tensors = deployment_document(deployment.network, deployment.origin)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        digest = content_digest(document, tensors)
        graph["metadata"][DEPLOYMENT] = {"document": text, "sha256": digest, "tensors": tensors}
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file["version"] = VERSION
            _write(file.create_group("node"), graph, h5py.string_dtype())
        with atomic_write(path) as opened:
            opened.write(content.getvalue())
        notes = [
            "a graph rounds nothing: its answers are near the chip's; the integers are metadata"
        ]
        for name, nodes in graph["metadata"].get("heads", {}).items():
            notes.append(f"the head of '{name}' is left to the reader: {nodes}")
        return Written((path,), tuple(notes))

    def recognises(self, path: Path) -> bool:
        """Tell by the ending, and by the name of a deployment's metadata in it."""
        if path.suffix.lower() != SUFFIX:
            return False
        try:
            return DEPLOYMENT.encode() in read_regular(path, MOST_BYTES)
        except OSError:
            return False

    def read(self, path: Path) -> Deployment:
        """Read the deployment in the metadata; the graph is not looked at."""
        from snn_deploy.deployment import Deployment
        from snn_deploy.io.deployment_file import deployment_from_document
        from snn_deploy.ir.storage import content_digest

        try:
            tree = read_hdf5(read_regular(path, MOST_BYTES), path.name, "nir")
        except OSError as error:
            raise DeploymentError(f"{path}: cannot be read: {error.strerror or error}") from error
        except CheckpointError as error:
            raise DeploymentError(str(error)) from error
        inside = _at(tree, "node", "metadata", DEPLOYMENT)
        if not isinstance(inside.get("document"), str):
            raise DeploymentError(
                f"{path}: a NIR graph that holds no deployment; make one with: snn-deploy convert "
                f"{path} -o OUT.safetensors"
            )
        try:
            document = json.loads(inside["document"])
        except (ValueError, RecursionError) as error:
            raise DeploymentError(f"{path}: its description is not readable JSON") from error
        if not isinstance(document, dict):
            raise DeploymentError(f"{path}: its description is no JSON object")
        tensors = dict(_arrays(_at(inside, "tensors"), ""))
        whole = content_digest(document, tensors) == inside.get("sha256")
        return Deployment(*deployment_from_document(str(path), document, tensors, whole))


def _write(group: Any, values: Mapping[str, Any], text: Any) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and name != "tensors":
            _write(group.create_group(name), value, text)
        elif isinstance(value, Mapping):
            for path, tensor in value.items():  # its names are paths
                _write(group, {f"tensors/{path}": tensor}, text)
        elif isinstance(value, str) or name == "edges":
            group.create_dataset(name, data=value, dtype=text)
        else:
            array = np.asarray(value)
            how = {"compression": "gzip"} if array.ndim and array.size else {}
            group.create_dataset(name, data=array, **how)


def _at(tree: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def _arrays(tree: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        inside = f"{path}/{name}" if path else name
        if isinstance(value, Mapping):
            yield from _arrays(value, inside)
        else:
            yield inside, value
