"""Documents of earlier schema versions, brought to today's: files of every release load.

One function a version, each from that version to the next. The digest is checked before, over the
file as it was written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["READABLE", "SCHEMA_VERSION", "upgrade_document"]

SCHEMA_VERSION = 3

Document = dict[str, Any]

_RENAMED_IN_3 = {"Lookup": "EmbeddingTable", "Relay": "Requantize"}


def _from_2(document: Document) -> Document:
    """Nodes took the field's own names, and the document says how the network was read."""
    settings = document.get("settings")
    if isinstance(settings, dict) and settings.get("lean_modes") == 16:  # the default, and is still
        kept = {name: value for name, value in settings.items() if name != "lean_modes"}
        document = {**document, "settings": {**kept, "dendrite_rounding": "auto"}}
    document = {"source": {}, **document}
    network = document.get("network")
    nodes = network.get("nodes") if isinstance(network, dict) else None
    if not isinstance(nodes, list):
        return document  # what reads the network refuses it by name
    renamed = [_renamed(node) if isinstance(node, dict) else node for node in nodes]
    return {**document, "network": {**network, "nodes": renamed}}  # type: ignore[dict-item]


def _renamed(node: Document) -> Document:
    kind = node.get("kind")
    known = isinstance(kind, str) and kind in _RENAMED_IN_3
    return {**node, "kind": _RENAMED_IN_3[kind]} if known else node  # type: ignore[index]


_STEPS: dict[int, Callable[[Document], Document]] = {2: _from_2}
"""By the version that a step starts from."""

READABLE = (*_STEPS, SCHEMA_VERSION)


def upgrade_document(document: Document) -> Document:
    """Bring a document of a readable version to today's; today's stays as it is."""
    version = document["schema_version"]
    for start in range(version, SCHEMA_VERSION):
        document = {**_STEPS[start](document), "schema_version": start + 1}
    return document
