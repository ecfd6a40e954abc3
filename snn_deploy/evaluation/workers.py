"""Where shards are run: in this process, in others of this machine, or by a dask cluster."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from snn_deploy.data.data_file import DataFile
from snn_deploy.errors import BackendError, BackendUnavailableError, ConfigError, SnnDeployWarning
from snn_deploy.evaluation.dataset import Dataset, check_unchanged, open_dataset
from snn_deploy.evaluation.processes import RETRIES, map_in_processes
from snn_deploy.evaluation.tally import count
from snn_deploy.io.reading import Stamp, read_regular

__all__ = ["Cluster", "Task", "run_here", "run_in_processes", "run_on_cluster", "run_shard"]

MAX_PEM_BYTES = 1 << 20


@dataclass(frozen=True)
class Task:
    """What every worker must know: absolute paths that it can read, and the engine.

    ``stamps`` are those of the files when the evaluation began; a worker on another machine counts
    inodes otherwise, so that those of a cluster's task have none.
    """

    deployment: str
    data: DataFile
    backend: str
    sequences: int
    shard_size: int
    stamps: tuple[tuple[str, Stamp], ...]

    def bounds(self, shard: int) -> tuple[int, int]:
        """Give the first sequence of a shard and the one after its last."""
        start = shard * self.shard_size
        return start, min(start + self.shard_size, self.sequences)

    def check_unchanged(self) -> None:
        """Refuse files that are not what they were when the evaluation began.

        Raises
        ------
        DataError
            Naming the file.
        """
        check_unchanged({Path(file): stamp for file, stamp in self.stamps})


@dataclass(frozen=True)
class Cluster:
    """A dask scheduler, and the files that TLS takes: the authority's, our certificate and key."""

    address: str
    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def encrypted(self) -> bool:
        """Whether both sides prove who they are."""
        return None not in (self.ca_file, self.certificate, self.key)

    def check(self) -> None:
        """Refuse half of what TLS takes, and warn where there is none.

        Raises
        ------
        ConfigError
            If some of the three files are missing, or cannot be read, or the address is no TLS one.
        """
        given = [self.ca_file, self.certificate, self.key]
        if any(given) and not self.encrypted:
            raise ConfigError("TLS takes all of --tls-ca, --tls-cert and --tls-key")
        if self.encrypted and not self.address.startswith("tls://"):
            raise ConfigError(f"{self.address}: with TLS an address begins with tls://")
        for file in filter(None, given):
            _check_readable(file)
        if not self.encrypted:
            warnings.warn(
                f"{self.address} is reached without TLS: whoever else reaches it can run code on "
                "its workers and here, see SECURITY.md; give --tls-ca, --tls-cert and --tls-key",
                SnnDeployWarning,
                stacklevel=3,
            )


def _check_readable(file: str) -> None:
    try:
        read_regular(file, MAX_PEM_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {file}, for TLS: {error.strerror}") from error


@lru_cache(maxsize=1)
def _opened(task: Task) -> tuple[Any, Dataset]:
    """Read the network and open the data once a process, and again where they were changed."""
    from snn_deploy.deployment import load

    loaded = load(task.deployment)
    return loaded, open_dataset(task.data, loaded.network)


def run_shard(task: Task, shard: int) -> dict[str, Any]:
    """Run one shard and count its outcome, as plain data."""
    task.check_unchanged()
    deployment, dataset = _opened(task)
    data = dataset.shard(deployment.network, *task.bounds(shard))
    simulation = deployment.simulate(data, backend=task.backend)
    task.check_unchanged()
    return count(simulation, data).to_json()


def run_here(task: Task, shards: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run shards one after another; the native engine uses every core for each."""
    for shard in shards:
        yield shard, run_shard(task, shard)


def run_in_processes(
    task: Task, shards: Iterable[int], workers: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run shards in ``workers`` processes of this machine, which open no port.

    Shards come back in the order that they finish. That of a worker that dies goes to another.

    Raises
    ------
    BackendError
        If a shard's workers died again and again.
    """
    from snn_deploy.engines.native.threads import thread_count

    threads = max(1, thread_count() // workers)
    return map_in_processes(partial(run_shard, task), shards, workers, threads)


def run_on_cluster(
    task: Task, shards: Iterable[int], cluster: Cluster
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run shards on a dask cluster.

    Shards come back in the order that they finish. A shard whose worker dies goes to another.

    Raises
    ------
    BackendUnavailableError
        If dask.distributed is not installed, or nothing answers at the address.
    BackendError
        If a shard's workers died again and again, or the scheduler went away.
    """
    distributed = _import_distributed()
    with _connect(distributed, cluster) as client:
        futures = {
            client.submit(run_shard, task, shard, retries=RETRIES): shard for shard in shards
        }
        try:
            for future in distributed.as_completed(list(futures)):
                yield futures[future], future.result()
        except distributed.KilledWorker as error:
            raise BackendError(
                f"the workers that ran a shard died {RETRIES + 1} times ({error}): give them more "
                "memory, or smaller shards with --shard-size. What was finished is kept"
            ) from error
        except CancelledError as error:
            raise BackendError(
                f"lost {cluster.address}, which handed out the shards: see its log, and run the "
                "same command again: it goes on where it stopped"
            ) from error


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise BackendUnavailableError(
            "--cluster needs dask.distributed: pip install 'snn-deploy[cluster]'; --workers does "
            "without"
        ) from error
    return distributed


def _connect(distributed: Any, cluster: Cluster) -> Any:
    try:
        security = None
        if cluster.encrypted:
            security = distributed.Security(
                tls_ca_file=cluster.ca_file,
                tls_client_cert=cluster.certificate,
                tls_client_key=cluster.key,
                require_encryption=True,
            )
        return distributed.Client(cluster.address, timeout="10s", security=security)
    except (OSError, ValueError, TypeError) as error:
        raise BackendUnavailableError(
            f"no dask scheduler answers at {cluster.address}: {error}; start one with 'dask "
            "scheduler', or run on this machine with --workers N"
        ) from error
