"""Kinds of node that the child process would not know: handed over by name, and imported there.

A kind that another package adds, or that a program has made known to itself, is legal in the
process that did so. The child imports those that its parent put into the job, and no others.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import snn_deploy.nodes as room
from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.nodes.registry import add_kind

__all__ = ["add_foreign_kinds", "foreign_kinds"]


def foreign_kinds(network: Network) -> dict[str, Any]:
    """Name the kinds from outside of our room, as plain data, and where their modules are found.

    Raises
    ------
    NetworkError
        If a kind is not at the top of a module that another process can import.
    """
    found = {type(node): node for node in network if not _is_ours(type(node))}
    kinds = []
    for kind, node in found.items():
        file = getattr(sys.modules[kind.__module__], "__file__", None)
        if kind.__module__ == "__main__" or "." in kind.__qualname__ or file is None:
            raise NetworkError(
                f"node '{node.name}' ({kind.__name__}): Lava's child process cannot import "
                f"{kind.__qualname__} of {kind.__module__}; define it at the top of a module of "
                "its own, or take the backend native or reference"
            )
        kinds.append({"module": kind.__module__, "file": file, "name": kind.__name__})
    search = [str(Path(place).absolute()) for place in sys.path]
    return {"kinds": kinds, "search": search if kinds else []}


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{room.__name__}.")


def add_foreign_kinds(found: Mapping[str, Any]) -> None:
    """Import what :func:`foreign_kinds` found, from the same files, and make it known."""
    sys.path.extend(place for place in found["search"] if place not in sys.path)
    for kind in found["kinds"]:
        module = sys.modules.get(kind["module"]) or _load(kind["module"], kind["file"])
        add_kind(getattr(module, kind["name"]))


def _load(name: str, file: str) -> ModuleType:
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module of Python")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
