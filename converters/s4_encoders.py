"""S4's encoders: configuration and keys ``encoder.*`` -> the first nodes of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snn_deploy.converters.language_models import read_adaptive_embedding, read_scaled_embedding
from snn_deploy.converters.s4_config import S4Config
from snn_deploy.converters.weights import Weights
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.convolution import Conv1d
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_inputs import FloatInput, TokenInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.positional_encoding import PositionalEncoding

__all__ = ["backbone_input", "named_options", "read_encoder"]

Options = Mapping[str, Any]
Stem = tuple[Node, Node]
"""An input node and the encoder node that reads it, both still without their places."""


def read_encoder(weights: Weights, config: S4Config) -> tuple[Node, ...]:
    """Give the input node and the encoder's nodes, chained; the last gives the stream.

    Raises
    ------
    UnsupportedNetworkError
        If the configuration names an encoder, or an option of one, that is not known here.
    """
    channels = config.model.d_model
    task = config.task.get("_name_", "base")
    if task in _TASK_ENCODERS:
        if named_options(config.encoder, "encoder", weights.where):
            raise UnsupportedNetworkError(
                f"{weights.where}: task '{task}' brings its own encoder, but the configuration "
                f"has encoder {config.encoder!r} too; this combination is not known"
            )
        return _chain(*_TASK_ENCODERS[task](weights, config))
    source: Node = FloatInput(name="input", channels=channels)
    stages: list[Node] = []
    for index, (kind, options) in enumerate(
        named_options(config.encoder, "encoder", weights.where)
    ):
        _refuse_unknown_options(kind, options, weights.where)
        if kind == "id":
            continue
        if kind == "position":
            stages.append(_position(weights, f"encoder.{index}.", channels, options))
        elif kind in _STEMS and index == 0:
            source, stage = _STEMS[kind](weights, f"encoder.{index}.", channels, options)
            stages.append(stage)
        else:
            raise UnsupportedNetworkError(
                f"{weights.where}: encoder '{kind}' as stage {index} is not known; first stages: "
                f"{', '.join(sorted(_STEMS))}; any stage: id, position"
            )
    return _chain(source, *stages)


def backbone_input(config: S4Config) -> tuple[Node, ...]:
    """Give the input node of a backbone without encoder: the stream itself, (B, L, d_model)."""
    return (FloatInput(name="input", channels=config.model.d_model),)


def named_options(spec: object, section: str, where: str) -> list[tuple[str, Options]]:
    """Read S4's ways to name modules: null, "name", {_name_: …, options}, or a list of these."""
    stages: list[tuple[str, Options]] = []
    for item in spec if isinstance(spec, list | tuple) else [spec]:
        if isinstance(item, str):
            stages.append((item, {}))
        elif isinstance(item, Mapping) and isinstance(item.get("_name_"), str):
            options = {key: value for key, value in item.items() if key != "_name_"}
            stages.append((item["_name_"], options))
        elif item is not None:
            raise UnsupportedNetworkError(
                f"{where}: configuration section '{section}' has {item!r}; expected a name, or a "
                "mapping with _name_"
            )
    return stages


def _chain(source: Node, *stages: Node) -> tuple[Node, ...]:
    nodes = [source]
    for index, stage in enumerate(stages):
        name = f"encoder.{index}" if len(stages) > 1 else "encoder"
        nodes.append(replace(stage, name=name, inputs=(Edge(nodes[-1].name),)))
    return tuple(nodes)


def _linear(weights: Weights, prefix: str, channels: int, options: Options) -> Stem:
    weights.require([f"{prefix}weight", f"{prefix}bias"])
    weight = weights.real(f"{prefix}weight", (channels, None))
    bias = weights.real(f"{prefix}bias", (channels,))
    source = FloatInput(name="input", channels=weight.shape[1])
    return source, Linear(name="encoder", weight=weight, bias=bias)


def _embedding(weights: Weights, prefix: str, channels: int, options: Options) -> Stem:
    table = weights.real(f"{prefix}weight", (None, channels))
    return TokenInput(name="input", vocabulary=len(table)), Embedding(name="encoder", table=table)


def _onehot(weights: Weights, prefix: str, channels: int, options: Options) -> Stem:
    table = np.eye(channels)
    return TokenInput(name="input", vocabulary=channels), Embedding(name="encoder", table=table)


def _conv1d(weights: Weights, prefix: str, channels: int, options: Options) -> Stem:
    if options.get("stride", 1) != 1 or options.get("padding", "same") != "same":
        raise UnsupportedNetworkError(
            f"{weights.where}: encoder conv1d with stride {options.get('stride', 1)} and padding "
            f"{options.get('padding', 'same')!r} changes the number of steps; only stride 1 with "
            "padding 'same' is known"
        )
    weight = weights.real(f"{prefix}conv.weight", (channels, None, None))
    bias = weights.real(f"{prefix}conv.bias", (channels,))
    source = FloatInput(name="input", channels=weight.shape[1])
    return source, Conv1d(name="encoder", weight=weight, bias=bias)


def _position(weights: Weights, prefix: str, channels: int, options: Options) -> Node:
    if options.get("pe_init") is not None:
        raise UnsupportedNetworkError(
            f"{weights.where}: encoder position with pe_init is {options['pe_init']!r}; the "
            "authors' code cannot run it (its table has steps and batch exchanged)"
        )
    table = weights.real(f"{prefix}pe", (None, channels))
    return PositionalEncoding(name="encoder", table=table)


def _refuse_unknown_options(kind: str, options: Options, where: str) -> None:
    unknown = set(options) - set(_KNOWN_OPTIONS.get(kind, options))
    if unknown:
        raise UnsupportedNetworkError(
            f"{where}: encoder '{kind}' has unknown options {', '.join(sorted(unknown))}; they may "
            "change what it computes"
        )


_STEMS: dict[str, Callable[[Weights, str, int, Options], Stem]] = {
    "linear": _linear,
    "embedding": _embedding,
    "onehot": _onehot,
    "conv1d": _conv1d,
}
_KNOWN_OPTIONS: dict[str, Sequence[str]] = {
    "id": (),
    "linear": (),
    "embedding": (),
    "onehot": (),
    "conv1d": ("kernel_size", "stride", "padding"),
    "position": ("max_len", "dropout", "pe_init", "causal"),
}
_TASK_ENCODERS: dict[str, Callable[[Weights, S4Config], Stem]] = {
    "lm": read_scaled_embedding,
    "adaptivelm": read_adaptive_embedding,
}
