"""What the engine and its child process hand each other: files in one temporary folder.

Plain data only, no pickle. The child answers with one mapped array a recorded node, with a mapped
pulse, and, where it fails, with a note of why.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.lava.kinds import add_foreign_kinds, foreign_kinds
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document

__all__ = ["Device", "Failure", "Job", "JobFolder", "Pulse"]

Device = Literal["cpu", "loihi2"]
Mode = Literal["r", "r+", "w+"]


@dataclass(frozen=True, eq=False)
class Job:
    """One batch for the child.

    Parameters
    ----------
    network
        Lowered.
    inputs
        Mantissas, int64 (B, L, d_input).
    lengths
        int64 (B,).
    recorded
        Names of the nodes whose signals the child must write, in order.
    device
        Where Lava shall run it.
    """

    network: Network
    inputs: IntArray
    lengths: IntArray
    recorded: tuple[str, ...]
    device: Device


@dataclass(frozen=True)
class Failure:
    """Why the child gave up: the Lava process concerned, if any, and the traceback or reason.

    ``unavailable`` tells that something is missing, as opposed to something having crashed.
    """

    reason: str
    process: str | None = None
    unavailable: bool = False


@dataclass(frozen=True, eq=False)
class Pulse:
    """Signs of life, in memory that the child's processes share with the engine.

    Parameters
    ----------
    counts
        int64 (2,): steps that the whole network has done, and stages of preparation passed.
    working
        uint8, 1 for each node that is computing at this moment (our own models only).
    names
        The nodes' names, in the order of ``working``.
    """

    counts: npt.NDArray[np.int64]
    working: npt.NDArray[np.uint8]
    names: Sequence[str]

    def beat(self) -> None:
        """Count a step."""
        self.counts[0] += 1

    def prepared(self) -> None:
        """Count a stage of the preparation: Lava is imported, a segment wired, compiled, …."""
        self.counts[1] += 1

    @contextlib.contextmanager
    def busy(self, name: str) -> Iterator[None]:
        """Show that the node is computing; it stays shown if that fails."""
        index = self.names.index(name)
        self.working[index] = 1
        yield
        self.working[index] = 0

    def busy_nodes(self) -> list[str]:
        """Name the nodes that are computing."""
        return [self.names[i] for i in np.flatnonzero(self.working)]


@dataclass(frozen=True)
class JobFolder:
    """The files of a job."""

    path: Path

    @property
    def log(self) -> Path:
        """Whatever the child and all its processes print."""
        return self.path / "log.txt"

    def write_job(self, job: Job) -> None:
        """Put down everything that the child needs."""
        from safetensors.numpy import save_file

        document, tensors = network_to_document(job.network)
        settings = {
            "network": document,
            "recorded": job.recorded,
            "device": job.device,
            **foreign_kinds(job.network),
        }
        (self.path / "job.json").write_text(json.dumps(settings), encoding="utf-8")
        save_file(tensors, str(self.path / "network.safetensors"))
        np.save(self.path / "inputs.npy", np.ascontiguousarray(job.inputs, dtype=np.int64))
        np.save(self.path / "lengths.npy", np.asarray(job.lengths, dtype=np.int64))
        self._pulse(job.network, "w+")
        for name in job.recorded:
            self._signal(job, name, "w+")

    def read_job(self) -> Job:
        """Read what :meth:`write_job` wrote; the inputs stay on disk and are mapped."""
        from safetensors.numpy import load_file

        settings = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        add_foreign_kinds(settings)
        tensors = load_file(str(self.path / "network.safetensors"))
        return Job(
            network=network_from_document(settings["network"], tensors),
            inputs=np.load(self.path / "inputs.npy", mmap_mode="r"),
            lengths=np.load(self.path / "lengths.npy"),
            recorded=tuple(settings["recorded"]),
            device=settings["device"],
        )

    def fill_signal(self, job: Job, name: str) -> npt.NDArray[np.int32]:
        """Map a recorded node's signal, (B, L, width), for writing."""
        return self._signal(job, name, "r+")

    def open_signal(self, job: Job, name: str) -> npt.NDArray[np.int32]:
        """Map a recorded signal for reading."""
        return self._signal(job, name, "r")

    def open_pulse(self, network: Network, mode: Literal["r", "r+"]) -> Pulse:
        """Map the signs of life."""
        return self._pulse(network, mode)

    def write_failure(self, failure: Failure) -> None:
        """Leave a note of why the child gave up, whole or not at all."""
        note = {
            "reason": failure.reason,
            "process": failure.process,
            "unavailable": failure.unavailable,
        }
        unfinished = self.path / "failure.unfinished"
        unfinished.write_text(json.dumps(note), encoding="utf-8")
        os.replace(unfinished, self.path / "failure.json")

    def read_failure(self) -> Failure | None:
        """Read the child's note, if it left one."""
        note = self.path / "failure.json"
        return Failure(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None

    def _signal(self, job: Job, name: str, mode: Mode) -> npt.NDArray[np.int32]:
        # names may hold characters that file systems do not take
        path = self.path / f"signal-{job.network.names.index(name)}"
        shape = (*job.inputs.shape[:2], job.network[name].width)
        signal: npt.NDArray[np.int32] = _mapped(path, np.int32, mode, shape)
        return signal

    def _pulse(self, network: Network, mode: Mode) -> Pulse:
        counts = _mapped(self.path / "counts", np.int64, mode, (2,))
        shape = (len(network),)
        working = _mapped(self.path / "working", np.uint8, mode, shape)
        return Pulse(counts, working, network.names)


def _mapped(path: Path, dtype: npt.DTypeLike, mode: Mode, shape: tuple[int, ...]) -> Any:
    """Map a file of our own, made with all its room: a full disk is an error now, not a signal."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if mode == "w+":
        with path.open("wb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
    if not size:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r" if mode == "r" else "r+", shape=shape)
