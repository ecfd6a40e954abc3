"""The kinds of node by name: each module of ``snn_deploy.nodes``, and what other packages add.

A file names a node's kind by its class's name; so two kinds of one name cannot be told apart, and
are refused.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import snn_deploy.nodes as room
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Stage
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.float_node import Channelwise, FloatNode
from snn_deploy.plugins import Named, blaming, foreign, named

__all__ = ["add_kind", "kind_names", "legal_kinds", "with_kind"]

_added: dict[str, type[Node]] = {}


def legal_kinds(stage: Stage) -> dict[str, type[Node]]:
    """Give the kinds of node that a stage may have, by name."""
    kinds = {**_own(), **_foreign(), **_added}
    if stage == "float":
        return {name: kind for name, kind in kinds.items() if issubclass(kind, FloatNode)}
    return {
        name: kind
        for name, kind in kinds.items()
        if issubclass(kind, IntegerNode) and (kind.lowered or stage == "integer")
    }


def kind_names() -> tuple[str, ...]:
    """Name all kinds: ours, then those that other packages add."""
    return tuple(named("nodes", {name: kind.__module__ for name, kind in _own().items()}))


@cache
def _own() -> Mapping[str, type[Node]]:
    modules = [
        importlib.import_module(f"{room.__name__}.{found.name}")
        for found in pkgutil.iter_modules(room.__path__)
        if found.name != "registry"
    ]
    kinds = {
        name: kind
        for module in modules
        for name in module.__all__
        if type(kind := getattr(module, name)) is ABCMeta  # an alias passes for its class
        and issubclass(kind, Node)
        and not inspect.isabstract(kind)
        and kind is not Channelwise
    }
    return dict(sorted(kinds.items()))


def _foreign() -> dict[str, type[Node]]:
    """Import other packages' kinds; an entry point has the name of its class."""
    plugins = foreign("nodes")
    if plugins:
        kind_names()  # refuses a name that is there twice
    return {plugin.name: _loaded(plugin) for plugin in plugins}


def _loaded(plugin: Named) -> type[Node]:
    kind: Any = plugin.load()
    with blaming(plugin, "is no kind of node of that name"):
        if not issubclass(kind, Node) or kind.__name__ != plugin.name:
            raise TypeError(f"it is {kind!r}")
        found: type[Node] = kind
    return found


def add_kind(kind: type[Node]) -> None:
    """Make a kind known.

    Raises
    ------
    ConfigError
        If another kind has its name.
    """
    name = kind.__name__
    known = {**_own(), **_foreign(), **_added}.get(name)
    if known is not None and known is not kind:
        raise ConfigError(
            f"two node kinds are called '{name}': {known.__module__} has one, and "
            f"{kind.__module__}; rename one of them"
        )
    _added[name] = kind


@contextmanager
def with_kind(kind: type[Node]) -> Iterator[None]:
    """Make a kind known for a while, if it is not known anyway."""
    before = dict(_added)
    add_kind(kind)
    try:
        yield
    finally:
        _added.clear()
        _added.update(before)
