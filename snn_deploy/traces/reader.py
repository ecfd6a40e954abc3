"""Reading TRACE.npz, whichever form its spikes have."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.io.arrays import MalformedArrayError, open_archive
from snn_deploy.io.schema import Array, SchemaError
from snn_deploy.printable import shown
from snn_deploy.traces.writer import STEPS

__all__ = ["Events", "Trace", "read_trace"]

LISTS = ("shape", "offsets", "steps", "neurons")
MOST_SPREAD = 2**29  # values of a dense signal that lists are spread over
MOST_EACH_WAY = 2**26  # sequences, steps or neurons
_INTEGERS = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]
_LARGEST = 2**62


@dataclass(frozen=True)
class Events:
    """A node's spikes, in the order of samples, then steps, then neurons.

    Parameters
    ----------
    offsets
        (B + 1,): the events of sequence b are those from ``offsets[b]`` to before
        ``offsets[b + 1]``.
    steps, neurons
        Of each event.
    """

    offsets: npt.NDArray[np.int64]
    steps: npt.NDArray[Any]
    neurons: npt.NDArray[Any]

    def of(self, sequence: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Give one sequence's steps and neurons."""
        own = slice(self.offsets[sequence], self.offsets[sequence + 1])
        return self.steps[own], self.neurons[own]


class Trace(Mapping[str, npt.NDArray[Any]]):
    """The signals of a TRACE.npz by node name, (B, steps, width) each, read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._ours(), open_archive(path) as archive:
            members = set(archive.names)
        self._lists = {
            name.removesuffix("/offsets")
            for name in members
            if name.endswith("/offsets") and f"{name.removesuffix('/offsets')}/neurons" in members
        }
        parts = {f"{name}/{part}" for name in self._lists for part in LISTS}
        self._names = sorted((members | self._lists) - parts - {STEPS})
        self._has_steps = STEPS in members

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._lists:
            return self._signal(name)
        shape, offsets, steps, neurons = self._event_lists(name)
        with self._ours():
            if math.prod(shape) > MOST_SPREAD:
                raise SchemaError(
                    f"{name}/shape: {' × '.join(map(str, shape))} are {math.prod(shape):,} values, "
                    f"over {MOST_SPREAD:,}: take its events"
                )
        signal = np.zeros(shape, dtype=np.uint8)
        rows = np.repeat(np.arange(shape[0]), np.diff(offsets))
        signal[rows, np.searchsorted(self.steps, steps), neurons] = 1
        return signal

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """Which steps of the sequences were traced."""
        if self._has_steps:
            (traced,) = self._read(STEPS)
            with self._ours():
                Array(_INTEGERS, (None,), 0, _LARGEST).check(traced, STEPS)
                if (np.diff(traced.astype(np.int64)) <= 0).any():
                    raise SchemaError(f"'{STEPS}' does not ascend")
            return np.asarray(traced, dtype=np.int64)
        steps = self._shape(self._names[0])[1] if self._names else 0
        return np.arange(steps, dtype=np.int64)

    def events(self, name: str) -> Events:
        """Give a node's spikes as a list, whether they were written so or not.

        Raises
        ------
        DataError
            If the node's signal is not spikes.
        """
        if name in self._lists:
            _, offsets, steps, neurons = self._event_lists(name)
            return Events(offsets, steps, neurons)
        signal = self[name]
        if signal.size and (signal.min() < 0 or signal.max() > 1):
            raise DataError(
                f"{self.path}: the signal of node '{name}' is not spikes; read it whole"
            )
        rows, steps, neurons = np.nonzero(signal)
        counts = np.bincount(rows, minlength=len(signal))
        return Events(np.append(0, np.cumsum(counts)), self.steps[steps], neurons)

    def _shape(self, name: str) -> tuple[int, ...]:
        if name in self._lists:
            return self._event_shape(self._read(f"{name}/shape")[0], name)
        with self._ours(), open_archive(self.path) as archive:
            return archive.header(name).shape

    def _signal(self, name: str) -> npt.NDArray[Any]:
        """Read a dense signal of whole numbers, or of a float network's."""
        (signal,) = self._read(name)
        with self._ours():
            if signal.ndim not in (2, 3) or signal.dtype.kind not in "iuf":
                raise SchemaError(
                    f"'{name}' has shape {signal.shape} and dtype {signal.dtype}; a signal is "
                    "numbers, (sequences, steps, width) or (sequences, width)"
                )
        return signal

    def _event_lists(self, name: str) -> tuple[tuple[int, ...], Any, Any, Any]:
        """Read the lists of a node's spikes, and check that they are spikes of its shape."""
        shape, offsets, steps, neurons = self._read(*(f"{name}/{part}" for part in LISTS))
        sizes = self._event_shape(shape, name)
        with self._ours():
            traced, count = self.steps if self._has_steps else None, len(neurons)
            last = sizes[1] - 1 if traced is None else int(traced.max(initial=-1))
            Array(_INTEGERS, (sizes[0] + 1,), 0, count).check(offsets, f"{name}/offsets")
            Array(_INTEGERS, (count,), 0, last).check(steps, f"{name}/steps")
            Array(_INTEGERS, (count,), 0, sizes[2] - 1).check(neurons, f"{name}/neurons")
            offsets = np.asarray(offsets, dtype=np.int64)
            if offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets) < 0).any():
                raise SchemaError(f"{name}/offsets do not divide {count:,} spikes")
            if traced is not None and not np.isin(steps, traced).all():
                raise SchemaError(f"{name}/steps holds a step that was not traced")
            if traced is not None and len(traced) != sizes[1]:
                raise SchemaError(f"{name}: {sizes[1]:,} steps, but {len(traced):,} were traced")
        return sizes, offsets, steps, neurons

    def _event_shape(self, shape: npt.NDArray[Any], name: str) -> tuple[int, ...]:
        with self._ours():
            Array(_INTEGERS, (3,), 0, MOST_EACH_WAY).check(shape, f"{name}/shape")
        samples, steps, width = map(int, shape)
        return samples, steps, width

    def _read(self, *members: str) -> list[npt.NDArray[Any]]:
        with self._ours(), open_archive(self.path) as archive:
            if missing := [member for member in members if member not in archive.names]:
                raise SchemaError(f"no array {shown(missing[0])} in it")
            return [archive.read(member) for member in members]

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Name the file in whatever is wrong with it."""
        try:
            yield
        except (OSError, MalformedArrayError, SchemaError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{self.path}: not a readable TRACE.npz ({reason})") from error


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Open what ``simulate --trace`` wrote, in either form.

    Raises
    ------
    DataError
        If there is no such file.
    """
    return Trace(Path(path))
