"""The reader of NIR graphs: a ``.nir`` file, or a live ``nir.NIRGraph``."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.errors import CheckpointError, SnnDeployWarning
from snn_deploy.io.hdf5 import read_hdf5
from snn_deploy.io.reading import read_regular
from snn_deploy.readers.nir.conventions import (
    Conventions,
    chosen_conventions,
    stated_conventions,
)
from snn_deploy.readers.nir.graph import flat_graph
from snn_deploy.readers.nir.network import build_network
from snn_deploy.readers.source import ReadOptions, Source, SourceProvenance

__all__ = ["NO_USE", "NirReader", "read_graph"]

MOST_BYTES = 1 << 30
NO_USE = ("family", "state_dict_key", "prefix", "ignore_keys", "weights")
"""Options of checkpoints, which a graph has no use for."""


class NirReader:
    """Reads what other tools wrote, by the conventions that are told or that its metadata name."""

    def recognises(self, thing: object) -> bool:
        """Tell whether it is a file called ``.nir``, or a graph of the package ``nir``."""
        if isinstance(thing, str | os.PathLike):
            return os.fspath(thing).endswith(".nir")
        return type(thing).__name__ == "NIRGraph" and type(thing).__module__.startswith("nir.")

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Read it as data: nothing of the package ``nir`` runs on a file."""
        options.refuse("a NIR graph", *NO_USE, "example_inputs")
        if isinstance(thing, str | os.PathLike):
            where, content = Path(thing).name, _content(thing)
            file = read_hdf5(content, where, "nir")
            source = read_graph(file.get("node"), where, options)
            chosen = {**source.provenance.chosen, "nir": str(file.get("version", "?"))}
            digest = hashlib.sha256(content).hexdigest()
            return replace(
                source, provenance=replace(source.provenance, sha256=digest, chosen=chosen)
            )
        return read_graph(thing.to_dict(), "NIRGraph", options)


def read_graph(tree: Any, where: str, options: ReadOptions, reader: str = "nir") -> Source:
    """Read a graph as ``nir`` stores it, as nested dictionaries.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError, ConfigError
        See :meth:`~snn_deploy.readers.Reader.read`.
    """
    if not isinstance(tree, Mapping) or tree.get("type") != "NIRGraph":
        raise CheckpointError(f"{where}: holds no NIR graph")
    graph = flat_graph(tree, where)
    settings = {**stated_conventions(graph.metadata), **options.settings()}
    readout = str(settings.pop("readout", "mean"))
    writer, how = chosen_conventions(settings, where)
    if not writer and "dt" not in settings:
        warnings.warn(
            f"{where} does not say which tool wrote it, so it is read by NIR's own equations, in "
            f"Euler steps of {how.dt:g} s; tools differ: --set-model writer=NAME, and single "
            "conventions, e.g. --set-model dt=SECONDS (docs/formats.md)",
            SnnDeployWarning,
            stacklevel=2,
        )
    network = build_network(graph, how, options.output_steps, readout)
    chosen = {"reader": reader, "writer": writer or "unknown"}
    chosen |= {field.name: str(getattr(how, field.name)) for field in fields(Conventions)}
    if options.output_steps == "one":
        chosen["readout"] = readout
    notes = (f"{len(graph.nodes)} nodes and {len(graph.edges)} edges",)
    return Source(network, SourceProvenance(where, _digest(tree), chosen, notes))


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


def _digest(tree: Any) -> str:
    """Give the SHA-256 of a live graph: of all that it holds, by name."""
    sha = hashlib.sha256()

    def add(value: Any, path: str) -> None:
        if isinstance(value, Mapping):
            for name in sorted(value, key=str):
                add(value[name], f"{path}/{name}")
            return
        array = np.asarray(value)
        sha.update(f"{path};{array.dtype.str};{array.shape};".encode())
        sha.update(str(value).encode() if array.dtype.hasobject else array.tobytes())

    add(tree, "")
    return sha.hexdigest()
