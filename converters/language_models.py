"""The vocabulary ends of S4's language models: tasks ``lm`` and ``adaptivelm``."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snn_deploy.converters.s4_config import S4Config
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.node import Node
from snn_deploy.nodes.embedding import AdaptiveEmbedding, Embedding
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.nodes.heads import AdaptiveLogSoftmax
from snn_deploy.nodes.readout import Readout

__all__ = [
    "AdaptiveTask",
    "read_adaptive_embedding",
    "read_adaptive_softmax",
    "read_scaled_embedding",
    "read_token_scores",
]

Real = npt.NDArray[np.float64]


class AdaptiveTask(BaseModel):
    """``task`` of an adaptive language model: cluster k holds tokens cutoffs[k-1] … cutoffs[k]."""

    model_config = ConfigDict(extra="ignore")

    div_val: int = Field(ge=1)
    cutoffs: list[int]
    tie_weights: bool
    tie_projs: list[bool]


def read_scaled_embedding(weights: Weights, config: S4Config) -> tuple[Node, Node]:
    """Give input and embedding of task ``lm``: the rows are multiplied by sqrt(d_model)."""
    channels = config.model.d_model
    scale = math.sqrt(channels) if config.task.get("rescale", True) else 1.0
    table = weights.real("encoder.0.weight", (None, channels)) * scale
    return TokenInput(name="input", vocabulary=len(table)), Embedding(name="encoder", table=table)


def read_token_scores(weights: Weights, config: S4Config) -> Readout:
    """Give the decoder of task ``lm``; tied weights are stored with the decoder, too."""
    weight = weights.real("decoder.1.weight", (None, config.model.d_model))
    bias = weights.real("decoder.1.bias", (len(weight),))
    return Readout(name="decoder", mode="every", weight=weight, bias=bias)


def read_adaptive_embedding(weights: Weights, config: S4Config) -> tuple[Node, Node]:
    """Give input and embedding of task ``adaptivelm``."""
    task = _adaptive_task(config, weights.where)
    scale = math.sqrt(config.model.d_model)
    tables = _embedding_tables(weights, config, task)
    if task.div_val == 1:
        encoder: Node = Embedding(name="encoder", table=tables[0] * scale)
    else:
        encoder = AdaptiveEmbedding(
            name="encoder",
            tables=tables,
            projections=tuple(scale * p for p in _embedding_projections(weights, config, task)),
        )
    return TokenInput(name="input", vocabulary=sum(len(table) for table in tables)), encoder


def read_adaptive_softmax(weights: Weights, config: S4Config) -> AdaptiveLogSoftmax:
    """Give the decoder of task ``adaptivelm``, whose weights are those of its loss.

    The head always has a projection of its own, whatever ``tie_projs`` says: the authors' code
    puts a False before the list.
    """
    task = _adaptive_task(config, weights.where)
    clusters = len(task.cutoffs) + 1
    output = _output_tables(weights, config, task)
    bounds = [0, *task.cutoffs, sum(len(table) for table in output)]
    if task.div_val == 1:
        biases: tuple[Real, ...] = (weights.real("loss.out_layers_biases.0", (bounds[-1],)),)
        output, biases = (_split(parts[0], bounds) for parts in (output, biases))
        projections: tuple[Real, ...] = (np.eye(config.model.d_model),) * clusters
    else:
        biases = tuple(
            weights.real(f"loss.out_layers_biases.{k}", (bounds[k + 1] - bounds[k],))
            for k in range(clusters)
        )
        projections = _output_projections(weights, config, task)
    return AdaptiveLogSoftmax(
        name="decoder",
        weights=output,
        biases=biases,
        projections=projections,
        cluster_weight=weights.real("loss.cluster_weight", (clusters - 1, output[0].shape[1])),
        cluster_bias=weights.real("loss.cluster_bias", (clusters - 1,)),
    )


def _adaptive_task(config: S4Config, where: str) -> AdaptiveTask:
    try:
        task = AdaptiveTask.model_validate(config.task)
    except ValidationError as error:
        raise CheckpointError(_explained(error.errors()[0], where)) from None
    if sorted(set(task.cutoffs)) != task.cutoffs or min(task.cutoffs, default=0) < 1:
        raise CheckpointError(f"{where}: task.cutoffs must rise from above 0, not {task.cutoffs}")
    if len(task.tie_projs) != len(task.cutoffs):
        raise CheckpointError(
            f"{where}: task.tie_projs has {len(task.tie_projs)} entries for {len(task.cutoffs)} "
            "cutoffs; expected one each"
        )
    if task.div_val == 1 and not all(task.tie_projs):
        raise UnsupportedNetworkError(
            f"{where}: adaptive language model with div_val 1 and tie_projs {task.tie_projs}; the "
            "authors' code cannot run this, so there is nothing to be faithful to"
        )
    return task


def _explained(error: Any, where: str) -> str:
    key = ".".join(str(part) for part in error["loc"])
    return f"{where}: configuration option 'task.{key}': {error['msg']}"


def _sizes(config: S4Config, task: AdaptiveTask) -> list[int]:
    """Give the row width of each cluster's table."""
    if task.div_val == 1:
        return [config.model.d_model]
    return [config.model.d_model // task.div_val**k for k in range(len(task.cutoffs) + 1)]


def _tables(
    weights: Weights, pattern: str, config: S4Config, task: AdaptiveTask
) -> tuple[Real, ...]:
    sizes = _sizes(config, task)
    keys = [pattern.format(k) for k in range(len(sizes))]
    weights.require(keys)
    if task.div_val == 1:
        return (weights.real(keys[0], (None, sizes[0])),)
    starts = [0, *task.cutoffs]
    counts = [end - start for start, end in zip(starts, task.cutoffs, strict=False)]
    # the last cluster ends with the vocabulary, which only the tables know
    rows: list[int | None] = [*counts, None]
    return tuple(
        weights.real(key, (n, size)) for key, n, size in zip(keys, rows, sizes, strict=True)
    )


def _embedding_tables(weights: Weights, config: S4Config, task: AdaptiveTask) -> tuple[Real, ...]:
    return _tables(weights, "encoder.0.emb_layers.{}.weight", config, task)


def _output_tables(weights: Weights, config: S4Config, task: AdaptiveTask) -> tuple[Real, ...]:
    if task.tie_weights:
        return _embedding_tables(weights, config, task)
    return _tables(weights, "loss.out_layers_weights.{}", config, task)


def _embedding_projections(
    weights: Weights, config: S4Config, task: AdaptiveTask
) -> tuple[Real, ...]:
    return tuple(
        weights.real(f"encoder.0.emb_projs.{k}", (config.model.d_model, size))
        for k, size in enumerate(_sizes(config, task))
    )


def _output_projections(weights: Weights, config: S4Config, task: AdaptiveTask) -> tuple[Real, ...]:
    tied = [False, *task.tie_projs]
    shared = _embedding_projections(weights, config, task)
    return tuple(
        shared[k] if tied[k] else weights.real(f"loss.out_projs.{k}", (config.model.d_model, size))
        for k, size in enumerate(_sizes(config, task))
    )


def _split(rows: Real, bounds: list[int]) -> tuple[Real, ...]:
    return tuple(rows[a:b] for a, b in itertools.pairwise(bounds))
