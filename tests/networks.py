"""Small networks for the tests of the core: hand-made float ones, and one random node of any kind.

``float_network`` builds what a SpikingSSM checkpoint describes, of any size down to one channel
without modes. ``around`` gives an input and one integer node of the kind asked for, with random
parameters that its docstring and the verifier allow; kinds come from the verifier's table, so that
a new node without a maker here fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from host_makers import highest_mantissa, make_lookup, make_positions, make_window
from random_networks import random_norm
from shared_makers import make_convolution, make_shared

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network, Stage
from snn_deploy.ir.node import Node
from snn_deploy.nodes.adaptation_soma import AdaptationSoma
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.chip_alif import ChipAlif
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.chip_resonator import ChipResonator
from snn_deploy.nodes.crossing_soma import CrossingSoma
from snn_deploy.nodes.cuba_soma import CubaSoma
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.embedding_table import EmbeddingTable
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.gate import Gate, QuantizedGlu, SigmoidGate
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.level_soma import LevelSoma
from snn_deploy.nodes.lif import ChipLif, LifSoma
from snn_deploy.nodes.lif_registers import LifRegisters
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.multiply import Multiply
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.part import Part
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.quantized_ssm import QuantizedSsm
from snn_deploy.nodes.readout import Readout, ReadoutMode
from snn_deploy.nodes.rectify import Rectify
from snn_deploy.nodes.refractory_soma import RefractorySoma
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.resonator_soma import ResonatorSoma
from snn_deploy.nodes.self_gate import SelfGate
from snn_deploy.nodes.shared_synapses import QuantizedConvolution, SharedSynapses
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.nodes.sign_soma import SignSoma
from snn_deploy.nodes.silence import Silence
from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.synapses import QuantizedLinear, Synapses
from snn_deploy.nodes.ternary_soma import TernarySoma
from snn_deploy.nodes.window import Window

Random = np.random.Generator
Norm = Literal[False, True, "layer"]
"""Before each layer: none, a folded batch norm, or a layer norm."""

INTEGER_KINDS: tuple[type[Node], ...] = tuple(
    dict.fromkeys(legal_kinds("integer").values()),
)


def float_network(
    *,
    width: int = 4,
    modes: int = 3,
    layers: int = 2,
    d_in: int = 1,
    classes: int = 3,
    reverse: bool = False,
    norm: Norm = False,
    threshold: bool = True,
    readout: ReadoutMode = "mean",
    use_lengths: bool = False,
    modulus: tuple[float, float] = (0.5, 0.99),
    drive: float = 2.0,
    seed: int = 0,
) -> Network:
    """Make a random float network: |a| within ``modulus``, somas driven as hard as ``drive``."""
    rng = np.random.default_rng(seed)
    made: list[Node] = [
        FloatInput(name="input", channels=d_in),
        Linear(
            name="encoder",
            inputs=(Edge("input"),),
            weight=rng.normal(size=(width, d_in)),
            bias=rng.normal(size=width) * 0.3,
        ),
    ]
    for index in range(layers):
        ssm = _ssm(rng, width, modes, modulus, drive, reverse)
        made += _layer(f"layers.{index}", made[-1].name, width, norm, threshold, ssm, rng)
    made.append(
        Readout(
            name="decoder",
            inputs=(Edge(made[-1].name),),
            mode=readout,
            weight=rng.normal(size=(classes, width)),
            bias=rng.normal(size=classes),
            use_lengths=use_lengths,
        )
    )
    return Network("float", tuple(made), "all" if readout == "every" else "one")


def _ssm(
    rng: Random, h: int, n: int, modulus: tuple[float, float], drive: float, reverse: bool
) -> dict[str, Any]:
    size = (h, n)
    a = rng.uniform(*modulus, size) * np.exp(1j * rng.uniform(0, np.pi, size))

    def readout() -> npt.NDArray[np.complex128]:
        c = rng.normal(size=size) + 1j * rng.normal(size=size)
        return np.asarray(c * drive / max(n, 1))

    return {
        "a": a,
        "b": (1 - np.abs(a)) * np.exp(1j * rng.uniform(0, 1, size)),
        "c": readout(),
        "d": rng.normal(size=h) * drive / 2,
        "c_reverse": readout() if reverse else None,
    }


def _layer(
    name: str, stream: str, h: int, norm: Norm, threshold: bool, ssm: dict[str, Any], rng: Random
) -> list[Node]:
    made: list[Node] = []
    u = stream
    if norm == "layer":
        u = f"{name}.norm"
        weight, bias = rng.normal(1.0, 0.3, h), rng.normal(size=h) * 0.3
        made.append(
            LayerNorm(name=u, inputs=(Edge(stream),), weight=weight, bias=bias, epsilon=1e-5)
        )
    elif norm:
        u = f"{name}.norm"
        made.append(
            Affine(
                name=u,
                inputs=(Edge(stream),),
                scale=rng.uniform(0.5, 2, h) * rng.choice([-1, 1], h),
                shift=rng.normal(size=h),
            )
        )
    return [
        *made,
        DiagonalSsm(name=f"{name}.ssm", inputs=(Edge(u),), **ssm),
        Lif(
            name=f"{name}.lif",
            inputs=(Edge(f"{name}.ssm"),),
            threshold=np.exp(rng.normal(size=h) * 0.3) if threshold else np.ones(h),
        ),
        Linear(
            name=f"{name}.mix",
            inputs=(Edge(f"{name}.lif"),),
            weight=rng.normal(size=(2 * h, h)) / np.sqrt(h),
            bias=rng.normal(size=2 * h) * 0.3,
        ),
        Glu(name=f"{name}.glu", inputs=(Edge(f"{name}.mix"),), channels=h),
        Residual(name=f"{name}.residual", inputs=(Edge(stream), Edge(f"{name}.glu")), channels=h),
    ]


def float_inputs(
    network: Network, batch: int = 3, steps: int = 20, scale: float = 1.0, seed: int = 1
) -> npt.NDArray[np.float64]:
    """Give inputs (batch, steps, d_in) between -scale and scale."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-scale, scale, (batch, steps, network.input.width))


def encoded(network: Network, inputs: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Give inputs as mantissas of an integer network's input node."""
    source = network.input
    assert isinstance(source, IntegerNode)
    return source.output.encode(inputs)[0]


def run_reference(
    network: Network, mantissas: npt.NDArray[np.int64], lengths: npt.ArrayLike | None = None
) -> Result:
    """Run mantissas (B, L, d_in) on the reference engine with every node traced."""
    batch, steps = mantissas.shape[:2]
    valid = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    return run_whole(ReferenceEngine(), network, Run(mantissas, valid, network.names))


def extreme_inputs(
    network: Network, rng: Random, batch: int = 3, steps: int = 16
) -> npt.NDArray[np.int64]:
    """Give mantissas (batch, steps, d_in): full scale and constant, flipping, random, mostly 0."""
    source = network.input
    assert isinstance(source, IntegerNode)
    high = highest_mantissa(network)
    low = -high if source.output.signed else 0
    size = (batch, steps, source.width)
    kinds = [
        np.where(rng.integers(0, 2, (batch, 1, source.width)), high, low) + np.zeros(size, int),
        np.where(rng.integers(0, 2, size), high, low),
        rng.integers(low, high + 1, size),
        rng.integers(low, high + 1, size) * (rng.random(size) < 0.1),
    ]
    return np.asarray(kinds[rng.integers(len(kinds))], dtype=np.int64)


def around(kind: type[Node], rng: Random) -> Network:
    """Give an integer network of an input and one random node of ``kind``.

    The stage is ``integer`` where the kind is legal there, else ``lowered``.
    """
    stage: Stage = "lowered" if kind.lowered else "integer"
    made = MAKERS[kind](rng)
    if isinstance(made[-1], Accumulator):
        return Network(stage, made, "one")
    return Network(stage, made, "all")


def _source(rng: Random, width: int, bits: tuple[int, int] = (2, 24)) -> Input:
    exponent = int(rng.integers(-3, 12))
    form = Format(int(rng.integers(*bits, endpoint=True)), exponent)
    return Input(name="input", output=form, channels=width)


def _width(rng: Random) -> int:
    return int(rng.integers(1, 5))


def _output(rng: Random, width: int, bits: tuple[int, int] = (4, 24)) -> Format:
    exponent: int | tuple[int, ...] = int(rng.integers(-3, 12))
    if rng.integers(2):
        exponent = tuple(int(e) for e in rng.integers(-3, 12, width))
    return Format(int(rng.integers(*bits, endpoint=True)), exponent)


def random_rescale(rng: Random, width: int) -> Rescale:
    bits = int(rng.integers(2, 24, endpoint=True))
    limit = fp.limit_of(bits)
    return Rescale(
        mantissa=rng.integers(-limit, limit + 1, width).astype(np.int32),
        shift=rng.integers(0, bits + 8, width).astype(np.int8),
        bias=rng.integers(-5000, 5001, width).astype(np.int32),
        bits=bits,
    )


def random_sigmoid(rng: Random, width: int) -> SigmoidGate:
    index_bits, bits = int(rng.integers(1, 9)), int(rng.integers(3, 17))
    return SigmoidGate(
        table=fp.sigmoid_table(index_bits, bits, 8.0),
        table_bits=bits,
        index_shift=int(rng.integers(0, 12)),
        out_shift=rng.integers(0, bits + 4, width).astype(np.int8),
    )


def random_bank(rng: Random, width: int, modes: int, modulus: float = 0.999) -> ModeBank:
    shape, bits = (width, modes), int(rng.integers(4, 20))
    limit, decay_shift = fp.limit_of(bits), bits - 1
    a = rng.uniform(0, modulus, shape) * np.exp(1j * rng.uniform(-np.pi, np.pi, shape))
    return ModeBank(
        decay_real=np.trunc(a.real * limit).astype(np.int32),
        decay_imag=np.trunc(a.imag * limit).astype(np.int32),
        decay_shift=decay_shift,
        input_shift=rng.integers(-6, 7, shape).astype(np.int8),
        readout_real=rng.integers(-limit, limit + 1, shape).astype(np.int32),
        readout_imag=rng.integers(-limit, limit + 1, shape).astype(np.int32),
        readout_shift=rng.integers(bits - 2, bits + 8, shape).astype(np.int8),
        coefficient_bits=bits,
        state_bits=int(rng.integers(8, 24, endpoint=True)),
        rounds_once=bits % 3 == 0,
    )


def _driven(rng: Random, width: int) -> dict[str, Any]:
    return {
        "inputs": (Edge("input"),),
        "output": _output(rng, width, (8, 24)),
        "skip_mantissa": rng.integers(-1000, 1001, width).astype(np.int32),
        "skip_shift": rng.integers(0, 12, width).astype(np.int8),
        "drive_shift": int(rng.integers(0, 10)),
        "sum_bits": 40,  # wide enough for any of these banks
    }


def _make_input(rng: Random) -> tuple[Node, ...]:
    return (_source(rng, _width(rng)),)


def _make_synapses(rng: Random) -> tuple[Node, ...]:
    source = _source(rng, _width(rng), (2, 12))
    if rng.integers(2):
        source = Input(name="input", output=SPIKE, channels=source.width)
    weight_bits = int(rng.integers(2, 9))
    limit = fp.limit_of(weight_bits)
    weight = rng.integers(-limit, limit + 1, (_width(rng), source.width)).astype(np.int8)
    node = Synapses(
        name="node",
        inputs=(Edge("input", 1),),
        output=Format(24, 0),
        weight=weight,
        weight_bits=weight_bits,
    )
    return source, node


def _make_linear(rng: Random) -> tuple[Node, ...]:
    source, synapses = _make_synapses(rng)
    assert isinstance(synapses, Synapses)
    node = QuantizedLinear(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, synapses.width),
        weight=synapses.weight,
        weight_bits=synapses.weight_bits,
        sum_bits=24,
        rescale=random_rescale(rng, synapses.width),
    )
    return source, node


def _make_relay(rng: Random) -> tuple[Node, ...]:
    """Some inputs of different exponents, brought to one by shifts, or one input."""
    width = _width(rng)
    source = _source(rng, width)
    rescale = random_rescale(rng, width) if rng.integers(2) else None
    if rng.integers(2):
        inputs = (Edge("input"),) * int(rng.integers(2, 5))
        align = rng.integers(-6, 7, width)
        aligned = tuple(int(e) for e in source.output.exponents(width) + align)
        output = Format(_output(rng, width).bits, aligned)
        shifts = np.stack([align] * len(inputs)).astype(np.int8)
        made = Requantize(
            name="node", inputs=inputs, output=output, channels=width, rescale=rescale, align=shifts
        )
        return source, made
    output = _output(rng, width)
    if rescale is None:
        output = Format(output.bits, source.output.exponent)
    relay = Requantize(
        name="node", inputs=(Edge("input"),), output=output, channels=width, rescale=rescale
    )
    return source, relay


def _make_dendrite(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = Dendrite(
        name="node",
        bank=random_bank(rng, width, int(rng.integers(0, 4))),
        reversed_time=bool(rng.integers(2)),
        **_driven(rng, width),
    )
    return _source(rng, width, (2, 16)), node


def _make_ssm(rng: Random) -> tuple[Node, ...]:
    width, modes = _width(rng), int(rng.integers(0, 4))
    reverse = random_bank(rng, width, modes) if rng.integers(2) else None
    node = QuantizedSsm(
        name="node",
        forward=random_bank(rng, width, modes),
        reverse=reverse,
        **_driven(rng, width),
    )
    return _source(rng, width, (2, 16)), node


def _make_lif(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = LifSoma(
        name="node",
        inputs=(Edge("input"),),
        channels=width,
        threshold=int(rng.integers(0, 1 << int(rng.integers(1, 18)))),
        decay=int(rng.choice([0, 1, 100, 3584, 4095, rng.integers(4096)])),
    )
    return _source(rng, width, (2, 18)), node


def _make_chip_lif(rng: Random) -> tuple[Node, ...]:
    _, lif = _make_lif(rng)
    assert isinstance(lif, LifSoma)
    align = int(rng.integers(1, 5))
    drive = int(rng.integers(4, 16))
    decay = int(rng.integers(4, 14))
    node = ChipLif(
        name="node",
        inputs=lif.inputs,
        channels=lif.channels,
        threshold=int(rng.integers(0, 1 << (drive - 1))),
        decay=int(rng.integers(1 << decay)),
        registers=LifRegisters(decay, align, drive + align, drive - 1),
    )
    return _source(rng, lif.channels, (2, drive)), node


def _words(rng: Random, width: int, low: int, high: int) -> npt.NDArray[np.int32]:
    """Draw a word of each channel, or of all."""
    alike = bool(rng.integers(2))
    drawn = rng.integers(low, high, width, endpoint=True).astype(np.int32)
    return np.full_like(drawn, drawn[0]) if alike else drawn


def _make_chip_cuba(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    source = _source(rng, width, (2, 18))
    node = ChipCuba(
        name="node",
        inputs=(Edge("input"),),
        fade=_words(rng, width, 0, 4096),
        decay=_words(rng, width, 0, 4096),
        threshold=_words(rng, width, 0, 1 << int(rng.integers(4, 18))),
        bias=_words(rng, width, -2000, 2000) * int(rng.integers(2)),
        align=int(rng.integers(4, 9)),
    )
    return source, node


def _make_chip_alif(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    high = 1 << int(rng.integers(4, 16))
    node = ChipAlif(
        name="node",
        inputs=(Edge("input"),),
        fade=_words(rng, width, 0, 4096),
        decay=_words(rng, width, 0, 4096),
        threshold_decay=_words(rng, width, 0, 4096),
        refractory_decay=_words(rng, width, 0, 4096),
        threshold=_words(rng, width, 0, high),
        rise=_words(rng, width, 0, high),
        bias=_words(rng, width, -2000, 2000) * int(rng.integers(2)),
        align=int(rng.integers(4, 9)),
    )
    return _source(rng, width, (2, 18)), node


def _make_chip_resonator(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = ChipResonator(
        name="node",
        inputs=(Edge("input"), Edge("input")),
        sin=_words(rng, width, 0, 4095),
        cos=_words(rng, width, 0, 4095),
        threshold=_words(rng, width, 0, 1 << int(rng.integers(4, 16))),
        phase=bool(rng.integers(2)),
        align=int(rng.integers(4, 9)),
    )
    return _source(rng, width, (2, 18)), node


def _make_sigma_delta(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    bits = int(rng.integers(6, 24, endpoint=True))
    limit = fp.limit_of(bits)
    node = SigmaDelta(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        bias=(rng.integers(-limit, limit + 1, width) * int(rng.integers(2))).astype(np.int32),
        threshold=int(rng.integers(0, 1 << int(rng.integers(1, bits)))),
        scale=int(rng.integers(0, 7)),
        rectify=bool(rng.integers(2)),
        state_bits=bits,
    )
    return _source(rng, width), node


def _make_glu(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = QuantizedGlu(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        channels=width,
        sigmoid=random_sigmoid(rng, width),
    )
    return _source(rng, 2 * width), node


def _make_gate(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = Gate(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        channels=width,
        rescale=random_rescale(rng, 2 * width),
        value_bits=int(rng.integers(4, 25)),
        sigmoid=random_sigmoid(rng, width),
    )
    return _source(rng, 2 * width), node


def _make_norm(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    source = _source(rng, width)
    norm = None
    while norm is None:
        largest = np.full(width, float(source.output.limit))
        norm = random_norm(rng, source, largest, _output(rng, width))
    gain = random_rescale(rng, width)
    shift = np.minimum(gain.shift + fp.QUOTIENT_FRACTION - 8, 47).astype(np.int8)
    made = replace(norm, name="node", inputs=(Edge("input", norm.crossing),))
    return source, replace(made, rescale=replace(gain, shift=shift))


def _make_accumulator(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    reciprocal_bits = int(rng.integers(4, 25))
    node = Accumulator(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        channels=width,
        mode=rng.choice(["mean", "sum", "last", "first"]).item(),
        use_lengths=bool(rng.integers(2)),
        guard_bits=int(rng.integers(-6, min(reciprocal_bits - 2, 8) + 1)),
        headroom_bits=int(rng.integers(0, 9)),
        reciprocal_bits=reciprocal_bits,
    )
    return _source(rng, width), node


def _make_running_sum(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = RunningSum(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        channels=width,
        guard_bits=int(rng.integers(-8, 9)),
    )
    return _source(rng, width), node


def _soma(rng: Random, width: int) -> dict[str, Any]:
    """Give what leaky somas have in common: their decays' and states' widths."""
    decay_bits, state_bits = int(rng.integers(4, 17)), int(rng.integers(8, 25))
    return {
        "name": "node",
        "inputs": (Edge("input"),),
        "threshold": rng.integers(1, 1 << (state_bits - 2), width).astype(np.int32),
        "decay_bits": decay_bits,
        "state_bits": state_bits,
        "align": int(rng.integers(0, 7)),
    }


def _make_refractory(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    made = _soma(rng, width)
    node = RefractorySoma(
        **made,
        strength=rng.integers(0, 1 << (made["state_bits"] - 2), width).astype(np.int32),
        kept=int(rng.integers(0, 1 << (made["decay_bits"] - 1))),
        refractory_kept=int(rng.integers(0, 1 << (made["decay_bits"] - 1))),
    )
    return _source(rng, width, (2, 18)), node


def _make_ternary(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    made = _soma(rng, width)
    return _source(rng, width, (2, 18)), TernarySoma(
        **made, kept=int(rng.integers(0, 1 << (made["decay_bits"] - 1)))
    )


def _make_soft_reset(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    made = _soma(rng, width)
    kept = rng.integers(0, 1 << (made["decay_bits"] - 1), width).astype(np.int32)
    node = SoftResetSoma(**made, kept=kept, backwards=bool(rng.integers(2)))
    return _source(rng, width, (2, 18)), node


def _make_crossing(rng: Random) -> tuple[Node, ...]:
    width, bits = _width(rng), int(rng.integers(4, 25))
    size = (int(rng.integers(1, 6)), width)
    node = CrossingSoma(
        name="node",
        inputs=(Edge("input"),),
        base=rng.integers(-(1 << (bits - 3)), 1 << (bits - 3), width).astype(np.int32),
        rise=rng.integers(0, 1 << (bits - 3), size).astype(np.int32),
        level_bits=bits,
    )
    return _source(rng, width, (2, 18)), node


def _make_adaptive(rng: Random) -> tuple[Node, ...]:
    width, bits, state_bits = _width(rng), int(rng.integers(4, 17)), int(rng.integers(8, 25))
    largest, limit = 1 << (state_bits - 4), fp.limit_of(bits)

    def factor(name: str) -> dict[str, Any]:
        slowest = 47 if rng.integers(2) else bits
        return {
            name: rng.integers(0, limit + 1, width).astype(np.int32) * (name != kept_apart),
            f"{name}_shift": rng.integers(bits - 1, slowest, width, endpoint=True).astype(np.int8),
        }

    kept_apart = rng.choice(["pull", ""])  # then it may be proven that no word overflows

    node = AdaptationSoma(
        name="node",
        inputs=(Edge("input"),),
        **factor("fade"),
        **factor("pull"),
        **factor("leak"),
        rise=rng.integers(0, largest >> 4, width, endpoint=True).astype(np.int32),
        drop=rng.integers(0, largest >> 4, width, endpoint=True).astype(np.int32),
        threshold=rng.integers(1, largest, width).astype(np.int32),
        align=rng.integers(-4, 7, width).astype(np.int8),
        coefficient_bits=bits,
        state_bits=state_bits,
    )
    return _source(rng, width), node


def _make_resonator(rng: Random) -> tuple[Node, ...]:
    width, bits, state_bits = _width(rng), int(rng.integers(4, 17)), int(rng.integers(8, 25))
    largest, limit = 1 << (state_bits - 4), fp.limit_of(bits)
    radius = limit * rng.uniform(0.2, 1.0, width)
    angle = rng.uniform(0, 2 * np.pi, width)

    def factors(*shape: int) -> npt.NDArray[np.int32]:
        return rng.integers(-limit, limit + 1, (*shape, width)).astype(np.int32)

    pole = factors(int(rng.integers(1, 3)), 2)
    pole[0] = np.floor(radius * [np.cos(angle), np.sin(angle)])
    node = ResonatorSoma(
        name="node",
        inputs=(Edge("input"),),
        pole=pole,
        pole_shift=bits - 1,
        gain=factors(),
        gain_shift=rng.integers(bits - 4, bits + 12, width).astype(np.int8),
        reset_real=rng.integers(0, largest, width).astype(np.int32),
        reset_imag=rng.integers(-largest, largest, width).astype(np.int32),
        threshold=rng.integers(1, largest, width).astype(np.int32),
        coefficient_bits=bits,
        state_bits=state_bits,
    )
    return _source(rng, width), node


def _make_cuba(rng: Random) -> tuple[Node, ...]:
    width, bits, state_bits = _width(rng), int(rng.integers(4, 17)), int(rng.integers(8, 25))
    largest, limit = 1 << (state_bits - 4), fp.limit_of(bits)
    current = bool(rng.integers(2))

    def factor(name: str, low: int, first: int, last: int) -> dict[str, Any]:
        return {
            name: rng.integers(low, limit + 1, width).astype(np.int32),
            f"{name}_shift": rng.integers(first, last, width, endpoint=True).astype(np.int8),
        }

    node = CubaSoma(
        name="node",
        inputs=(Edge("input"),),
        **(factor("fade", 0, bits - 1, 47) if current else {"fade": None, "fade_shift": None}),
        **factor("leak", 0, bits - 1, 47),
        **factor("gain", -limit, bits - 4, bits + 8),
        align=rng.integers(0, 5, width).astype(np.int8),
        threshold=rng.integers(-largest >> 4, largest, width).astype(np.int32),
        reset=rng.integers(-largest, largest, width).astype(np.int32),
        resets_to=bool(rng.integers(2)),
        coefficient_bits=bits,
        state_bits=state_bits,
    )
    return _source(rng, width), node


def _make_drawn(rng: Random) -> tuple[Node, ...]:
    width, exponent = _width(rng), int(rng.integers(0, 25))
    source = Input(name="input", output=Format(int(rng.integers(2, 25)), exponent), channels=width)
    node = DrawnSoma(
        name="node",
        inputs=(Edge("input"),),
        draw=int(rng.integers(9)),
        first=rng.integers(1, 1 << 24, width).astype(np.int32),
        shift=np.full(width, 24 - exponent, np.int8),
    )
    return source, node


def _make_level(rng: Random) -> tuple[Node, ...]:
    width, bits = _width(rng), int(rng.integers(2, 25))
    limit = fp.limit_of(bits)
    node = LevelSoma(
        name="node",
        inputs=(Edge("input"),),
        level=rng.integers(-limit, limit + 1, width).astype(np.int32),
        level_bits=bits,
    )
    return _source(rng, width), node


def _make_sign(rng: Random) -> tuple[Node, ...]:
    source, soma = _make_level(rng)
    assert isinstance(soma, LevelSoma)
    level, bits = np.abs(soma.level), soma.level_bits
    return source, SignSoma(name="node", inputs=soma.inputs, level=level, level_bits=bits)


def _make_layer_sign(rng: Random) -> tuple[Node, ...]:
    width, bits = _width(rng), int(rng.integers(2, 17))
    node = LayerSign(
        name="node",
        inputs=(Edge("input", LayerSign.crossing),),
        channels=width,
        fraction=int(rng.integers(0, 1 << (bits - 1))),
        fraction_bits=bits,
        shift=int(rng.integers(0, bits + 3)),
    )
    return _source(rng, width), node


def _make_rectify(rng: Random) -> tuple[Node, ...]:
    source = _source(rng, _width(rng))
    align = rng.integers(-6, 7, source.width)
    aligned = tuple(int(e) for e in source.output.exponents(source.width) + align)
    output = Format(int(rng.integers(4, 25)), aligned)
    node = Rectify(name="node", inputs=(Edge("input"),), output=output, align=align.astype(np.int8))
    return source, node


def _make_self_gate(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    sigmoid = random_sigmoid(rng, width)
    node = SelfGate(
        name="node",
        inputs=(Edge("input"),),
        output=_output(rng, width),
        table=sigmoid.table,
        table_bits=sigmoid.table_bits,
        align=rng.integers(-12, 5, width).astype(np.int8),
        out_shift=sigmoid.out_shift,
    )
    return _source(rng, width), node


def _make_multiply(rng: Random) -> tuple[Node, ...]:
    width = _width(rng)
    node = Multiply(
        name="node",
        inputs=(Edge("input"), Edge("input")),
        output=_output(rng, width),
        shift=rng.integers(0, 30, width).astype(np.int8),
    )
    return _source(rng, width), node


def _make_silence(rng: Random) -> tuple[Node, ...]:
    source = _source(rng, _width(rng))
    inputs, output = (Edge("input"),), source.output
    return source, Silence(name="node", inputs=inputs, output=output, channels=source.width)


def _make_convolution(rng: Random) -> tuple[Node, ...]:
    return make_convolution(rng, random_rescale, _output)


def _make_part(rng: Random) -> tuple[Node, ...]:
    source = _source(rng, _width(rng))
    first = int(rng.integers(source.width))
    channels = int(rng.integers(1, source.width - first + 1))
    node = Part(
        name="node",
        inputs=(Edge("input"),),
        output=source.output,
        first=first,
        channels=channels,
        whole=source.width,
    )
    return source, node


MAKERS: dict[type[Node], Callable[[Random], tuple[Node, ...]]] = {
    Input: _make_input,
    EmbeddingTable: make_lookup,
    Positions: make_positions,
    Window: make_window,
    Synapses: _make_synapses,
    QuantizedLinear: _make_linear,
    SharedSynapses: make_shared,
    QuantizedConvolution: _make_convolution,
    Requantize: _make_relay,
    Dendrite: _make_dendrite,
    QuantizedSsm: _make_ssm,
    LifSoma: _make_lif,
    ChipLif: _make_chip_lif,
    ChipAlif: _make_chip_alif,
    ChipCuba: _make_chip_cuba,
    ChipResonator: _make_chip_resonator,
    RefractorySoma: _make_refractory,
    TernarySoma: _make_ternary,
    SoftResetSoma: _make_soft_reset,
    CrossingSoma: _make_crossing,
    LevelSoma: _make_level,
    DrawnSoma: _make_drawn,
    AdaptationSoma: _make_adaptive,
    SignSoma: _make_sign,
    SigmaDelta: _make_sigma_delta,
    LayerSign: _make_layer_sign,
    Rectify: _make_rectify,
    SelfGate: _make_self_gate,
    Multiply: _make_multiply,
    Silence: _make_silence,
    Part: _make_part,
    ResonatorSoma: _make_resonator,
    CubaSoma: _make_cuba,
    QuantizedGlu: _make_glu,
    Gate: _make_gate,
    Accumulator: _make_accumulator,
    Normalize: _make_norm,
    RunningSum: _make_running_sum,
}
