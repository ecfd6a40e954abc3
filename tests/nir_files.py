"""Writes NIR graphs as HDF5 by hand, also such as no tool would."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["chain", "graph", "write_nir"]


def graph(nodes: Mapping[str, Any], edges: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    """Give a graph as nested dictionaries."""
    return {"type": "NIRGraph", "nodes": dict(nodes), "edges": edges, **more}


def chain(width: int, *nodes: Mapping[str, Any], outputs: int | None = None) -> dict[str, Any]:
    """Give a graph of nodes in a row, ``n0``, ``n1``, …, between an input and an output."""
    names = [f"n{index}" for index in range(len(nodes))]
    there = {
        "input": {"type": "Input", "shape": [width]},
        **dict(zip(names, nodes, strict=True)),
        "output": {"type": "Output", "shape": [outputs or width]},
    }
    row = ["input", *names, "output"]
    return graph(there, list(pairwise(row)))


def write_nir(path: Path, tree: Mapping[str, Any]) -> Path:
    """Write a graph to a file."""
    import h5py

    def write(group: Any, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Mapping):
                write(group.create_group(name), value)
            elif isinstance(value, str) or name == "edges":
                shape = (0, 2) if name == "edges" and not value else None
                group.create_dataset(name, shape, data=value or None, dtype=h5py.string_dtype())
            else:
                group.create_dataset(name, data=np.asarray(value))

    with h5py.File(path, "w") as file:
        file["version"] = "1.0.8"
        write(file.create_group("node"), tree)
    return path
