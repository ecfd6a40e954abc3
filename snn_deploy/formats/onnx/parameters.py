"""A network's arrays as initialisers: named and typed as a deployment file's tensors are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper

from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.operations import INT64

__all__ = ["Parameters"]


@dataclass
class Parameters:
    """Initialisers of a model.

    Parameters
    ----------
    tensors
        Those of the deployment, by ``node/field``: what is one of them goes in as it is, so that
        the deployment can be read back from the model.
    graph
        Whose names they must not have.
    """

    tensors: Mapping[str, npt.NDArray[Any]]
    graph: Graph
    taken: dict[str, str] = field(default_factory=dict)
    """By the name of a tensor of the deployment: its initialiser's name."""
    protos: list[Any] = field(default_factory=list)

    def add(self, node: str, name: str, array: npt.NDArray[Any]) -> str:
        """Give the name of the initialiser of a node's parameter."""
        found = self._stored(node, name, array)
        if found is None:
            return self._added(f"{node}/{name}", array)
        if found not in self.taken:
            self.taken[found] = self._added(found, self.tensors[found])
        return self.taken[found]

    def wide(self, node: str, name: str, array: npt.NDArray[Any]) -> str:
        """Give the same as int64."""
        narrow = self.add(node, name, array)
        return self.graph.add("Cast", [narrow], f"{node}/{name}_wide", to=INT64)

    def _added(self, wanted: str, array: npt.NDArray[Any]) -> str:
        name = self.graph.name(wanted)
        self.protos.append(numpy_helper.from_array(array, name))
        return name

    def _stored(self, node: str, name: str, array: npt.NDArray[Any]) -> str | None:
        same = [
            key
            for key, tensor in self.tensors.items()
            if key.startswith(f"{node}/")
            and tensor.shape == array.shape
            and tensor.dtype.kind == "i"
            and np.array_equal(tensor, array)
        ]
        return min(same, key=lambda key: not key.endswith(name), default=None)
