"""The kinds of node by name, imported on use; kinds of other packages are found by entry point.

A file names a node's kind by its class's name; so two kinds of one name cannot be told apart, and
are refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from snn_deploy.errors import ConfigError
from snn_deploy.nodes.base import IntegerNode

__all__ = ["KINDS", "add_kind", "integer_kinds", "with_kind"]

KINDS: dict[str, str] = {
    "Input": "inputs",
    "Synapses": "synapses",
    "Dendrite": "dendrite",
    "LifSoma": "lif",
    "Gate": "gate",
    "Requantize": "requantize",
    "Accumulator": "pooling",
    "RunningSum": "pooling",
    "EmbeddingTable": "embedding_table",
    "Positions": "positions",
    "Window": "window",
    "Normalize": "normalize",
    "QuantizedLinear": "synapses",
    "QuantizedSsm": "dendrite",
    "QuantizedGlu": "gate",
}
"""Our own integer kinds, and the module of ``snn_deploy.nodes`` that each is in."""

_added: dict[str, type[IntegerNode]] = {}


def integer_kinds(lowered: bool = False) -> dict[str, type[IntegerNode]]:
    """Give the kinds that an integer network may have, or a ``lowered`` one, by name."""
    kinds = {**_own(), **_added}
    return {name: kind for name, kind in kinds.items() if kind.lowered or not lowered}


@cache
def _own() -> dict[str, type[IntegerNode]]:
    return {
        name: getattr(importlib.import_module(f"snn_deploy.nodes.{module}"), name)
        for name, module in KINDS.items()
    }


def add_kind(kind: type[IntegerNode]) -> None:
    """Make a kind known.

    Raises
    ------
    ConfigError
        If another kind has its name.
    """
    name = kind.__name__
    known = integer_kinds().get(name)
    if known is not None and known is not kind:
        raise ConfigError(
            f"two node kinds are called '{name}': {known.__module__} has one, and "
            f"{kind.__module__}; rename one of them"
        )
    _added[name] = kind


@contextmanager
def with_kind(kind: type[IntegerNode]) -> Iterator[None]:
    """Make a kind known for a while."""
    add_kind(kind)
    try:
        yield
    finally:
        del _added[kind.__name__]
