"""The readers by name, imported on use, and the one door to all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from snn_deploy.errors import ConfigError, NetworkError
from snn_deploy.ir.verifier import verify_network
from snn_deploy.plugins import OURS, Named, blaming, named, usable
from snn_deploy.progress import doing
from snn_deploy.readers.source import Reader, ReadOptions, Source

__all__ = ["READERS", "read_source", "reader_names"]

READERS: dict[str, str] = {
    "network": "snn_deploy.readers.network:NetworkReader",
    "spiking module": "snn_deploy.readers.spiking.reader:SpikingModuleReader",
    "module": "snn_deploy.readers.module:ModuleReader",
    "nir": "snn_deploy.readers.nir.reader:NirReader",
    "lava-dl": "snn_deploy.readers.lava_dl.reader:LavaDlReader",
    "onnx": "snn_deploy.readers.onnx.reader:OnnxReader",
    "checkpoint": "snn_deploy.readers.checkpoint:CheckpointReader",
}
"""In the order in which they are asked; other packages' are asked before them."""


def read_source(thing: Any, options: ReadOptions | None = None) -> Source:
    """Read a path, bytes, a float network, a live module, or what another package's reader knows.

    A :class:`Source` is given back as it is. Its network is of stage ``integer`` where the numbers
    were chosen already.

    Raises
    ------
    ConfigError
        If nothing reads such a thing, two packages would, or an option has no use.
    CheckpointError, UnsupportedNetworkError
        See :meth:`Reader.read`.
    """
    options = options or ReadOptions()
    if isinstance(thing, Source):
        options.refuse("a Source, which was read already,")
        source = thing
    else:
        entry, reader = _reader_for(thing)
        with blaming(entry, f"failed on {_shown(thing)}"), doing(f"reading {_shown(thing)}"):
            source = reader.read(thing, options)
    if source.network.stage == "lowered":
        raise NetworkError("a source is a float network, or an integer one, but not a lowered one")
    verify_network(source.network)
    return source


def reader_names() -> tuple[str, ...]:
    """Name all readers: ours, then those that other packages add."""
    return tuple(_readers())


def _readers() -> dict[str, Named]:
    return named("readers", READERS)


def _reader_for(thing: object) -> tuple[Named, Reader]:
    readers = _readers()
    found = _recognising(thing, {n: e for n, e in readers.items() if e.package != OURS})
    if len(found) > 1:
        both = " and ".join(str(readers[name]) for name in found)
        raise ConfigError(f"{_shown(thing)} is recognised by {both}: uninstall one of them")
    found = found or _recognising(thing, {n: e for n, e in readers.items() if e.package == OURS})
    for name, reader in found.items():
        return readers[name], reader
    raise ConfigError(
        f"nothing reads a {type(thing).__name__}; give the path of a checkpoint, its bytes, a "
        f"float network or a torch module (readers: {', '.join(readers)})"
    )


def _recognising(thing: object, entries: Mapping[str, Named]) -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for name, make in usable(entries.values()):
        with blaming(entries[name], f"failed on {_shown(thing)}"):
            reader: Reader = make()
            if reader.recognises(thing):
                found[name] = reader
    return found


def _shown(thing: object) -> str:
    return os.fspath(thing) if isinstance(thing, str | os.PathLike) else type(thing).__name__
