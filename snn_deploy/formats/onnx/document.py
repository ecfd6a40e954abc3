"""What a model's metadata say: where it comes from, its numbers' formats, and the deployment.

The deployment's document, as its own file holds it, is a text in the metadata; its tensors are
the model's initialisers, and those that no node takes as they are lie beside the document.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from snn_deploy.deployment import Deployment
from snn_deploy.errors import DeploymentError
from snn_deploy.formats.onnx.arrays import TensorError, tensor_array
from snn_deploy.formats.onnx.file import PREFIX, is_deployment
from snn_deploy.formats.onnx.model import Model, answer_name
from snn_deploy.io.deployment_file import (
    deployment_bytes,
    deployment_document,
    deployment_from_document,
)
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import content_digest
from snn_deploy.version import __version__

__all__ = ["describe", "restore"]

MAX_BYTES = 1 << 28  # of a text in the metadata
_TYPES = ("|i1", "<i2", "<i4", "<i8", "<f4", "<f8")

Tensors = dict[str, npt.NDArray[Any]]


def describe(model: Model, deployment: Deployment) -> None:
    """Write a deployment's metadata into its model."""
    network = deployment.network
    document, tensors = deployment_document(network, deployment.origin)
    beside = {name: _packed(tensors[name]) for name in tensors.keys() - model.tensors.keys()}
    content = deployment_bytes(network, deployment.origin)
    told: dict[str, Any] = {
        "version": __version__,
        "deployment_sha256": hashlib.sha256(content).hexdigest(),
        "inputs": {name: _told(node.output) for name, node in network.inputs.items()},  # type: ignore[attr-defined]  # integer
        "outputs": _outputs(network),
        "document": document,
        "states": model.states,
        "tensors": model.tensors,
        "tensors_beside": beside,
        "content_sha256": content_digest(document, tensors),
    }
    texts = {name: what if isinstance(what, str) else _text(what) for name, what in told.items()}
    helper.set_model_props(model.proto, {PREFIX + name: text for name, text in texts.items()})


def _text(what: Any) -> str:
    return json.dumps(what, sort_keys=True, separators=(",", ":"))


def _told(form: Format) -> dict[str, Any]:
    """Say what integers stand for: ``value = mantissa * 2**-exponent``."""
    return {"bits": form.bits, "exponent": form.exponent, "signed": form.signed}


def _outputs(network: Network) -> dict[str, Any]:
    return {
        answer_name(name): {
            **_told(answer.source.output),  # type: ignore[attr-defined]  # integer stage
            "steps": answer.steps,
            "head": [node.name for node in answer.head],  # which the host computes, in float64
        }
        for name, answer in network.outputs.items()
    }


def _packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"dtype": little.dtype.str, "shape": list(array.shape), "data": data}


def restore(where: str, model: Any) -> Deployment:
    """Give the deployment that a model was written from; nothing in the model is run.

    Raises
    ------
    DeploymentError
        If it holds none, is damaged, or was changed.
    """
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if not is_deployment(model):
        raise DeploymentError(
            f"{where}: an ONNX model, but no deployment: it was not written by snn-deploy export; "
            "to make one of it: snn-deploy convert"
        )
    try:
        document = _parsed(texts, "document")
        tensors = _tensors(model, texts)
    except (TensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DeploymentError(f"{where}: a damaged deployment: {error}") from error
    whole = content_digest(document, tensors) == texts.get(PREFIX + "content_sha256")
    return Deployment(*deployment_from_document(where, document, tensors, whole))


def _parsed(texts: Mapping[str, str], name: str) -> Any:
    text = texts.get(PREFIX + name, "")
    if len(text) > MAX_BYTES:
        raise ValueError(f"its {name} are {len(text):,} bytes, over {MAX_BYTES:,}")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(f"its {name} are a {type(found).__name__}")
    return found


def _tensors(model: Any, texts: Mapping[str, str]) -> Tensors:
    named = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {key: tensor_array(named[name]) for key, name in _parsed(texts, "tensors").items()}
    beside = _parsed(texts, "tensors_beside")
    return found | {name: _unpacked(name, entry) for name, entry in beside.items()}


def _unpacked(name: str, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    if entry["dtype"] not in _TYPES:
        raise TensorError(f"{name}: its type is none of {', '.join(_TYPES)}")
    try:
        data = base64.b64decode(entry["data"], validate=True)
    except binascii.Error as error:
        raise TensorError(f"{name}: its bytes are not base64") from error
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    if any(type(size) is not int or size < 0 for size in shape):
        raise TensorError(f"{name}: its shape is no array's")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise TensorError(f"{name}: its numbers do not fill its shape")
    return np.frombuffer(data, dtype).reshape(shape)
