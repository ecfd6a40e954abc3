"""The file that holds a stream's state: ``docs/streaming.md`` describes it.

Integers by node in the network's own order, so that it does not matter how many cores or
which vectors the machine has that wrote it. It is bound to the integer network by a digest.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.result import IntArray, alone
from snn_deploy.engines.session import MESSAGES, RECENT, Engine, Snapshot, Watch
from snn_deploy.errors import DataError
from snn_deploy.fixedpoint import limit_of
from snn_deploy.io.checksummed import Contents, ForeignFileError, read_checksummed, with_checksum
from snn_deploy.io.files import atomic_write
from snn_deploy.io.schema import (
    COUNT,
    DIGEST,
    TEXT,
    Array,
    Choice,
    Record,
    SchemaError,
    Table,
    Whole,
)
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Program
from snn_deploy.ir.storage import network_digest
from snn_deploy.printable import shown
from snn_deploy.version import __version__

__all__ = ["SCHEMA_VERSION", "StreamState", "read_state", "write_state"]

SCHEMA_VERSION = 1
METADATA_KEY = "snn-deploy-stream"
LENGTHS = "lengths"
SUMMED = "summed"

MAX_STEPS = 2**48
MAX_SAMPLES = 2**20
MOST_CLIPS = 4  # values that a node may clip for each channel in one step besides: the host's


@dataclass(frozen=True)
class StreamState:
    """A stream at some step.

    Parameters
    ----------
    snapshot
        What the engine carries.
    lengths
        Valid steps (B,), or None: all that come.
    clipped
        By input: how many of its values were clipped so far.
    summed
        What a head that sums steps made of those so far, (B, classes); None: of none, or no such.
    """

    snapshot: Snapshot
    lengths: IntArray | None
    clipped: Mapping[str, int]
    summed: npt.NDArray[np.float64] | None = None

    @property
    def samples(self) -> int:
        """How many sequences run side by side, B."""
        return len(self.snapshot.arrays[RECENT])


def write_state(path: str | os.PathLike[str], network: Network, state: StreamState) -> None:
    """Write a stream's state; the same state gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind then.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "network_sha256": network_digest(network),
        "steps": state.snapshot.steps,
        "saturated": {name: int(n) for name, n in state.snapshot.saturated.items()},
        "clipped_inputs": alone(state.clipped),
    }
    tensors: dict[str, npt.NDArray[Any]] = dict(state.snapshot.arrays)
    if state.lengths is not None:
        tensors[LENGTHS] = state.lengths
    if state.summed is not None:
        tensors[SUMMED] = state.summed
    content = with_checksum(METADATA_KEY, document, tensors)
    with atomic_write(path) as file:
        file.write(content)


def read_state(path: str | os.PathLike[str], network: Network, engine: Engine) -> StreamState:
    """Read the state of a stream through ``network``, on an engine.

    Raises
    ------
    DataError
        If the file is missing, damaged, no stream's state, or another network's.
    """
    found = _read(path)
    document, tensors = found.document, found.tensors
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: a stream's state of schema version {shown(version)}; this snn-deploy reads "
            f"version {SCHEMA_VERSION}. Resume it with the version that wrote it "
            f"({str(document.get('tool_version', 'unknown'))[:80]}), or start anew"
        )
    try:
        _document(network).check(document, "")
        if document["network_sha256"] != network_digest(network):
            raise DataError(
                f"{path}: the state of a stream through another network (SHA-256 "
                f"{document['network_sha256'][:12]}…); resume it with the deployment that it was "
                "saved with, or start anew"
            )
        _check_state(network, engine, document, tensors)
    except SchemaError as error:
        raise DataError(f"{path}: not a state that this stream can have: {error}") from error
    lengths, summed = tensors.pop(LENGTHS, None), tensors.pop(SUMMED, None)
    snapshot = Snapshot(document["steps"], tensors, document["saturated"])
    return StreamState(snapshot, lengths, _clipped(network, document), summed)


def _document(network: Network) -> Record:
    several = len(network.inputs) > 1
    return Record(
        {
            "schema_version": Choice((SCHEMA_VERSION,)),
            "tool_version": TEXT,
            "network_sha256": DIGEST,
            "steps": Whole(0, MAX_STEPS),
            "saturated": Table(COUNT, names=TEXT),
            "clipped_inputs": Record(dict.fromkeys(network.inputs, COUNT)) if several else COUNT,
            "sha256": DIGEST,
        }
    )


def _clipped(network: Network, document: Mapping[str, Any]) -> dict[str, int]:
    """Give how many values of each input were clipped: of one input, the number alone is kept."""
    told = document["clipped_inputs"]
    return dict(told) if isinstance(told, Mapping) else {network.input.name: told}


def _check_state(
    network: Network, engine: Engine, document: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]
) -> None:
    """Check every array and count against what a stream of one sequence would carry."""
    steps = document["steps"]
    template = engine.open(network, Watch(samples=1, trace=list(network.outputs)))
    carried = template.state().arrays
    sums = {SUMMED} if network.answer.sums_steps and steps else set()
    if odd := sorted((carried.keys() | sums) ^ (tensors.keys() - {LENGTHS})):
        raise SchemaError(f"the array {shown(odd[0])} is missing, or none of this network's")
    samples = len(tensors[min(carried.keys() - {RECENT}, default=RECENT)]) if tensors else 0
    Whole(1, MAX_SAMPLES).check(samples, "sequences")
    recent = {
        f"{name}/{RECENT}" if place else RECENT: answer
        for place, (name, answer) in enumerate(network.outputs.items())
    }
    for name, array in carried.items():
        if name in recent:
            _check_recent(recent[name], template.late, steps, samples).check(tensors[name], name)
        else:
            limit = _limit(network, name, steps)
            low = 0 if name.endswith(f"/{MESSAGES}") else -limit
            Array([np.int64], (samples, *array.shape[1:]), low, limit).check(tensors[name], name)
    if sums:
        _check_summed(tensors[SUMMED], (samples, network.answer.width), steps)
    if LENGTHS in tensors:
        Array([np.int64], (samples,), 1, MAX_STEPS).check(tensors[LENGTHS], LENGTHS)
    _check_counts(network, document, samples * steps)


def _check_recent(answer: Answer, late: Collection[str], steps: int, samples: int) -> Array:
    """Give what the last steps of an answer must be: none, where a pool gives it."""
    node: Any = answer.source
    kept = 0 if node.name in late else min(steps, answer.length)
    return Array([np.int64], (samples, kept, node.width), -node.output.limit, node.output.limit)


def _check_summed(summed: npt.NDArray[Any], shape: tuple[int, ...], steps: int) -> None:
    """Check sums of probabilities: of each step, between 0 and 1."""
    if summed.dtype == np.float64 and not np.isfinite(summed).all():
        raise SchemaError(f"{SUMMED} holds NaN or infinity")
    Array([np.float64], shape, 0, steps).check(summed, SUMMED)


def _check_counts(network: Network, document: dict[str, Any], steps: int) -> None:
    """Check that no more values were clipped than there were."""
    for name, count in document["saturated"].items():
        if name not in network.names:
            raise SchemaError(f"saturated: no node {shown(name)} in this network")
        Whole(0, steps * _clips(network[name])).check(count, f"saturated.{name}")
    for name, count in _clipped(network, document).items():
        Whole(0, steps * network[name].width).check(count, "clipped_inputs")


def _clips(node: Node) -> int:
    """How many values a node can clip in one step: what its program saturates, in every mode."""
    program = _program(node)
    saturated = [v.modes or 1 for v in program or () if v.operation == "saturate"]
    return node.width * (sum(saturated) + MOST_CLIPS)


def _limit(network: Network, name: str, steps: int) -> int:
    """Give the largest magnitude that the state ``node/what`` can have after some steps."""
    owner, _, what = name.rpartition("/")
    if what == MESSAGES:
        return steps
    node = network[owner]
    program = _program(node)
    if program is not None and what in program.words:
        word = program.words[what]
        drawn = word.following.operation == "xor"  # of pseudo-random bits none is a sign
        limit = limit_of(word.bits, signed=not drawn)
        entering = network.sources(node)[0].output.limit  # type: ignore[attr-defined]
        return min(limit, entering * max(steps, 1)) if what == "gathered" else limit
    largest: int = node.output.limit  # type: ignore[attr-defined]  # past inputs
    return largest


def _program(node: Node) -> Program | None:
    """Give the program of a node that the chip computes."""
    try:
        program: Program = node.program  # type: ignore[attr-defined]  # lowered stage
    except NotImplementedError:
        return None
    return program


def _read(path: str | os.PathLike[str]) -> Contents:
    try:
        found = read_checksummed(METADATA_KEY, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ForeignFileError as error:
        raise DataError(f"{path}: not a stream's state, or damaged ({error})") from error
    if not found.whole:
        raise DataError(
            f"{path}: its SHA-256 does not match: the file was changed or damaged after it was "
            "written; start the stream anew, or from an earlier state"
        )
    return found
