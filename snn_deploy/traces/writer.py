"""From the parts that an engine gives to TRACE.npz, on disk all the while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from snn_deploy.io.npz import Member, Npz, cannot_write
from snn_deploy.ir.formats import SPIKE, Format

__all__ = ["STEPS", "Signal", "TraceFormat", "TraceWriter", "narrowest"]

TraceFormat = Literal["dense", "events"]
STEPS = "@steps"
"""The array that names the traced steps, where they are not all from 0; no node is called so."""


@dataclass(frozen=True)
class Signal:
    """A node's output: its width, how its numbers are stored, and whether it is spikes."""

    width: int
    dtype: np.dtype[Any]
    spikes: bool = False

    @classmethod
    def of(cls, node: Any) -> Signal:
        """Describe the output of a lowered network's node."""
        return cls(node.width, narrowest(node.output), node.output == SPIKE)


def narrowest(form: Format) -> np.dtype[Any]:
    """Give the narrowest integer type that holds a format's mantissas."""
    return np.min_scalar_type(-form.limit if form.signed else form.limit)


class _Sink(Protocol):
    def write(self, sample: int, index: int, part: npt.NDArray[Any]) -> None:
        """Take ``part`` (b, t, width), which begins at a sample and a traced step, by index."""


class TraceWriter:
    """Takes parts of signals in any order, and keeps those at the chosen steps.

    Parameters
    ----------
    npz
        Where the arrays go: see :func:`snn_deploy.io.npz.write_npz`.
    signals
        What is traced, by node name.
    samples, steps
        Of what is traced: how many sequences, and which steps.
    form
        ``dense``: each signal an array (B, steps, width). ``events``: spikes as lists.
    complete
        Whether ``steps`` are all there are, so that nobody needs to be told which.
    """

    def __init__(
        self,
        npz: Npz,
        signals: Mapping[str, Signal],
        samples: int,
        steps: range,
        form: TraceFormat = "dense",
        complete: bool = True,
    ) -> None:
        self.steps = steps
        self._sinks: dict[str, _Sink] = {}
        for name, signal in signals.items():
            shape = (samples, len(steps), signal.width)
            if form == "events" and signal.spikes:
                self._sinks[name] = _EventLists(npz, name, shape, steps)
            else:
                self._sinks[name] = npz.spool(name, shape, signal.dtype)
        if not complete:
            npz.add(STEPS, np.asarray(steps, dtype=np.int64))

    def record(self, name: str, sample: int, step: int, part: npt.NDArray[Any]) -> None:
        """Take a part (b, t, width) of a node's signal that begins at a sample and a step."""
        first, last = (self._index(at) for at in (step, step + part.shape[1]))
        if first < last:
            chosen = part[:, self.steps[first] - step :: self.steps.step]
            self._sinks[name].write(sample, first, chosen[:, : last - first])

    def _index(self, step: int) -> int:
        """Count the chosen steps before a step."""
        before = -(-(step - self.steps.start) // self.steps.step)
        return min(max(before, 0), len(self.steps))


class _EventLists:
    """Spikes as lists, in the order of samples, then steps, then neurons."""

    def __init__(self, npz: Npz, name: str, shape: tuple[int, int, int], steps: range) -> None:
        self._path, self._steps = npz.path, np.asarray(steps, dtype=np.int64)
        self._samples, _, width = shape
        self._parts: list[_Part] = []
        self._steps_file, self._neurons_file = npz.temporary_file(), npz.temporary_file()
        self._step_type = np.min_scalar_type(steps[-1])
        self._neuron_type = np.min_scalar_type(width - 1)
        npz.add(f"{name}/shape", np.asarray(shape, dtype=np.int64))
        npz.add_later(f"{name}/offsets", self._offsets)
        npz.add_later(f"{name}/steps", partial(self._column, self._steps_file, self._step_type))
        npz.add_later(
            f"{name}/neurons", partial(self._column, self._neurons_file, self._neuron_type)
        )

    def write(self, sample: int, index: int, part: npt.NDArray[Any]) -> None:
        rows, steps, neurons = np.nonzero(part)
        begins = self._parts[-1].bounds[-1] if self._parts else 0
        counts = np.bincount(rows, minlength=len(part))
        self._parts.append(_Part(sample, index, begins + np.append(0, np.cumsum(counts))))
        with cannot_write(self._path):
            self._steps_file.write(self._steps[steps + index].astype(self._step_type).tobytes())
            self._neurons_file.write(neurons.astype(self._neuron_type).tobytes())

    def _offsets(self) -> Member:
        counts = np.zeros(self._samples + 1, dtype=np.int64)
        for part in self._parts:
            counts[part.sample + 1 : part.sample + len(part.bounds)] += np.diff(part.bounds)
        return counts.shape, counts.dtype, [np.cumsum(counts).tobytes()]

    def _column(self, file: IO[bytes], dtype: np.dtype[Any]) -> Member:
        count = int(self._parts[-1].bounds[-1]) if self._parts else 0
        return (count,), dtype, self._pieces(file, dtype.itemsize)

    def _pieces(self, file: IO[bytes], size: int) -> Iterator[bytes]:
        """Give one number of every event, sample by sample."""
        parts = sorted(self._parts, key=lambda part: part.index)
        for sample in range(self._samples):
            for part in parts:
                row = sample - part.sample
                if 0 <= row < len(part.bounds) - 1:
                    begin, end = (int(bound) * size for bound in part.bounds[row : row + 2])
                    file.seek(begin)
                    yield file.read(end - begin)


@dataclass(frozen=True)
class _Part:
    """Some events: ``bounds[i]`` … ``bounds[i + 1]`` are those of the i-th sample from a first."""

    sample: int
    index: int
    bounds: npt.NDArray[np.int64]
