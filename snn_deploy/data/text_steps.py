"""Steps of one sequence as lines of text, as a sensor's process prints them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import vocabulary_of
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network

__all__ = ["read_steps"]

FIELD_BYTES = 64  # a number takes 25 at full precision
LARGEST = float(np.finfo(np.float32).max)
SHOWN = 40  # characters of an odd field, in a message


def read_steps(
    source: IO[bytes], network: Network, size: int, where: str = "standard input"
) -> Iterator[npt.NDArray[Any]]:
    """Read one step a line, and give ``size`` of them at a time as soon as they are there.

    A line has as many numbers as the network has inputs, with commas or white space between them,
    and a chunk is (1, T, d_input) float32; or it is one token, and a chunk (1, T) integers. The
    last chunk may be shorter.

    Raises
    ------
    DataError
        Naming the line: if it has another number of values, or one that is no finite number or no
        token that the network knows.
    """
    vocabulary, width = vocabulary_of(network), network.input_width
    most = FIELD_BYTES * (width + 1)
    kind = np.float32 if vocabulary is None else np.int64
    steps: list[Any] = []
    for number in count(1):
        line = source.readline(most + 1)
        if not line:
            break
        try:
            if len(line) > most:
                raise ValueError(f"longer than {most:,} bytes; write one step a line")
            steps.append(_numbers(line, width) if vocabulary is None else _token(line, vocabulary))
        except ValueError as error:
            raise DataError(f"{where}, line {number:,}: {error}") from None
        if len(steps) == size:
            yield np.array([steps], dtype=kind)
            steps.clear()
    if steps:
        yield np.array([steps], dtype=kind)


def _numbers(line: bytes, width: int) -> list[float]:
    fields = line.split(b"," if b"," in line else None)
    if len(fields) != width:
        raise ValueError(
            f"{len(fields)} values; this network takes {width} a line, one step, with commas or "
            "spaces between them"
        )
    return [_number(field) for field in fields]


def _number(field: bytes) -> float:
    try:
        value = np.nan if b"_" in field else float(field)
    except ValueError:
        value = np.nan
    if not abs(value) <= LARGEST:
        raise ValueError(f"{_shown(field)} is no finite number of 32 bits")
    return value


def _token(line: bytes, vocabulary: int) -> int:
    field = line.strip()
    if not (field.isdigit() and int(field) < vocabulary):
        raise ValueError(
            f"{_shown(field)} is no token; this network takes one integer a line, 0 … "
            f"{vocabulary - 1}"
        )
    return int(field)


def _shown(field: bytes) -> str:
    text = field.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
