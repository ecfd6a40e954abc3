"""Recordings of events, binned into steps: counts of each channel.

An event has a time and a channel, ``(t, x[, p])``, or of a camera a column and a row, ``(t, x, y[,
p])``; ``p`` is a polarity. They lie in arrays of their own, or as the fields of records, as Tonic
has them. Rows of different lengths are a sequence each, as the Heidelberg digits are kept
(``spikes/times``, ``spikes/units``); or all events lie one after the other, and ``offsets`` (B + 1)
say where each sequence begins and the last one ends. Without these it is one sequence.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import Binning, DataFile, find_arrays
from snn_deploy.errors import DataError, SnnDeployWarning

__all__ = ["Events", "bin_events", "binned", "events_in", "in_parts", "orchard_events"]

Array = npt.NDArray[Any]

MOST_BYTES = 4 << 30

_USUAL = {
    "times": ("t", "times", "time", "ts", "timestamps", "spikes/times"),
    "channels": ("x", "units", "channels", "addresses", "neurons", "spikes/units"),
    "lines": ("y",),
    "polarities": ("p", "polarity", "polarities"),
    "offsets": ("offsets", "indptr", "boundaries"),
}
"""What people call them, in small letters; in groups or records, behind a name and a slash."""


def in_parts(held: Mapping[str, Any]) -> dict[str, Any]:
    """Give arrays by name, of records one for each field: ``name/field``."""
    parts: dict[str, Any] = {}
    for name, value in held.items():
        fields = getattr(getattr(value, "dtype", None), "names", None)
        parts |= {name: value} if fields is None else {f"{name}/{f}": value[f] for f in fields}
    return parts


@dataclass(frozen=True)
class Events:
    """Of each sequence: when its events were, and on which of the network's channels; ``names`` are
    of the arrays that they were in.
    """

    times: list[Array]
    channels: list[npt.NDArray[np.int64]]
    names: frozenset[str]


def binned(held: Mapping[str, Any], file: DataFile, width: int) -> dict[str, Array]:
    """Give inputs (B, L, width) and their lengths, and what else the file holds of it.

    Parameters
    ----------
    held
        The file's arrays by name, none of records; rows of different lengths are lists.
    file
        It says how long a step is.
    width
        How many channels the network takes.

    Raises
    ------
    DataError
        If there are no events, they do not fit together or the network, or L would be too large.
    """
    assert file.binning is not None  # else they are not events
    events = events_in(held, file, width)
    inputs, lengths = bin_events(events.times, events.channels, width, file.binning, str(file))
    others = {name: value for name, value in held.items() if name not in events.names}
    plain = {name: value for name, value in others.items() if isinstance(value, np.ndarray)}
    wanted = DataFile(file.path, "inputs", file.labels_key, "", file.targets_key)
    plain = {name.rpartition("/")[2]: value for name, value in plain.items()} | {"inputs": inputs}
    roles = find_arrays(wanted, plain)
    return {"lengths": lengths} | {role: plain[name] for role, (name,) in roles.items()}


def events_in(held: Mapping[str, Any], file: DataFile, width: int) -> Events:
    """Find the events among a file's arrays, and check them; as :func:`binned`."""
    assert file.binning is not None
    found = {role: _named(held, names) for role, names in _USUAL.items()}
    for role in ("times", "channels"):
        if found[role] is None:
            raise DataError(
                f"{file}: no {role} of events in it, called {' or '.join(_USUAL[role][:3])}; it "
                f"holds: {', '.join(held)}. Without --bin it is read as arrays"
            )
    parts = {role: held[name] for role, name in found.items() if name is not None}
    offsets = parts.pop("offsets", None)
    rows = {role: _rows(value, offsets, f"{file}: {role}") for role, value in parts.items()}
    sizes = {role: [len(row) for row in value] for role, value in rows.items()}
    if len({tuple(each) for each in sizes.values()}) != 1:
        raise DataError(f"{file}: {', '.join(sizes)} of events are not equally many")
    _check_times(rows["times"], str(file))
    channels = _channels(rows, width, file.binning.camera, str(file))
    return Events(rows["times"], channels, frozenset(filter(None, found.values())))


def orchard_events(content: bytes, where: str) -> dict[str, Array]:
    """Read events of 40 bits, as N-MNIST and N-Caltech101 have them in ``.bin``.

    Each is a column, a row, and a polarity before 23 bits of microseconds, the highest first. A row
    of 240, which no such camera has, says that 2^13 µs have passed.
    """
    if len(content) % 5:
        raise DataError(
            f"{where}: {len(content):,} bytes, no whole number of events of 40 bits, as the .bin "
            "files of N-MNIST and N-Caltech101 are; save other events as .npz with t, x, y and p"
        )
    x, y, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, 5).T.astype(np.int64)
    passed = y == 240
    times = ((high & 127) << 16 | middle << 8 | low) + (np.cumsum(passed) << 13)
    return {name: v[~passed] for name, v in {"t": times, "x": x, "y": y, "p": high >> 7}.items()}


def _channels(
    rows: Mapping[str, list[Array]], width: int, camera: tuple[int, int] | None, where: str
) -> list[npt.NDArray[np.int64]]:
    """Number the network's channels: a camera's row by row, and one polarity after the other."""
    signs = rows.get("polarities")
    plane = width if signs is None else width // 2
    channels = rows["channels"]
    if "lines" in rows:
        columns, lines = camera or (math.isqrt(plane),) * 2
        if columns * lines != plane or plane * (1 if signs is None else 2) != width:
            told = f"{columns} × {lines} pixels" if camera else "as many rows as columns"
            raise DataError(
                f"{where}: a camera of {told}{'' if signs is None else ' and two polarities'} does "
                f"not give the {width:,} channels that the network takes: say its size, --bin "
                "STEP,COLUMNSxROWS, and put neighbours together as in training"
            )
        _check(channels, columns, f"{where}: x")
        _check(rows["lines"], lines, f"{where}: y")
        pixels = zip(channels, rows["lines"], strict=True)
        channels = [_whole(y, where) * columns + _whole(x, where) for x, y in pixels]
    elif camera:
        raise DataError(f"{where}: events of a camera have rows, 'y', and there are none")
    _check(channels, plane, where)
    numbered = [_whole(x, where) for x in channels]
    if signs is None:
        return numbered
    pairs = zip(numbered, signs, strict=True)
    return [x + plane * (_whole(p, where) > 0) for x, p in pairs]


def bin_events(
    times: Sequence[Array], channels: Sequence[Array], width: int, binning: Binning, where: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Count events in steps of equal length.

    Parameters
    ----------
    times, channels
        As of :class:`Events`: from 0 on, and 0 … width - 1.
    binning
        How long a step is, in the unit of the times; and how many steps there are, if that is told:
        later events are left out, with a warning.

    Returns
    -------
    inputs, lengths
        (B, L, width) counts; (B,) steps up to each sequence's last event, at least 1.
    """
    steps = [_steps(row, binning.step) for row in times]
    lengths = np.array([int(row.max(initial=0)) + 1 for row in steps])
    longest = binning.steps or int(lengths.max(initial=1))
    late = sum(int((row >= longest).sum()) for row in steps)
    if late:
        warnings.warn(
            f"{late:,} events of {sum(map(len, steps)):,} are later than step {longest:,} and are "
            "left out",
            SnnDeployWarning,
            stacklevel=5,
        )
    if 4 * len(steps) * longest * width > MOST_BYTES:
        raise DataError(
            f"{where}: {len(steps):,} sequences of {longest:,} steps and {width:,} channels take "
            f"over {MOST_BYTES >> 30} GiB: give a longer --bin (in the unit of the events' times), "
            "times that count from 0, or fewer sequences"
        )
    inputs = np.zeros((len(steps), longest, width), np.float32)
    for place, row, on in zip(inputs, steps, channels, strict=True):
        kept = row < longest
        np.add.at(place, (row[kept], np.asarray(on)[kept].astype(np.int64)), 1.0)
    return inputs, np.minimum(lengths, longest)


def _named(held: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Find an array by its whole name, or else by what stands behind the slash."""
    whole = (name for name in held if name.lower() in names)
    return next(whole, None) or next(
        (name for name in held if name.lower().rpartition("/")[2] in names), None
    )


def _rows(value: Any, offsets: Any, where: str) -> list[Array]:
    """Give an array a sequence."""
    if isinstance(value, list):
        return value
    if value.ndim != 1:
        raise DataError(f"{where} of events of shape {value.shape}; give one number an event")
    if offsets is None:
        return [value]
    ends = np.asarray(offsets)
    fits = ends.ndim == 1 and len(ends) > 1 and ends.dtype.kind in "iu" and ends[0] == 0
    if not fits or int(ends[-1]) != len(value) or (np.diff(ends.astype(np.int64)) < 0).any():
        raise DataError(
            f"{where}: offsets must rise from 0 to {len(value):,}, one more than sequences"
        )
    return [value[a:b] for a, b in pairwise(ends)]


def _check_times(rows: Iterable[Array], where: str) -> None:
    for row in rows:
        numbers = np.asarray(row, np.float64)
        if not (np.isfinite(numbers) & (numbers >= 0)).all():
            raise DataError(f"{where}: an event is before 0, or at no time at all")


def _steps(times: Array, step: float) -> npt.NDArray[np.int64]:
    numbers = np.asarray(times, np.float64)
    # a double may fall short of a step's beginning by its last bit
    place: npt.NDArray[np.float64] = np.minimum(numbers / step * (1 + 1e-12), 2.0**40)
    return np.floor(place).astype(np.int64)


def _whole(numbers: Array, where: object) -> npt.NDArray[np.int64]:
    array = np.asarray(numbers)
    if array.dtype.kind not in "biu":
        raise DataError(f"{where}: channels of events of dtype {array.dtype}; need whole numbers")
    return array.astype(np.int64)


def _check(channels: Sequence[Array], width: int, where: str) -> None:
    for row in channels:
        _whole(row, where)
    least = min((int(row.min()) for row in channels if len(row)), default=0)
    most = max((int(row.max()) for row in channels if len(row)), default=0)
    if least < 0 or most >= width:
        raise DataError(
            f"{where}: events on channels {least:,} … {most:,}, but the network takes {width:,} of "
            "a polarity; put neighbours together as in training"
        )
