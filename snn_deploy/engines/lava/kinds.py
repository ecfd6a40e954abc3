"""Kinds of node that the child process would not know: handed over by name, and imported there.

A kind that another package adds, or that a program has made known to itself, is legal in the
process that did so. The child imports those that its parent put into the job, and no others.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
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
    kinds = {type(node): node for node in network}
    found = {kind: node for kind, node in kinds.items() if not _ours(kind)}
    for kind, node in found.items():
        if kind.__module__ == "__main__" or "." in kind.__qualname__:
            raise NetworkError(
                f"node '{node.name}' ({kind.__name__}) is of a kind that Lava's child process "
                f"cannot import from {kind.__module__}: define it at the top of a module of its "
                "own, or take the backend native or reference"
            )
    names = [[kind.__module__, kind.__name__] for kind in found]
    search = [str(Path(place).absolute()) for place in sys.path]
    return {"kinds": names, "search": search if names else []}


def _ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{room.__name__}.")


def add_foreign_kinds(named: Mapping[str, Any]) -> None:
    """Import what :func:`foreign_kinds` named, and make it known."""
    sys.path.extend(place for place in named["search"] if place not in sys.path)
    for module, name in named["kinds"]:
        add_kind(getattr(import_module(module), name))
