"""Small lowered networks made by hand, with known counts, for the tests of mapping and reports."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.verifier import verify_network
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.gate import Gate, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.synapses import Synapses

S16 = Format(16, 0)


def rescale(width: int, bits: int = 16) -> Rescale:
    """Keep the value: times 2**10, shifted right by 10."""
    return Rescale(
        mantissa=np.full(width, 1 << 10, np.int32),
        shift=np.full(width, 10, np.int8),
        bias=np.zeros(width, np.int32),
        bits=bits,
    )


def bank(channels: int, modes: int) -> ModeBank:
    """Modes that halve in each step and turn a little."""
    shape = (channels, modes)
    return ModeBank(
        decay_real=np.full(shape, 1 << 13, np.int32),
        decay_imag=np.full(shape, 1 << 10, np.int32),
        decay_shift=14,
        input_shift=np.full(shape, 4, np.int8),
        readout_real=np.full(shape, (1 << 6) * 3 // max(modes, 3), np.int32),
        readout_imag=np.zeros(shape, np.int32),
        readout_shift=np.full(shape, 8, np.int8),
        coefficient_bits=16,
        state_bits=24,
    )


def dendrite(name: str, source: str, channels: int, modes: int, reverse: bool) -> Dendrite:
    return Dendrite(
        name=name,
        inputs=(Edge(source),),
        output=Format(18, 0),
        bank=bank(channels, modes),
        skip_mantissa=np.full(channels, 0 if reverse else 1 << 8, np.int32),
        skip_shift=np.full(channels, 8, np.int8),
        drive_shift=0,
        sum_bits=24,
        reversed_time=reverse,
    )


def synapses(name: str, source: str, weight: np.ndarray) -> Synapses:
    return Synapses(
        name=name,
        inputs=(Edge(source, delay=1),),
        output=Format(24, 0),
        weight=weight.astype(np.int8),
        weight_bits=8,
    )


def shared(name: str, source: str, windows: Windows, kernel: np.ndarray) -> SharedSynapses:
    return SharedSynapses(
        name=name,
        inputs=(Edge(source, delay=1),),
        output=Format(18, 0),
        windows=windows,
        kernel=kernel.astype(np.int8),
        weight_bits=8,
    )


def relay(name: str, *inputs: Edge, width: int, scaled: bool = False) -> Requantize:
    return Requantize(
        name=name,
        inputs=inputs,
        output=S16,
        channels=width,
        rescale=rescale(width) if scaled else None,
    )


def norm(name: str, source: str, width: int) -> Normalize:
    return Normalize(
        name=name,
        inputs=(Edge(source, Normalize.crossing),),
        output=S16,
        align=np.full(width, 7, np.int8),
        square_shift=12,
        epsilon=1,
        reciprocal_bits=16,
        state_bits=24,
        rescale=Rescale(
            mantissa=np.full(width, 1 << 10, np.int32),
            shift=np.full(width, 20, np.int8),
            bias=np.zeros(width, np.int32),
            bits=16,
        ),
    )


def gate(name: str, source: str, width: int) -> Gate:
    sigmoid = SigmoidGate(
        table=np.linspace(0, 32767, 16).astype(np.int32),
        table_bits=16,
        index_shift=2,
        out_shift=np.full(width, 15, np.int8),
    )
    return Gate(
        name=name,
        inputs=(Edge(source),),
        output=S16,
        channels=width,
        rescale=rescale(2 * width),
        value_bits=16,
        sigmoid=sigmoid,
    )


def network(
    channels: int = 6,
    modes: int = 3,
    classes: int = 2,
    reverse: bool = False,
    layers: int = 1,
    normed: bool = False,
) -> Network:
    """An encoder, ``layers`` spiking state-space layers, and a decoder, as if lowered.

    ``normed`` layers begin with a layer norm.
    """
    random = np.random.default_rng(0)
    h = channels
    made: list[Node] = [
        Input(name="input", output=S16, channels=1),
        synapses("encoder.synapses", "input", random.integers(1, 9, (h, 1))),
        relay("encoder", Edge("encoder.synapses"), width=h, scaled=True),
    ]
    stream = "encoder"
    for index in range(layers):
        made += _layer(f"layers.{index}", stream, h, modes, reverse, normed, random)
        stream = f"layers.{index}.residual"
    made += [
        Accumulator(
            name="decoder.pool",
            inputs=(Edge(stream),),
            output=Format(8, 0),  # narrow, so that the sum over 1,024 channels fits 24 bits
            channels=h,
            mode="last",
            use_lengths=False,
            guard_bits=0,
            headroom_bits=0,
            reciprocal_bits=16,
        ),
        synapses("decoder.synapses", "decoder.pool", random.integers(-5, 6, (classes, h))),
        relay("decoder", Edge("decoder.synapses"), width=classes, scaled=True),
    ]
    made_network = Network("lowered", tuple(made))
    verify_network(made_network)
    return made_network


def _layer(
    name: str,
    stream: str,
    h: int,
    modes: int,
    reverse: bool,
    normed: bool,
    random: np.random.Generator,
) -> list[Node]:
    weight = random.integers(-20, 21, (2 * h, h))
    weight[:, 0] = 0  # the first soma speaks to nobody
    entry = f"{name}.norm" if normed else stream
    ssm: list[Node] = [dendrite(f"{name}.ssm", entry, h, modes, reverse=False)]
    if reverse:
        parts = [
            dendrite(f"{name}.ssm.forward", entry, h, modes, reverse=False),
            dendrite(f"{name}.ssm.reverse", entry, h, modes, reverse=True),
        ]
        joined = relay(f"{name}.ssm", *(Edge(part.name) for part in parts), width=h)
        ssm = [*parts, joined]
    crossing = Normalize.crossing if normed else 0
    return [
        *([norm(entry, stream, h)] if normed else []),
        *ssm,
        LifSoma(
            name=f"{name}.lif",
            inputs=(Edge(f"{name}.ssm"),),
            channels=h,
            threshold=300,
            decay=3584,
            output=SPIKE,
        ),
        synapses(f"{name}.mix.synapses", f"{name}.lif", weight),
        gate(f"{name}.glu", f"{name}.mix.synapses", h),
        relay(f"{name}.residual", Edge(stream, delay=1 + crossing), Edge(f"{name}.glu"), width=h),
    ]


def convolutional() -> Network:
    """A spiking convolution of a frame with borders, a gated one of a line, and a decoder."""
    random = np.random.default_rng(3)
    image = Windows.over((2, 4, 3), (3, 2), stride=(2, 1), padding=(1, 1), groups=2)
    line = Windows.over((4, 8), (3,), dilation=(2,), padding=(1,))
    kernel = random.integers(-20, 60, (4, 1, 3, 2))
    kernel[:, 0, 1, 0] = 0
    gated = random.integers(-60, 61, (3, 4, 3))  # a neuron's two halves are of different filters
    made: list[Node] = [
        Input(name="input", output=Format(8, 0), channels=24),
        shared("layers.0.mix.synapses", "input", image, kernel),
        LifSoma(
            name="layers.0.lif",
            inputs=(Edge("layers.0.mix.synapses"),),
            channels=32,
            threshold=300,
            decay=3584,
        ),
        shared("layers.1.mix.synapses", "layers.0.lif", line, gated),
        gate("layers.1.glu", "layers.1.mix.synapses", 9),
        relay("layers.1.residual", Edge("layers.1.glu"), width=9),
        Accumulator(
            name="decoder.pool",
            inputs=(Edge("layers.1.residual"),),
            output=Format(8, 0),
            channels=9,
            mode="last",
            use_lengths=False,
            guard_bits=0,
            headroom_bits=0,
            reciprocal_bits=16,
        ),
        synapses("decoder.synapses", "decoder.pool", random.integers(-5, 6, (2, 9))),
        relay("decoder", Edge("decoder.synapses"), width=2, scaled=True),
    ]
    made_network = Network("lowered", tuple(made))
    verify_network(made_network)
    return made_network


def spiking_network(widths: tuple[int, ...], decay: int = 512) -> Network:
    """Somas and synapses alone: what Loihi 1 can run once its input is spikes."""
    random = np.random.default_rng(1)
    made: list[Node] = [Input(name="input", output=SPIKE, channels=widths[0])]
    source = "input"
    for index, (before, width) in enumerate(itertools.pairwise(widths)):
        name = f"layers.{index}"
        made.append(synapses(f"{name}.synapses", source, random.integers(-20, 60, (width, before))))
        # a soma takes 18 bits; the sum of spikes through 8-bit weights stays far below
        made[-1] = _narrowed(made[-1])
        made.append(
            LifSoma(
                name=f"{name}.lif",
                inputs=(Edge(f"{name}.synapses"),),
                channels=width,
                threshold=100,
                decay=decay,
            )
        )
        source = f"{name}.lif"
    made_network = Network("lowered", tuple(made), answers="all")
    verify_network(made_network)
    return made_network


def _narrowed(node: Node) -> Synapses:
    assert isinstance(node, Synapses)
    return Synapses(
        name=node.name,
        inputs=node.inputs,
        output=Format(18, 0),
        weight=node.weight,
        weight_bits=node.weight_bits,
    )


def simulate(
    made: Network, sequences: int = 3, steps: int = 20, seed: int = 0, **run: object
) -> Result:
    """Run random input through the reference engine."""
    random = np.random.default_rng(seed)
    binary = made.input.output == SPIKE  # type: ignore[attr-defined]
    top = 1 if binary else 60
    x = random.integers(0 if binary else -60, top + 1, (sequences, steps, made.input.width))
    lengths = np.full(sequences, steps)
    return run_whole(ReferenceEngine(), made, Run(x.astype(np.int64), lengths, **run))  # type: ignore[arg-type]


def renamed(network: Network, rename: Callable[[str], str]) -> Network:
    """The same network with other names."""
    nodes = tuple(
        dataclasses.replace(
            node,
            name=rename(node.name),
            inputs=tuple(Edge(rename(edge.source), edge.delay) for edge in node.inputs),
        )
        for node in network
    )
    return dataclasses.replace(network, nodes=nodes)
