"""Reads lava-dl's ``.net`` files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.io.hdf5 import read_hdf5
from snn_deploy.io.reading import read_regular
from snn_deploy.printable import shown
from snn_deploy.readers.lava_dl.fields import Fields
from snn_deploy.readers.lava_dl.network import NetOptions, network_of
from snn_deploy.readers.source import ReadOptions, Source, SourceProvenance

__all__ = ["LavaDlReader"]

ENDING = ".net"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_BYTES = 1 << 30


class LavaDlReader:
    """Reads a ``.net`` file as an integer network: its numbers are Loihi's already."""

    def recognises(self, thing: object) -> bool:
        """Tell whether it is the path of such a file."""
        return isinstance(thing, str | os.PathLike) and Path(thing).suffix == ENDING

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Read it; ``config`` may hold ``input_message_bits`` and ``input_shape``, as for netx."""
        path = Path(thing)
        options.refuse(
            "a .net file", "family", "state_dict_key", "prefix", "ignore_keys", "weights"
        )
        try:
            content = read_regular(path, MOST_BYTES)
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
        if not content.startswith(SIGNATURE):
            raise CheckpointError(f"{path}: not an HDF5 file, as lava-dl's .net files are")
        file = Fields(read_hdf5(content, str(path), "lava-dl"), str(path))
        told = _options(options)
        network, notes = network_of(file, told, options.output_steps)
        provenance = SourceProvenance(
            path.name,
            hashlib.sha256(content).hexdigest(),
            {"reader": "lava-dl"},
            tuple(notes),
        )
        return Source(network, provenance)


def _options(options: ReadOptions) -> NetOptions:
    given: Mapping[str, Any] = options.settings()
    unknown = set(given) - {"input_message_bits", "input_shape"}
    if unknown:
        raise ConfigError(
            f"a .net file takes no {shown(', '.join(map(str, unknown)))}; there are: "
            "input_message_bits, input_shape"
        )
    bits = _numbers(given.get("input_message_bits", 0))
    if len(bits) != 1 or bits[0] not in (0, *range(2, 25)):
        raise ConfigError(
            "input_message_bits is 0, for spikes, or 2 … 24, not "
            f"{shown(given['input_message_bits'])}"
        )
    if "input_shape" not in given:
        return NetOptions(bits[0])
    shape = _numbers(given["input_shape"])
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        told = shown(given["input_shape"])
        raise ConfigError(f"input_shape is channels, or maps, rows and columns, not {told}")
    return NetOptions(bits[0], shape)


def _numbers(given: Any) -> tuple[int, ...]:
    """Give whole numbers that stand in a list, or in text with commas; none, if it is no such."""
    parts = given.split(",") if isinstance(given, str) else given
    parts = parts if isinstance(parts, list | tuple) else [parts]
    try:
        return tuple(int(part) for part in parts if not isinstance(part, float | bool))
    except (TypeError, ValueError):
        return ()
