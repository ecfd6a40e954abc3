"""Recordings of events, (time, channel[, polarity]), binned into steps: counts of each channel.

Layouts, in an .npz or an HDF5 file: rows of different lengths, a sequence each, as the Heidelberg
digits are kept (``spikes/times``, ``spikes/units``); or all events one after the other, and
``offsets`` (B + 1), where each sequence begins and the last one ends. Without these it is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import Binning, DataFile, find_arrays
from snn_deploy.errors import DataError, SnnDeployWarning

__all__ = ["bin_events", "binned"]

Array = npt.NDArray[Any]

MOST_BYTES = 4 << 30

_USUAL = {
    "times": ("t", "times", "time", "ts", "timestamps", "spikes/times"),
    "channels": ("x", "units", "channels", "addresses", "neurons", "spikes/units"),
    "polarities": ("p", "polarity", "polarities"),
    "offsets": ("offsets", "indptr", "boundaries"),
}
"""What people call them, in small letters, with their groups or without."""


def binned(held: Mapping[str, Any], file: DataFile, width: int) -> dict[str, Array]:
    """Give inputs (B, L, width) and their lengths, and what else the file holds of it.

    Parameters
    ----------
    held
        The file's arrays by name; rows of different lengths are lists.
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
        raise DataError(f"{file}: times and channels of events are not equally many")
    channels = rows["channels"]
    if "polarities" in rows:  # the channels of one polarity, then those of the other
        pairs = zip(channels, rows["polarities"], strict=True)
        channels = [_whole(x, file) + width // 2 * (_whole(p, file) > 0) for x, p in pairs]
        _check(channels, rows["channels"], width // 2, str(file))
    inputs, lengths = bin_events(rows["times"], channels, width, file.binning, str(file))
    used = {name for name in found.values() if name is not None}
    others = {name: value for name, value in held.items() if name not in used}
    plain = {name: value for name, value in others.items() if isinstance(value, np.ndarray)}
    wanted = DataFile(file.path, "inputs", file.labels_key, "", file.targets_key)
    plain = {name.rpartition("/")[2]: value for name, value in plain.items()} | {"inputs": inputs}
    roles = find_arrays(wanted, plain)
    return {"lengths": lengths} | {role: plain[name] for role, (name,) in roles.items()}


def bin_events(
    times: Sequence[Array], channels: Sequence[Array], width: int, binning: Binning, where: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Count events in steps of equal length.

    Parameters
    ----------
    times, channels
        Of each sequence: when each event was, from 0 on, and on which channel, 0 … width - 1.
    binning
        How long a step is, in the unit of the times; and how many steps there are, if that is told:
        later events are left out, with a warning.

    Returns
    -------
    inputs, lengths
        (B, L, width) counts; (B,) steps up to each sequence's last event, at least 1.
    """
    _check(channels, channels, width, where)
    steps = [_steps(row, binning.step, where) for row in times]
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
            f"over {MOST_BYTES >> 30} GiB: give a longer --bin (in the unit of the events' times)"
        )
    inputs = np.zeros((len(steps), longest, width), np.float32)
    for place, row, on in zip(inputs, steps, channels, strict=True):
        kept = row < longest
        np.add.at(place, (row[kept], np.asarray(on)[kept].astype(np.int64)), 1.0)
    return inputs, np.minimum(lengths, longest)


def _named(held: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in held if name.lower() in names), None)


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


def _steps(times: Array, step: float, where: str) -> npt.NDArray[np.int64]:
    numbers = np.asarray(times, np.float64)
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise DataError(f"{where}: an event is before 0, or at no time at all")
    # a double may fall short of a step's beginning by its last bit
    place: npt.NDArray[np.float64] = np.minimum(numbers / step * (1 + 1e-12), 2.0**40)
    return np.floor(place).astype(np.int64)


def _whole(numbers: Array, where: object) -> npt.NDArray[np.int64]:
    array = np.asarray(numbers)
    if array.dtype.kind not in "biu":
        raise DataError(f"{where}: channels of events of dtype {array.dtype}; need whole numbers")
    return array.astype(np.int64)


def _check(channels: Sequence[Array], told: Sequence[Array], width: int, where: str) -> None:
    for row in told:
        _whole(row, where)
    least = min((int(row.min()) for row in told if len(row)), default=0)
    most = max((int(row.max()) for row in told if len(row)), default=0)
    if least < 0 or most >= width:
        raise DataError(
            f"{where}: events on channels {least:,} … {most:,}, but the network takes {width:,} of "
            "a polarity; put neighbours together as in training"
        )
