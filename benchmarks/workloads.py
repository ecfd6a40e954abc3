"""What the benchmarks run: the bundled example, and random networks of any shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

import snn_deploy
from snn_deploy import examples
from snn_deploy.engines.result import Run
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


@dataclass(frozen=True)
class Shape:
    """A SpikingSSM: channels H, complex modes a channel N, layers; ``gain`` makes it spike more."""

    channels: int = 64
    modes: int = 32
    layers: int = 1
    bidirectional: bool = False
    gain: float = 1.0

    def __str__(self) -> str:
        both = " both ways" if self.bidirectional else ""
        return f"{self.layers} × {self.channels} channels × {self.modes} modes{both}"


# the authors' configurations for the two tasks, one layer of them
MNIST = Shape(channels=64, modes=32)
CIFAR = Shape(channels=400, modes=32, bidirectional=True)


def modes_of(network: Network) -> int:
    """Complex modes of all dendrites of a lowered network."""
    return sum(node.width * node.bank.modes for node in network.of_kind(Dendrite))


@cache
def example() -> Network:
    """The bundled example, deployed."""
    checkpoint, calibration = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
    return snn_deploy.convert(checkpoint, calibration=calibration).network


@cache
def float_network(shape: Shape) -> Network:
    """A random network as it leaves a converter."""
    rng = np.random.default_rng(0)
    H = shape.channels
    members: list[Node] = [
        FloatInput(name="input", channels=1),
        Linear(
            name="encoder",
            inputs=(Edge("input"),),
            weight=rng.normal(size=(H, 1)),
            bias=0.1 * rng.normal(size=H),
        ),
    ]
    for layer in range(shape.layers):
        members += _layer(f"layers.{layer}", members[-1].name, shape, rng)
    decoder = Readout(
        name="decoder",
        inputs=(Edge(members[-1].name),),
        mode="mean",
        weight=rng.normal(size=(10, H)) / np.sqrt(H),
        bias=np.zeros(10),
    )
    return Network("float", (*members, decoder))


def _layer(name: str, source: str, shape: Shape, rng: np.random.Generator) -> list[Node]:
    H, N = shape.channels, shape.modes
    dt = np.exp(rng.uniform(np.log(0.001), np.log(0.1), (H, 1)))
    A = -0.5 + 1j * np.pi * np.arange(N)[None]
    a = np.exp(dt * A)
    c = shape.gain * (rng.normal(size=(2, H, N)) + 1j * rng.normal(size=(2, H, N)))
    edges = {part: (Edge(f"{name}.{part}"),) for part in ("ssm", "lif", "mix")}
    return [
        DiagonalSsm(
            name=f"{name}.ssm",
            inputs=(Edge(source),),
            a=a,
            b=(a - 1) / A,
            c=c[0],
            d=0.5 * rng.normal(size=H),
            c_reverse=c[1] if shape.bidirectional else None,
        ),
        Lif(name=f"{name}.lif", inputs=edges["ssm"], threshold=np.ones(H)),
        Linear(
            name=f"{name}.mix",
            inputs=edges["lif"],
            weight=1.5 * rng.normal(size=(2 * H, H)) / np.sqrt(H),
            bias=0.1 * rng.normal(size=2 * H),
        ),
        Glu(name=f"{name}.glu", inputs=edges["mix"], channels=H),
        Residual(name=f"{name}.residual", inputs=(Edge(source), Edge(f"{name}.glu")), channels=H),
    ]


@cache
def lowered(shape: Shape) -> Network:
    """The same network, deployed."""
    inputs = np.random.default_rng(1).random((4, 128, 1))
    return compile_network(float_network(shape), QuantizationConfig(), Calibration(inputs))


@cache
def dendrites_alone(shape: Shape) -> Network:
    """Only the dendrites of a one-layer network's first direction, fed by its encoder, and a pool
    that gathers their drives: an answer at every step would cost as much as some modes.
    """
    network = lowered(replace(shape, layers=1, bidirectional=False))
    last = network.names.index("layers.0.ssm")
    pool = replace(
        network["decoder.pool"], inputs=(Edge("layers.0.ssm"),), output=Format(18, 14), guard_bits=0
    )
    return Network("lowered", (*network.nodes[: last + 1], pool), answers=1)


@cache
def recurrent(neurons: int, channels: int = 4, classes: int = 4) -> Network:
    """One layer of LIF neurons that hears itself a step later, random, deployed."""
    rng = np.random.default_rng(0)

    def weights(outputs: int, inputs: int, gain: float) -> npt.NDArray[np.float64]:
        return rng.normal(0.0, gain / np.sqrt(inputs), (outputs, inputs))

    bias = np.full(neurons, 0.05)
    members = (
        FloatInput(name="input", channels=channels),
        Linear(
            name="feed", inputs=(Edge("input"),), weight=weights(neurons, channels, 2.0), bias=bias
        ),
        Residual(name="drive", inputs=(Edge("feed"), Edge("back", steps_back=1)), channels=neurons),
        Lif(name="lif", inputs=(Edge("drive"),), threshold=np.ones(neurons), decay=0.75),
        Linear(
            name="back", inputs=(Edge("lif"),), weight=weights(neurons, neurons, 1.5), bias=bias
        ),
        Readout(
            name="decoder",
            inputs=(Edge("lif"),),
            mode="mean",
            weight=weights(classes, neurons, 1.0),
            bias=np.zeros(classes),
        ),
    )
    inputs = np.random.default_rng(1).random((16, 32, channels))
    network = Network("float", members)
    return compile_network(network, QuantizationConfig(), Calibration(inputs))


def random_inputs(network: Network, sequences: int, steps: int) -> Run:
    """A batch of random inputs for a lowered network of :func:`lowered`."""
    values = np.random.default_rng(2).random((sequences, steps, network.input.width))
    mantissas, _ = network.input.output.encode(values)  # type: ignore[attr-defined]
    return Run(mantissas, np.full(sequences, steps, dtype=np.int64))


def example_inputs(sequences: int) -> Run:
    """The first sequences of the bundled test set, again from its start if there are too few."""
    with np.load(EXAMPLE / "test.npz") as archive:
        inputs = archive["inputs"]
    values = inputs[np.arange(sequences) % len(inputs)]
    mantissas, _ = example().input.output.encode(values)  # type: ignore[attr-defined]
    return Run(mantissas, np.full(sequences, values.shape[1], dtype=np.int64))
