"""Evaluate a deployment on a whole test set; killed at any moment, it goes on where it was."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snn_deploy.data.data_file import data_file
from snn_deploy.data.familiar import warn_if_unfamiliar
from snn_deploy.deployment import load
from snn_deploy.evaluation.dataset import Dataset, open_dataset
from snn_deploy.evaluation.journal import open_journal
from snn_deploy.evaluation.tally import Tally, TallySchema
from snn_deploy.evaluation.workers import (
    Cluster,
    Task,
    run_here,
    run_in_processes,
    run_on_cluster,
)
from snn_deploy.io.files import atomic_write, check_writable
from snn_deploy.io.reading import Stamp, file_digest
from snn_deploy.ir.network import Network
from snn_deploy.progress import doing
from snn_deploy.run.simulation import Progress
from snn_deploy.version import __version__

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA_VERSION", "Evaluation", "evaluate"]

SCHEMA_VERSION = 1
SHARD_SIZE = 256
LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A finished evaluation: what was run, and its counts."""

    identity: dict[str, Any]
    tally: Tally

    def __repr__(self) -> str:
        from snn_deploy.summaries import evaluation_summary

        return evaluation_summary(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a layer: its spike rate, and neurons that never or always fired."""
        from snn_deploy.frames import frame

        return frame(self.layers(), "layer")

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions; None without labels."""
        if self.tally.correct is None:
            return None
        return self.tally.correct / self.tally.labelled

    @property
    def perplexity(self) -> float | None:
        """``exp`` of the mean cross-entropy of a label; None without labels, or beyond floats."""
        if self.tally.cross_entropy is None:
            return None
        mean = self.tally.cross_entropy / self.tally.labelled
        return math.exp(mean) if mean < LARGEST_EXPONENT else None

    def layers(self) -> list[dict[str, Any]]:
        """Give each layer's spike rate, and how many of its neurons never fired or always did."""
        steps = self.tally.steps
        return [
            {
                "layer": layer,
                "neurons": len(spikes),
                "spike_rate": sum(spikes) / (len(spikes) * steps),
                "silent_neurons": sum(n == 0 for n in spikes),
                "always_firing_neurons": sum(n == steps for n in spikes),
            }
            for layer, spikes in self.tally.spikes.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Give the result file's contents: no times in it, so that equal runs give equal files."""
        regression = self.tally.regression
        return {
            **self.identity,
            "accuracy": self.accuracy,
            "perplexity": self.perplexity,
            "layers": self.layers(),
            **self.tally.to_json(),
            "regression": None if regression is None else regression.figures(),
        }


def evaluate(
    deployment: str | os.PathLike[str],
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    backend: str = "native",
    shard_size: int = SHARD_SIZE,
    workers: int | Cluster | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a whole test set and write the result file.

    Finished shards are kept in ``OUTPUT.journal`` until the result is written, so that the same
    call after a kill, a crash or a full disk goes on where it stopped.

    Parameters
    ----------
    deployment, data, output
        Files: a deployment; DATA.npz, an .npy or a folder (see ``open_dataset``); OUT.json.
    backend
        The engine, by name.
    shard_size
        Sequences run and recorded at a time.
    workers
        A number of local worker processes, or a dask scheduler; else this process.
    fresh
        Forget what an earlier run left.
    progress
        Called with how many sequences were done since the last call.
    """
    check_writable(output, deployment, data)
    remote = isinstance(workers, Cluster)
    if isinstance(workers, Cluster):
        workers.check()
    stamp = Stamp.of(deployment) if Path(deployment).exists() else None
    loaded = load(deployment)
    network, dataset = loaded.network, open_dataset(data, loaded.network)
    # refuse unusable data, or warn of it, before anything is started
    first = dataset.shard(network, 0, min(shard_size, len(dataset)))
    warn_if_unfamiliar(loaded.origin.calibration, first)
    with doing(f"computing the digest of {data}"):
        data_digest = dataset.digest()
    identity = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "deployment_sha256": file_digest(deployment),
        "data_sha256": data_digest,
        "backend": backend,
        "shard_size": shard_size,
    }
    stamps = {Path(deployment): stamp, **dataset.stamps} if stamp else dataset.stamps
    task = Task(
        deployment=_absolute(deployment),
        data=replace(data_file(data), path=_absolute(data)),
        backend=backend,
        sequences=len(dataset),
        shard_size=shard_size,
        stamps=tuple(
            (_absolute(file), stamp.anywhere() if remote else stamp)
            for file, stamp in stamps.items()
        ),
    )
    task.check_unchanged()  # since the digests were computed
    shards = range(-(-len(dataset) // shard_size))
    values = {shard: _tally_schema(network, dataset, task, shard) for shard in shards}
    with open_journal(Path(f"{output}.journal"), identity, values, fresh) as journal:
        _report(progress, task, journal.done)
        missing = [shard for shard in shards if shard not in journal.done]
        for shard, record in _run(task, missing, workers):
            journal.add(shard, record)
            _report(progress, task, [shard])
        parts = [Tally.from_json(journal.done[shard]) for shard in shards]
        evaluation = Evaluation(identity, reduce(add, parts))
        with atomic_write(output) as file:
            file.write(json.dumps(evaluation.to_json(), indent=2, sort_keys=True).encode())
        journal.remove()
    return evaluation


def _run(
    task: Task, shards: list[int], workers: int | Cluster | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    if not shards:
        return iter(())
    if isinstance(workers, Cluster):
        return run_on_cluster(task, shards, workers)
    if workers is not None:
        return run_in_processes(task, shards, workers)
    return run_here(task, shards)


def _tally_schema(network: Network, dataset: Dataset, task: Task, shard: int) -> TallySchema:
    start, stop = task.bounds(shard)
    sequences = (stop - start) * (2 if dataset.pairs else 1)
    return TallySchema(network, sequences, dataset.steps)


def _report(progress: Progress | None, task: Task, shards: Iterable[int]) -> None:
    if progress is None:
        return
    for shard in shards:
        start, stop = task.bounds(shard)
        progress(stop - start)


def _absolute(path: str | os.PathLike[str]) -> str:
    return str(Path(path).resolve())
