"""S4's decoders: configuration and keys ``decoder.*`` -> the last nodes of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snn_deploy.converters.language_models import read_adaptive_softmax, read_token_scores
from snn_deploy.converters.s4_config import S4Config
from snn_deploy.converters.s4_encoders import named_options
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.heads import FirstSteps, RetrievalHead
from snn_deploy.nodes.readout import CumulativeReadout, Readout, ReadoutMode

__all__ = ["Ending", "read_decoder"]

Options = Mapping[str, Any]

# S4's name for how a sequence becomes one vector -> ours
_MODES: dict[str, ReadoutMode] = {"pool": "mean", "sum": "sum", "last": "last", "first": "first"}


@dataclass(frozen=True)
class Ending:
    """A network's last nodes, chained but for the first one's input, and its answer's steps."""

    nodes: tuple[Node, ...]
    output_steps: OutputSteps

    def after(self, source: str) -> tuple[Node, ...]:
        """Give the nodes with the first one reading the node called ``source``."""
        if not self.nodes:
            return ()
        return (replace(self.nodes[0], inputs=(Edge(source),)), *self.nodes[1:])


def read_decoder(weights: Weights, config: S4Config, output_steps: OutputSteps) -> Ending:
    """Give the decoder's nodes.

    Parameters
    ----------
    output_steps
        S4's ``l_output``, which no checkpoint holds: one vector, every step, or the last K (the
        first K for ``mode: first``). Decoders that have no choice ignore ``"one"``.

    Raises
    ------
    ConfigError
        If ``output_steps`` is not possible with this decoder.
    UnsupportedNetworkError
        If the decoder, an option of it, or the task is not known here.
    """
    if not isinstance(output_steps, str) and not output_steps >= 1:
        raise ConfigError(f"output steps must be 'one', 'all' or at least 1, not {output_steps}")
    task = config.task.get("_name_", "base")
    if task in ("lm", "adaptivelm"):
        return _language_model(weights, config, task)
    stages = named_options(config.decoder, "decoder", weights.where)
    if task not in ("base", "imagenet", "video") or len(stages) > 1:
        raise UnsupportedNetworkError(
            f"{weights.where}: task '{task}' with decoder {config.decoder!r} is not known"
        )
    kind, options = stages[0] if stages else ("id", {})
    if kind not in _DECODERS:
        raise UnsupportedNetworkError(
            f"{weights.where}: decoder '{kind}' is not known; known: {', '.join(_DECODERS)}"
        )
    read, known = _DECODERS[kind]
    unknown = set(options) - set(known)
    if unknown:
        raise UnsupportedNetworkError(
            f"{weights.where}: decoder '{kind}' has unknown options {', '.join(sorted(unknown))}; "
            "they may change what it computes"
        )
    return read(weights, config.model.d_model, options, output_steps)


def _sequence(weights: Weights, channels: int, options: Options, steps: OutputSteps) -> Ending:
    mode, use_lengths = _pooling(weights, options)
    if steps == "one":
        readout = _readout(weights, channels, mode)
        return Ending((replace(readout, use_lengths=use_lengths),), "one")
    every = _readout(weights, channels, "every")
    if mode == "last":
        return Ending((replace(every, use_lengths=use_lengths),), steps)
    if mode == "first":
        return _leading_steps(every, steps)
    if mode == "mean" and steps != channels:
        raise ConfigError(
            f"{weights.where}: the decoder's mode 'pool' with output steps {steps} cannot be: the "
            "authors' code runs it for one vector a sequence, or (by a slip, dividing along the "
            f"channels) for exactly d_model = {channels} steps; use --output-steps one"
        )
    cumulative = CumulativeReadout(
        name="decoder",
        weight=every.weight,
        bias=every.bias,
        use_lengths=use_lengths,
        divide_by_channel=mode == "mean",
    )
    return Ending((cumulative,), steps)


def _leading_steps(every: Readout, steps: OutputSteps) -> Ending:
    if isinstance(steps, str):
        return Ending((every,), "all")
    first = FirstSteps(
        name="decoder.first", inputs=(Edge(every.name),), channels=every.width, count=steps
    )
    return Ending((every, first), "all")


def _nd(weights: Weights, channels: int, options: Options, steps: OutputSteps) -> Ending:
    mode = options.get("mode", "pool")
    if mode == "pool":
        _refuse_more_than_one(weights, "nd", steps)
        return Ending((_readout(weights, channels, "mean"),), "one")
    if mode == "full":
        return Ending((_readout(weights, channels, "every"),), _at_least_all(steps))
    raise UnsupportedNetworkError(
        f"{weights.where}: decoder 'nd' has mode {mode!r}; known: pool, full"
    )


def _linear(weights: Weights, channels: int, options: Options, steps: OutputSteps) -> Ending:
    readout = _readout(weights, channels, "every", "decoder.0.")
    return Ending((readout,), _at_least_all(steps))


def _identity(weights: Weights, channels: int, options: Options, steps: OutputSteps) -> Ending:
    return Ending((), _at_least_all(steps))


def _retrieval(weights: Weights, channels: int, options: Options, steps: OutputSteps) -> Ending:
    _refuse_more_than_one(weights, "retrieval", steps)
    mode, use_lengths = _pooling(weights, options)
    activation = options.get("activation", "relu")
    if activation not in ("relu", "gelu"):
        raise UnsupportedNetworkError(
            f"{weights.where}: retrieval decoder with activation {activation!r}; known: relu, gelu"
        )
    pool = Readout(
        name="decoder",
        mode=mode,
        weight=np.eye(channels),
        bias=np.zeros(channels),
        use_lengths=use_lengths,
    )
    differences = bool(options.get("nli", True))
    hidden = options.get("d_model") or channels
    sizes = [4 * channels, hidden] if differences else [2 * channels, hidden, hidden // 2]
    keys = [f"decoder.0.retrieval.classifier.{2 * k}." for k in range(len(sizes))]
    rows: list[int | None] = [*sizes[1:], None]
    matrices = tuple(
        weights.real(f"{key}weight", (n, size))
        for key, n, size in zip(keys, rows, sizes, strict=True)
    )
    head = RetrievalHead(
        name="decoder.retrieval",
        inputs=(Edge("decoder"),),
        weights=matrices,
        biases=tuple(
            weights.real(f"{key}bias", (len(m),)) for key, m in zip(keys, matrices, strict=True)
        ),
        activation=activation,
        differences=differences,
    )
    return Ending((pool, head), "one")


def _language_model(weights: Weights, config: S4Config, task: str) -> Ending:
    stages = named_options(config.decoder, "decoder", weights.where)
    allowed = all(
        kind in ("id", "sequence") and options.get("mode", "last") in ("last", "first")
        for kind, options in stages
    )
    if len(stages) > 1 or not allowed:
        raise UnsupportedNetworkError(
            f"{weights.where}: task '{task}' with decoder {config.decoder!r} is not known; a "
            "language model scores every step (decoder: sequence)"
        )
    read = read_token_scores if task == "lm" else read_adaptive_softmax
    return Ending((read(weights, config),), "all")


def _pooling(weights: Weights, options: Options) -> tuple[ReadoutMode, bool]:
    mode = options.get("mode", "last")
    if mode not in _MODES:
        raise UnsupportedNetworkError(
            f"{weights.where}: decoder mode {mode!r} is not known; known: {', '.join(_MODES)}"
        )
    return _MODES[mode], bool(options.get("use_lengths", False))


def _readout(
    weights: Weights, channels: int, mode: ReadoutMode, prefix: str = "decoder.0.output_transform."
) -> Readout:
    weights.require([f"{prefix}weight", f"{prefix}bias"])
    weight = weights.real(f"{prefix}weight", (None, channels))
    bias = weights.real(f"{prefix}bias", (len(weight),))
    return Readout(name="decoder", mode=mode, weight=weight, bias=bias)


def _at_least_all(steps: OutputSteps) -> OutputSteps:
    return "all" if steps == "one" else steps


def _refuse_more_than_one(weights: Weights, kind: str, steps: OutputSteps) -> None:
    if steps != "one":
        raise ConfigError(
            f"{weights.where}: decoder '{kind}' gives one vector a sequence; output steps {steps} "
            "cannot be had: use --output-steps one"
        )


_Reader = Callable[[Weights, int, Options, OutputSteps], Ending]
_DECODERS: dict[str, tuple[_Reader, tuple[str, ...]]] = {
    "sequence": (_sequence, ("mode", "use_lengths")),
    "retrieval": (_retrieval, ("mode", "use_lengths", "nli", "activation", "d_model")),
    "nd": (_nd, ("mode",)),
    "linear": (_linear, ()),
    "id": (_identity, ()),
}
