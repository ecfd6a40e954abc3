"""A network as readable text, a node a line; the tests' goldens and ``inspect`` print it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["format_network", "format_node"]


def format_network(network: Network) -> str:
    """Give the whole network, e.g. ``layers.0.lif = LifSoma(layers.0.ssm) … -> u1e0``."""
    answers = network.outputs.values()
    told = [f"{answer.steps}{' of the valid ones' * answer.valid}" for answer in answers]
    if len(told) > 1:
        told = [f"{name}:{steps}" for name, steps in zip(network.outputs, told, strict=True)]
    title = f"network stage={network.stage} output_steps={' '.join(told)}"
    if network.steps is not None:
        title += f" steps={network.steps}"
    lines = [title, *(f"  {format_node(node)}" for node in network)]
    if network.head:
        lines += ["host", *(f"  {format_node(node)}" for node in network.head)]
    return "\n".join(lines) + "\n"


def format_node(node: Node) -> str:
    """Give one node: name, kind, inputs with delays, parameters, and the output's format."""
    inputs = ", ".join(str(edge) for edge in node.inputs)
    parameters = " ".join(_parameters(node, skip=("name", "inputs", "output")))
    output = getattr(node, "output", None)
    arrow = f" -> {output}" if output is not None else ""
    return f"{node.name} = {node.kind}({inputs}) width={node.width} {parameters}".rstrip() + arrow


def _parameters(value: Any, skip: tuple[str, ...] = (), prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.name in skip or field.name == "channels":
            continue
        if dataclasses.is_dataclass(item):
            yield from _parameters(item, prefix=f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}={_summary(item)}"


def _summary(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_summary(item) for item in value)})"
    if dataclasses.is_dataclass(value):
        return f"({' '.join(_parameters(value))})"
    if not isinstance(value, np.ndarray):
        return str(value)
    shape = "x".join(str(size) for size in value.shape)
    if value.size == 0:
        return f"{value.dtype}[{shape}]"
    if np.iscomplexobj(value):
        largest = float(np.abs(value).max())
        return f"{value.dtype}[{shape}]:|max|={largest:.4g}"
    low, high = value.min(), value.max()
    if np.issubdtype(value.dtype, np.floating):
        return f"{value.dtype}[{shape}]:{low:.4g}…{high:.4g}"
    return f"{value.dtype}[{shape}]:{low}…{high}"
