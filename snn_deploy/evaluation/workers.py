"""Where shards are run: in this process, or by the workers of a dask.distributed cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from snn_deploy.errors import BackendError, BackendUnavailableError
from snn_deploy.evaluation.dataset import Dataset, open_dataset
from snn_deploy.evaluation.tally import count

__all__ = ["Task", "run_here", "run_on_cluster", "run_shard"]

RETRIES = 3  # how often a shard is given to another worker after its own died


@dataclass(frozen=True)
class Task:
    """What every worker must know: absolute paths that it can read, and the engine."""

    deployment: str
    data: str
    backend: str
    sequences: int
    shard_size: int

    def bounds(self, shard: int) -> tuple[int, int]:
        """Give the first sequence of a shard and the one after its last."""
        start = shard * self.shard_size
        return start, min(start + self.shard_size, self.sequences)


@lru_cache(maxsize=2)
def _opened(deployment: str, data: str) -> tuple[Any, Dataset]:
    """Read the network and open the data once a process."""
    from snn_deploy.api import load

    loaded = load(deployment)
    return loaded, open_dataset(data, loaded.network)


def run_shard(task: Task, shard: int) -> dict[str, Any]:
    """Run one shard and count its outcome, as plain data."""
    deployment, dataset = _opened(task.deployment, task.data)
    data = dataset.shard(deployment.network, *task.bounds(shard))
    simulation = deployment.simulate(data, backend=task.backend)
    return count(simulation, data).to_json()


def run_here(task: Task, shards: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run shards one after another; the native engine uses every core for each."""
    for shard in shards:
        yield shard, run_shard(task, shard)


def run_on_cluster(
    task: Task, shards: Iterable[int], address: str | None, workers: int | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run shards on the cluster at ``address``, or on ``workers`` processes of this machine.

    Shards come back in the order that they finish. A shard whose worker dies goes to another.

    Raises
    ------
    BackendUnavailableError
        If dask.distributed is not installed, or nothing answers at ``address``.
    BackendError
        If a shard's workers died again and again, or the scheduler went away.
    """
    distributed = _import_distributed()
    with _connect(distributed, address, workers) as client:
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
                f"lost {address or 'the local scheduler'}, which handed out the shards: see its "
                "log, and run the same command again: it goes on where it stopped"
            ) from error


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise BackendUnavailableError(
            "--workers and --cluster need dask.distributed: pip install 'snn-deploy[cluster]'"
        ) from error
    return distributed


def _connect(distributed: Any, address: str | None, workers: int | None) -> Any:
    from snn_deploy.engines.native.compilation import thread_count

    try:
        if address is not None:
            return distributed.Client(address, timeout="10s")
        return distributed.Client(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            processes=True,
            env={"NUMBA_NUM_THREADS": str(max(1, thread_count() // (workers or 1)))},
        )
    except (OSError, ValueError) as error:
        raise BackendUnavailableError(
            f"no dask scheduler answers at {address}: {error}; start one with 'dask scheduler', "
            "or run on this machine with --workers N"
        ) from error
