"""Reading TRACE.npz, whichever form its spikes have."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.traces.writer import STEPS

__all__ = ["Events", "Trace", "read_trace"]

npy: Any = np.lib.format  # without types

LISTS = ("shape", "offsets", "steps", "neurons")


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
        with self._open() as archive:
            members = set(archive.files)
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
            return self._read(name)[0]
        shape, offsets, steps, neurons = self._read(*(f"{name}/{part}" for part in LISTS))
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
            return np.asarray(self._read(STEPS)[0], dtype=np.int64)
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
            _, offsets, steps, neurons = self._read(*(f"{name}/{part}" for part in LISTS))
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
            return tuple(self._read(f"{name}/shape")[0])
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as member:
            npy.read_magic(member)
            return tuple(npy.read_array_header_1_0(member)[0])

    def _read(self, *members: str) -> list[npt.NDArray[Any]]:
        with self._open() as archive:
            return [archive[member] for member in members]

    def _open(self) -> Any:
        try:
            return np.load(self.path, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{self.path}: not a readable TRACE.npz ({error})") from error


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Open what ``simulate --trace`` wrote, in either form.

    Raises
    ------
    DataError
        If there is no such file.
    """
    return Trace(Path(path))
