"""Whole test sets: shards, a journal that survives being killed, and local or remote workers."""

from __future__ import annotations

from snn_deploy.evaluation.run import Evaluation, evaluate
from snn_deploy.evaluation.workers import Cluster

__all__ = ["Cluster", "Evaluation", "evaluate"]
