"""Whole test sets: shards, a journal that survives being killed, and local or remote workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_deploy.evaluation.run import Evaluation, evaluate
    from snn_deploy.evaluation.workers import Cluster

__all__ = ["Cluster", "Evaluation", "evaluate"]


def __getattr__(name: str) -> Any:
    # imported on use: a data set alone needs no processes
    if name not in __all__:
        raise AttributeError(f"module 'snn_deploy.evaluation' has no attribute {name!r}")
    from snn_deploy.evaluation import run, workers

    return getattr(workers if name == "Cluster" else run, name)
