"""Float networks with every ending: what the chip reads out, and what is left to the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from networks import float_inputs, float_network

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.heads import AdaptiveLogSoftmax, FirstSteps, RetrievalHead
from snn_deploy.nodes.readout import CumulativeReadout, Readout
from snn_deploy.nodes.softmax_sum import SoftmaxSum
from snn_deploy.nodes.ssm import DssSsm
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import parse_settings

WIDTH = 4
STEPS = 20
STREAM = "layers.0.residual"


def ending(*nodes: Node, output_steps: OutputSteps = "one", **options: Any) -> Network:
    """A one-layer float network that ends with these nodes, chained."""
    network = float_network(width=WIDTH, layers=1, **options)
    members = list(network.nodes[:-1])
    for node in nodes:
        members.append(replace(node, inputs=(Edge(members[-1].name),)))
    return Network("float", tuple(members), output_steps)


def deployed(network: Network, **settings: Any) -> Network:
    """The lowered form, calibrated on four sequences of ``STEPS`` steps."""
    calibration = Calibration(float_inputs(network, batch=4, steps=STEPS))
    return compile_network(network, parse_settings(settings), calibration)


def readout(mode: Any, classes: int = 3, name: str = "decoder", **fields: Any) -> Any:
    rng = np.random.default_rng(7)
    return Readout(
        name=name,
        mode=mode,
        weight=rng.normal(size=(classes, WIDTH)),
        bias=rng.normal(size=classes),
        **fields,
    )


def pool(mode: Any = "mean", **fields: Any) -> Any:
    """What precedes a comparison: the pooled stream itself."""
    return Readout(name="decoder", mode=mode, weight=np.eye(WIDTH), bias=np.zeros(WIDTH), **fields)


def comparison(differences: bool = True, activation: Any = "gelu") -> RetrievalHead:
    rng = np.random.default_rng(5)
    sizes = [WIDTH * (4 if differences else 2), 6, 2]
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    return RetrievalHead(
        name="decoder.retrieval",
        weights=tuple(single(rng.normal(size=shape)) for shape in shapes),
        biases=tuple(single(rng.normal(size=rows)) for rows, _ in shapes),
        activation=activation,
        differences=differences,
    )


def softmax(sizes: tuple[int, ...] = (5, 4, 7)) -> AdaptiveLogSoftmax:
    rng = np.random.default_rng(3)
    widths = [WIDTH >> k for k in range(len(sizes))]
    pairs = list(zip(sizes, widths, strict=True))
    return AdaptiveLogSoftmax(
        name="decoder",
        weights=tuple(single(rng.normal(size=pair)) for pair in pairs),
        biases=tuple(single(rng.normal(size=size)) for size in sizes),
        projections=tuple(single(rng.normal(size=(WIDTH, width))) for width in widths),
        cluster_weight=single(rng.normal(size=(len(sizes) - 1, WIDTH))),
        cluster_bias=single(rng.normal(size=len(sizes) - 1)),
    )


def shares(channels: int = 3) -> SoftmaxSum:
    return SoftmaxSum(name="sum", channels=channels)


def single(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to float32, as a checkpoint holds it."""
    return x.astype(np.float32).astype(np.float64)


def cumulative(**fields: Any) -> CumulativeReadout:
    rng = np.random.default_rng(7)
    return CumulativeReadout(
        name="decoder", weight=rng.normal(size=(3, WIDTH)), bias=rng.normal(size=3), **fields
    )


def dss(reverse: bool) -> Network:
    """A network whose kernel depends on the sequences' length."""
    network = float_network(width=WIDTH, layers=1, reverse=reverse)
    ssm: Any = network["layers.0.ssm"]
    kernel = DssSsm(
        name=ssm.name,
        inputs=ssm.inputs,
        a=ssm.a,
        b=np.ones_like(ssm.b),
        c=ssm.c,
        d=ssm.d,
        pole=np.log(ssm.a) * 8,
        c_reverse=ssm.c_reverse,
    )
    return network.rewrite({ssm.name: (kernel,)})


ENDINGS: dict[str, Callable[[], Network]] = {
    "sum": lambda: ending(readout("sum")),
    "sum of the valid": lambda: ending(readout("sum", use_lengths=True)),
    "last 5": lambda: ending(readout("every"), output_steps=5),
    "last 5 of the valid": lambda: ending(readout("every", use_lengths=True), output_steps=5),
    "running sum": lambda: ending(cumulative(), output_steps="all"),
    "running sum, last 5 of the valid": lambda: ending(
        cumulative(use_lengths=True), output_steps=5
    ),
    "divided by channel": lambda: ending(cumulative(divide_by_channel=True), output_steps=WIDTH),
    "first 5": lambda: ending(
        readout("every"), FirstSteps(name="first", channels=3, count=5), output_steps="all"
    ),
    "retrieval": lambda: ending(pool(), comparison()),
    "retrieval, last of the valid": lambda: ending(
        pool("last", use_lengths=True), comparison(differences=False, activation="relu")
    ),
    "retrieval, sum": lambda: ending(pool("sum"), comparison()),
    "summed probabilities": lambda: ending(readout("every"), shares()),
    "language model": lambda: ending(softmax(), output_steps="all"),
    "language model, last 5": lambda: ending(softmax(), output_steps=5),
    "dss": lambda: dss(reverse=False),
    "dss in both directions": lambda: dss(reverse=True),
}
