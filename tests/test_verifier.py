"""Every rule of the verifier: a network that breaks it is refused, by node and with the numbers."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_rules import HOST
from networks import INTEGER_KINDS, MAKERS, around, float_inputs, float_network
from shared_makers import SHARED_RULES
from soma_rules import SOMA_RULES

from snn_deploy.errors import NetworkError
from snn_deploy.ir import verifier
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes import base, rules, weighted
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.part import Part
from snn_deploy.nodes.pooling import RunningSum
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.pipeline import compile_network, run_passes
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.quantize.config import QuantizationConfig

WIDTH = 3
Break = Callable[[Network], Network]


@cache
def lowered() -> Network:
    source = float_network(width=WIDTH, layers=1, modes=2, reverse=True, norm=True)
    return compile_network(source, QuantizationConfig(), Calibration(float_inputs(source)))


@cache
def normed() -> Network:
    source = float_network(width=WIDTH, layers=1, modes=2, norm="layer")
    return compile_network(source, QuantizationConfig(), Calibration(float_inputs(source)))


@cache
def integer() -> Network:
    source = FoldThresholds()(float_network(width=WIDTH, layers=1, modes=2, reverse=True))
    quantize = Quantize(QuantizationConfig(), Calibration(float_inputs(source)))
    return run_passes(source, [quantize])


def changed(network: Network, name: str, **fields: Any) -> Network:
    """Change fields of one node; ``rescale__shift`` is the field ``shift`` of its ``rescale``."""
    node: Any = network[name]
    for path, value in fields.items():
        part, _, inner = path.partition("__")
        made = replace(getattr(node, part), **{inner: value}) if inner else value
        node = replace(node, **{part: made})
    return network.rewrite({name: (node,)})


def at_least(value: Any, position: Any, new: int) -> Any:
    """A copy of an array with one entry changed."""
    copy = value.copy()
    copy[position] = new
    return copy


def of(network: Network, name: str) -> Any:
    return network[name]


# --- what holds is let through


def test_compiled_networks_are_legal() -> None:
    verify_network(lowered())
    verify_network(integer())
    verify_network(float_network())


@pytest.mark.parametrize("stage", ["integer", "lowered"])
def test_every_legal_kind_is_known_everywhere(stage: Any) -> None:
    """A step or a run of its own, and a maker for the tests."""
    for kind in legal_kinds(stage).values():
        assert hasattr(kind, "run") or kind.step is not IntegerNode.step
        assert kind in MAKERS


@pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)
def test_random_nodes_are_legal(kind: type[Node]) -> None:
    for seed in range(30):
        verify_network(around(kind, np.random.default_rng(seed)))


# --- what is broken is refused

STRUCTURE: dict[str, tuple[Callable[[], Network], str]] = {
    "nothing": (
        lambda: Network("lowered", ()),
        "a network of stage 'lowered' has no nodes",
    ),
    "illegal node": (
        lambda: replace(integer(), stage="lowered"),
        "node 'encoder' (QuantizedLinear): not legal in stage 'lowered' (Accumulator, ",
    ),
    "integer node in a float network": (
        lambda: replace(lowered(), stage="float"),
        "node 'input' (Input): not legal in stage 'float' (",
    ),
    "two of one name": (
        lambda: replace(lowered(), nodes=(*lowered().nodes, lowered().nodes[-1])),
        "node 'decoder' (Requantize): another node has the same name",
    ),
    "a source that comes later": (
        lambda: changed(lowered(), "encoder", inputs=(Edge("decoder"),)),
        "node 'encoder' (Requantize): reads 'decoder', which is not before it",
    ),
    "a source that is not there": (
        lambda: changed(lowered(), "encoder", inputs=(Edge("nowhere"),)),
        "node 'encoder' (Requantize): reads 'nowhere', which is not before it",
    ),
    "a node that reads itself": (
        lambda: changed(lowered(), "encoder", inputs=(Edge("encoder"),)),
        "node 'encoder' (Requantize): reads 'encoder', which is not before it",
    ),
    "a negative delay": (
        lambda: changed(lowered(), "encoder", inputs=(Edge("encoder.synapses", -1),)),
        "node 'encoder' (Requantize): the path from 'encoder.synapses' has a negative delay",
    ),
    "no input": (
        lambda: changed(lowered(), "encoder", inputs=()),
        "node 'encoder' (Requantize): has no input",
    ),
    "an input that reads": (
        lambda: replace(
            lowered(),
            nodes=(
                lowered().input,
                Input(name="more", inputs=(Edge("input"),), output=Format(8, 0), channels=1),
                *lowered().nodes[1:],
            ),
        ),
        "node 'more' (Input): reads another node",
    ),
    "a second input": (
        lambda: replace(
            lowered(),
            nodes=(
                *lowered().nodes,
                Input(name="more", output=Format(8, 0), channels=1),
            ),
        ),
        "node 'more' (Input): comes after 'input' and others: inputs come first",
    ),
    "two sources of a soma": (
        lambda: changed(
            lowered(), "layers.0.lif", inputs=(Edge("layers.0.ssm"), Edge("layers.0.ssm"))
        ),
        "node 'layers.0.lif' (LifSoma): takes one input, not 2",
    ),
    "widths that do not fit": (
        lambda: changed(lowered(), "encoder", channels=5, output=Format(16, 0)),
        "node 'encoder' (Requantize): takes 5 channels, but 'encoder.synapses' gives 3",
    ),
    "half of what a gate takes": (
        lambda: changed(lowered(), "layers.0.glu", inputs=(Edge("layers.0.lif"),)),
        "node 'layers.0.glu' (Gate): takes 6 channels, but 'layers.0.lif' gives 3",
    ),
}

FORMATS: dict[str, tuple[Callable[[], Network], str]] = {
    "no channels": (
        lambda: changed(lowered(), "input", channels=0, output=Format(16, 0)),
        "node 'input' (Input): has 0 channels",
    ),
    "an exponent too few": (
        lambda: changed(lowered(), "encoder", output=Format(16, (1, 2))),
        "node 'encoder' (Requantize): 2 exponents for 3 channels",
    ),
    "an exponent beyond a float": (
        lambda: changed(lowered(), "encoder", output=Format(16, 1001)),
        "node 'encoder' (Requantize): an exponent is outside ±1000",
    ),
    "an unsigned sum": (
        lambda: changed(lowered(), "encoder", output=Format(16, 0, signed=False)),
        "node 'encoder' (Requantize): its output must be signed",
    ),
    "a soma that sends more than spikes": (
        lambda: changed(lowered(), "layers.0.lif", output=Format(8, 0)),
        "node 'layers.0.lif' (LifSoma): its output must be spikes, u1e0",
    ),
    "an unsigned input": (
        lambda: changed(lowered(), "input", output=Format(8, 0, signed=False)),
        "node 'input' (Input): 'encoder.synapses' reads it, so its output must be signed, or",
    ),
}

SYNAPSES: dict[str, tuple[Callable[[], Network], str]] = {
    "weights of one dimension": (
        lambda: changed(lowered(), "encoder.synapses", weight=np.ones(3, np.int8)),
        "node 'encoder.synapses' (Synapses): weight has 1 dimensions, not 2",
    ),
    "a weight beyond its bits": (
        lambda: changed(lowered(), "encoder.synapses", weight_bits=4),
        "node 'encoder.synapses' (Synapses): a weight exceeds 4 bits",
    ),
    "the asymmetric end": (
        lambda: changed(
            lowered(), "encoder.synapses", weight=np.array([[1], [2], [-128]], np.int8)
        ),
        "node 'encoder.synapses' (Synapses): a weight exceeds 8 bits",
    ),
    "too many bits": (
        lambda: changed(lowered(), "encoder.synapses", weight_bits=9),
        "node 'encoder.synapses' (Synapses): weight_bits 9 is outside 2 … 8",
    ),
    "a sum that overflows": (
        lambda: changed(lowered(), "encoder.synapses", output=Format(20, 0)),
        "(Synapses): a sum can reach 4128642, over its accumulator's 524287",
    ),
    "a linear layer's sum that overflows": (
        lambda: changed(integer(), "encoder", sum_bits=20),
        "node 'encoder' (QuantizedLinear): a sum can reach 4128642, over its accumulator's 524287",
    ),
    "a linear layer without accumulators": (
        lambda: changed(integer(), "encoder", sum_bits=1),
        "node 'encoder' (QuantizedLinear): sum_bits 1 is outside 2 … 48",
    ),
}

RELAYS: dict[str, tuple[Callable[[], Network], str]] = {
    "too few gains": (
        lambda: changed(lowered(), "encoder", rescale__mantissa=np.ones(2, np.int32)),
        "node 'encoder' (Requantize): mantissa has shape (2,), not (3,)",
    ),
    "too few shifts": (
        lambda: changed(lowered(), "encoder", rescale__shift=np.ones((3, 1), np.int8)),
        "node 'encoder' (Requantize): shift has shape (3, 1), not (3,)",
    ),
    "too many offsets": (
        lambda: changed(lowered(), "encoder", rescale__bias=np.ones(4, np.int32)),
        "node 'encoder' (Requantize): bias has shape (4,), not (3,)",
    ),
    "a gain beyond its bits": (
        lambda: changed(lowered(), "encoder", rescale__bits=8),
        "node 'encoder' (Requantize): a gain exceeds 8 bits",
    ),
    "a gain wider than what holds it": (
        lambda: changed(lowered(), "encoder", rescale__bits=33),
        "node 'encoder' (Requantize): bits 33 is outside 2 … 32",
    ),
    "a negative shift": (
        lambda: changed(lowered(), "encoder", rescale__shift=np.array([1, 2, -1], np.int8)),
        "node 'encoder' (Requantize): shift is outside 0 … 47",
    ),
    "a shift that empties any word": (
        lambda: changed(lowered(), "encoder", rescale__shift=np.array([1, 48, 2], np.int8)),
        "node 'encoder' (Requantize): shift is outside 0 … 47",
    ),
    "different exponents": (
        lambda: changed(lowered(), "layers.0.residual", align=None, output=Format(16, 30)),
        "node 'layers.0.residual' (Requantize): adds signals of different exponents",
    ),
    "shifts that bring exponents elsewhere": (
        lambda: changed(
            lowered(), "layers.0.residual", align=np.array([[1] * 3, [5] * 3], np.int8)
        ),
        "node 'layers.0.residual' (Requantize): adds signals of different exponents",
    ),
    "shifts of one source only": (
        lambda: changed(lowered(), "layers.0.residual", align=np.zeros((1, 3), np.int8)),
        "node 'layers.0.residual' (Requantize): align has shape (1, 3), not (2, 3)",
    ),
    "a shift far to the left": (
        lambda: changed(lowered(), "layers.0.residual", align=np.full((2, 3), 25, np.int8)),
        "node 'layers.0.residual' (Requantize): align is outside -47 … 24",
    ),
    "a product beyond 64 bits": (
        lambda: changed(
            lowered(),
            "encoder",
            rescale__mantissa=np.full(3, 2**31 - 1, np.int32),
            rescale__bits=32,
            inputs=(Edge("wide"),),
        ).rewrite(
            {
                "encoder.synapses": (
                    of(lowered(), "encoder.synapses"),
                    Requantize(
                        name="wide",
                        inputs=(Edge("encoder.synapses"),),
                        output=Format(40, -15),
                        channels=3,
                        rescale=Rescale(
                            np.full(3, 2**17, np.int32),
                            np.zeros(3, np.int8),
                            np.zeros(3, np.int32),
                            19,
                        ),
                    ),
                )
            }
        ),
        "node 'encoder' (Requantize): a product can reach ",
    ),
}

DENDRITE = "layers.0.ssm.forward"


def bank(field: str) -> Any:
    return getattr(of(lowered(), DENDRITE).bank, field)


DENDRITES: dict[str, tuple[Callable[[], Network], str]] = {
    "modes of another shape": (
        lambda: changed(lowered(), DENDRITE, bank__readout_imag=np.zeros((3, 1), np.int32)),
        f"node '{DENDRITE}' (Dendrite): readout_imag has shape (3, 1), not (3, 2)",
    ),
    "decays of one dimension": (
        lambda: changed(lowered(), DENDRITE, bank__decay_real=np.zeros(3, np.int32)),
        f"node '{DENDRITE}' (Dendrite): decay_real is no matrix, channels × modes",
    ),
    "decays of other channels": (
        lambda: changed(lowered(), DENDRITE, bank__decay_real=np.zeros((4, 2), np.int32)),
        f"node '{DENDRITE}' (Dendrite): decay_real has shape (4, 2), not (3, 2)",
    ),
    "input shifts of another shape": (
        lambda: changed(lowered(), DENDRITE, bank__input_shift=np.zeros(2, np.int8)),
        f"node '{DENDRITE}' (Dendrite): input_shift has shape (2,), not (3, 2)",
    ),
    "an input shift too far": (
        lambda: changed(lowered(), DENDRITE, bank__input_shift=np.full((3, 2), 25, np.int8)),
        f"node '{DENDRITE}' (Dendrite): input_shift is outside -24 … 24",
    ),
    "readout shifts of another shape": (
        lambda: changed(lowered(), DENDRITE, bank__readout_shift=np.zeros((2, 3), np.int8)),
        f"node '{DENDRITE}' (Dendrite): readout_shift has shape (2, 3), not (3, 2)",
    ),
    "a negative readout shift": (
        lambda: changed(lowered(), DENDRITE, bank__readout_shift=np.full((3, 2), -1, np.int8)),
        f"node '{DENDRITE}' (Dendrite): readout_shift is outside 0 … 47",
    ),
    "a coefficient beyond its bits": (
        lambda: changed(lowered(), DENDRITE, bank__readout_real=np.full((3, 2), 2**15, np.int32)),
        f"node '{DENDRITE}' (Dendrite): readout_real exceeds 16 bits",
    ),
    "coefficients wider than what holds them": (
        lambda: changed(lowered(), DENDRITE, bank__coefficient_bits=40),
        f"node '{DENDRITE}' (Dendrite): coefficient_bits 40 is outside 2 … 32",
    ),
    "no state": (
        lambda: changed(lowered(), DENDRITE, bank__state_bits=0),
        f"node '{DENDRITE}' (Dendrite): state_bits 0 is outside 2 … 48",
    ),
    "states times coefficients": (
        lambda: changed(lowered(), DENDRITE, bank__state_bits=48),
        f"node '{DENDRITE}' (Dendrite): compartments times coefficients: 48 + 16 bits, over 63",
    ),
    "a negative decay shift": (
        lambda: changed(lowered(), DENDRITE, bank__decay_shift=-1),
        f"node '{DENDRITE}' (Dendrite): decay_shift -1 is outside 0 … 47",
    ),
    "a decay on the unit circle": (
        lambda: changed(
            lowered(),
            DENDRITE,
            bank__decay_shift=14,
            bank__decay_real=at_least(bank("decay_real"), (1, 1), 2**14),
            bank__decay_imag=at_least(bank("decay_imag"), (1, 1), 0),
        ),
        f"node '{DENDRITE}' (Dendrite): a decay is not inside the unit circle",
    ),
    "skip shifts of another shape": (
        lambda: changed(lowered(), DENDRITE, skip_shift=np.zeros(1, np.int8)),
        f"node '{DENDRITE}' (Dendrite): skip_shift has shape (1,), not (3,)",
    ),
    "a skip of two dimensions": (
        lambda: changed(lowered(), DENDRITE, skip_mantissa=np.zeros((3, 1), np.int32)),
        f"node '{DENDRITE}' (Dendrite): skip_mantissa has 2 dimensions, not 1",
    ),
    "a skip shift too far": (
        lambda: changed(lowered(), DENDRITE, skip_shift=np.full(3, 48, np.int8)),
        f"node '{DENDRITE}' (Dendrite): skip_shift is outside 0 … 47",
    ),
    "a negative drive shift": (
        lambda: changed(lowered(), DENDRITE, drive_shift=-3),
        f"node '{DENDRITE}' (Dendrite): drive_shift -3 is outside 0 … 47",
    ),
    "accumulators that are too wide": (
        lambda: changed(lowered(), DENDRITE, sum_bits=49),
        f"node '{DENDRITE}' (Dendrite): sum_bits 49 is outside 2 … 48",
    ),
    "a sum that overflows": (
        lambda: changed(lowered(), DENDRITE, sum_bits=12),
        f"node '{DENDRITE}' (Dendrite): a sum can reach ",
    ),
    "the other half": (
        lambda: changed(
            integer(), "layers.0.ssm", reverse__readout_real=np.zeros((1, 2), np.int32)
        ),
        "node 'layers.0.ssm' (QuantizedSsm): readout_real has shape (1, 2), not (3, 2)",
    ),
    "inputs that leave no room to shift": (
        lambda: changed(
            lowered(),
            "layers.0.norm",
            output=replace(of(lowered(), "layers.0.norm").output, bits=40),
        ),
        f"node '{DENDRITE}' (Dendrite): inputs shifted by up to 24: 40 + 24 bits, over 63",
    ),
}

SOMAS_AND_GATES: dict[str, tuple[Callable[[], Network], str]] = {
    "a drive beyond 18 bits": (
        lambda: changed(lowered(), "layers.0.ssm", output=Format(19, 12)),
        "node 'layers.0.lif' (LifSoma): a drive of 19 bits, over 18",
    ),
    "a threshold beyond 17 bits": (
        lambda: changed(lowered(), "layers.0.lif", threshold=1 << 17),
        "node 'layers.0.lif' (LifSoma): threshold 131072 exceeds 17 bits",
    ),
    "a negative threshold": (
        lambda: changed(lowered(), "layers.0.lif", threshold=-1),
        "node 'layers.0.lif' (LifSoma): threshold -1 exceeds 17 bits",
    ),
    "a decay beyond 12 bits": (
        lambda: changed(lowered(), "layers.0.lif", decay=4096),
        "node 'layers.0.lif' (LifSoma): decay 4096 is outside 0 … 4095",
    ),
    "a table of no power of two": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__table=np.zeros(1000, np.int32)),
        "node 'layers.0.glu' (Gate): table of 1000 rows: no power of two",
    ),
    "a table of one row": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__table=np.zeros(1, np.int32)),
        "node 'layers.0.glu' (Gate): table of 1 rows: no power of two",
    ),
    "a table of two dimensions": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__table=np.zeros((4, 4), np.int32)),
        "node 'layers.0.glu' (Gate): table has shape (4, 4), not (16,)",
    ),
    "a table value beyond its bits": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__table_bits=15),
        "node 'layers.0.glu' (Gate): a table value exceeds table_bits",
    ),
    "table_bits beyond what holds them": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__table_bits=33),
        "node 'layers.0.glu' (Gate): table_bits 33 is outside 2 … 32",
    ),
    "too few shifts after the table": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__out_shift=np.zeros(2, np.int8)),
        "node 'layers.0.glu' (Gate): out_shift has shape (2,), not (3,)",
    ),
    "a shift after the table too far": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__out_shift=np.full(3, 48, np.int8)),
        "node 'layers.0.glu' (Gate): out_shift is outside 0 … 47",
    ),
    "a negative index shift": (
        lambda: changed(lowered(), "layers.0.glu", sigmoid__index_shift=-1),
        "node 'layers.0.glu' (Gate): index_shift -1 is outside 0 … 47",
    ),
    "gains of one half only": (
        lambda: changed(lowered(), "layers.0.glu", rescale__mantissa=np.ones(3, np.int32)),
        "node 'layers.0.glu' (Gate): mantissa has shape (3,), not (6,)",
    ),
    "values without bits": (
        lambda: changed(lowered(), "layers.0.glu", value_bits=1),
        "node 'layers.0.glu' (Gate): value_bits 1 is outside 2 … 48",
    ),
    "the integer stage's table": (
        lambda: changed(integer(), "layers.0.glu", sigmoid__index_shift=48),
        "node 'layers.0.glu' (QuantizedGlu): index_shift 48 is outside 0 … 47",
    ),
}

POOLS: dict[str, tuple[Callable[[], Network], str]] = {
    "negative headroom": (
        lambda: changed(lowered(), "decoder.pool", headroom_bits=-1),
        "node 'decoder.pool' (Accumulator): headroom_bits -1 is outside 0 … 24",
    ),
    "more fractional bits than the reciprocal has": (
        lambda: changed(lowered(), "decoder.pool", guard_bits=15),
        "node 'decoder.pool' (Accumulator): guard_bits 15 is outside -24 … 14",
    ),
    "a reciprocal without bits": (
        lambda: changed(lowered(), "decoder.pool", reciprocal_bits=1),
        "node 'decoder.pool' (Accumulator): reciprocal_bits 1 is outside 2 … 32",
    ),
    "a sum shifted too far": (
        lambda: changed(lowered(), "decoder.pool", mode="sum", guard_bits=15),
        "node 'decoder.pool' (Accumulator): guard_bits 15 is outside -24 … 14",
    ),
    "messages that fill the sum": (
        lambda: changed(
            lowered(),
            "layers.0.residual",
            output=replace(of(lowered(), "layers.0.residual").output, bits=25),
        ),
        "node 'decoder.pool' (Accumulator): pools 25 bits, over 24",
    ),
    "a sum times its reciprocal": (
        lambda: changed(lowered(), "decoder.pool", headroom_bits=24, reciprocal_bits=32),
        "node 'decoder.pool' (Accumulator): a mean's sum times its reciprocal: 20 + 24 + 32 bits, ",
    ),
}

NORM = "layers.0.norm"


def norm_of_loud_channels() -> Network:
    """Each input fits the state, but not its distance from the mean."""
    source = Input(name="input", output=Format(16, 0), channels=WIDTH)
    norm = replace(of(normed(), NORM), inputs=(Edge("input", 6),), align=np.full(WIDTH, 8, np.int8))
    return Network("lowered", (source, norm), "all")


NORMS: dict[str, tuple[Callable[[], Network], str]] = {
    "inputs of different exponents": (
        lambda: changed(normed(), NORM, align=at_least(of(normed(), NORM).align, 0, 1)),
        "node 'layers.0.norm' (Normalize): align brings its channels to exponents ",
    ),
    "shifts of another shape": (
        lambda: changed(normed(), NORM, align=np.zeros(2, np.int8)),
        "node 'layers.0.norm' (Normalize): align has shape (2,), not (3,)",
    ),
    "gains of another shape": (
        lambda: changed(normed(), NORM, rescale__shift=np.zeros(2, np.int8)),
        "node 'layers.0.norm' (Normalize): shift has shape (2,), not (3,)",
    ),
    "states wider than messages": (
        lambda: changed(normed(), NORM, state_bits=25),
        "node 'layers.0.norm' (Normalize): state_bits 25 is outside 2 … 24",
    ),
    "a reciprocal without bits": (
        lambda: changed(normed(), NORM, reciprocal_bits=1),
        "node 'layers.0.norm' (Normalize): reciprocal_bits 1 is outside 2 … 24",
    ),
    "squares shifted too far": (
        lambda: changed(normed(), NORM, square_shift=48),
        "node 'layers.0.norm' (Normalize): square_shift 48 is outside 0 … 46",
    ),
    "an odd shift of the squares": (
        lambda: changed(normed(), NORM, square_shift=3),
        "node 'layers.0.norm' (Normalize): square_shift 3 is odd",
    ),
    "no epsilon": (
        lambda: changed(normed(), NORM, epsilon=0),
        "node 'layers.0.norm' (Normalize): epsilon 0 is below 1",
    ),
    "inputs that do not fit": (
        lambda: changed(normed(), NORM, align=of(normed(), NORM).align + np.int8(3)),
        "node 'layers.0.norm' (Normalize): an aligned input can reach ",
    ),
    "inputs that do not fit around their mean": (
        norm_of_loud_channels,
        "node 'layers.0.norm' (Normalize): a centred input can reach ",
    ),
    "sums over channels that do not fit": (
        lambda: changed(normed(), NORM, epsilon=2**47),
        "node 'layers.0.norm' (Normalize): a sum over channels can reach ",
    ),
    "a norm crossed too fast": (
        lambda: changed(normed(), NORM, inputs=(Edge("encoder", 5),)),
        "node 'layers.0.norm' (Normalize): its input takes 5 steps, but crossing it takes 6",
    ),
}


def summing(**values: Any) -> Network:
    """The lowered network, that adds up its stream step by step and gives all sums."""
    network = changed(lowered(), "layers.0.residual", **values)
    stream: Any = network["layers.0.residual"]
    members = network.nodes[: network.names.index("decoder.pool")]
    running = RunningSum(
        name="sum", inputs=(Edge(stream.name),), output=stream.output, channels=WIDTH, guard_bits=0
    )
    return replace(network.answering(steps="all"), nodes=(*members, running))


RUNNING_SUMS: dict[str, tuple[Callable[[], Network], str]] = {
    "a sum shifted too far": (
        lambda: changed(summing(), "sum", guard_bits=15),
        "node 'sum' (RunningSum): guard_bits 15 is outside -24 … 14",
    ),
    "messages that fill the sum": (
        lambda: summing(output=replace(of(lowered(), "layers.0.residual").output, bits=25)),
        "node 'sum' (RunningSum): adds up 25 bits, over 24",
    ),
}


def looped(network: Network) -> Network:
    """Put in a node that adds the first layer's output of an earlier step to the encoder's."""
    encoder, late = network["encoder"], of(network, "layers.0.residual")
    zero = np.zeros((2, encoder.width), np.int8)
    ahead = Requantize(
        name="ahead",
        inputs=(Edge("encoder"), Edge(late.name, 0, 2)),
        output=late.output,
        channels=encoder.width,
        align=zero + np.stack([late.output.exponents(3) - encoder.output.exponents(3), zero[1]]),
    )
    made = network.rewrite({"encoder": (encoder, ahead)})
    reads = {name: tuple(Edge("ahead") for _ in network[name].inputs) for name in network.names}
    ssm = [n.name for n in made if n.kind in ("Dendrite", "QuantizedSsm")]
    for name in ssm:
        made = changed(made, name, inputs=reads[name])
    return made


TIMING: dict[str, tuple[Callable[[], Network], str]] = {
    "paths of different length": (
        lambda: changed(
            lowered(), "layers.0.residual", inputs=(Edge("encoder"), Edge("layers.0.glu"))
        ),
        "its inputs arrive at different steps: encoder after 1, layers.0.glu after 2",
    ),
    "one source at two times": (
        lambda: changed(
            lowered(),
            "layers.0.residual",
            inputs=(Edge("encoder", 0), Edge("encoder", 1)),
            align=None,
            output=of(lowered(), "encoder").output,
        ),
        "its inputs arrive at different steps: encoder after 1, encoder after 2",
    ),
    "a step to come": (
        lambda: changed(lowered(), "layers.0.lif", inputs=(Edge("layers.0.ssm", 0, -1),)),
        "node 'layers.0.lif' (LifSoma): reads 'layers.0.ssm' of a step to come",
    ),
    "nothing but later nodes": (
        lambda: changed(lowered(), "layers.0.lif", inputs=(Edge("layers.0.glu", 0, 1),)),
        "node 'layers.0.lif' (LifSoma): reads nothing but nodes after it; put it behind what it",
    ),
    "backwards in a loop": (
        lambda: looped(lowered()),
        "node 'layers.0.ssm.reverse' (Dendrite): runs backwards in time, so it cannot be in a loop",
    ),
    "backwards, and a step before": (
        lambda: changed(lowered(), "layers.0.ssm.reverse", inputs=(Edge("encoder", 1, 1),)),
        "(Dendrite): runs backwards in time, so it cannot read 'encoder' of a step before",
    ),
    "before the first step": (
        lambda: changed(lowered(), "encoder.synapses", inputs=(Edge("input", 1, 3),)),
        "(Synapses): reads 'input' of 3 steps before, 2 too early: delay that edge by as many",
    ),
    "both directions in a loop": (
        lambda: looped(integer()),
        "node 'layers.0.ssm' (QuantizedSsm): has no step of its own, to be in a loop",
    ),
    "nobody's past": (
        lambda: changed(
            lowered(), "layers.0.lif", inputs=(Edge("layers.0.ssm"), Edge("nobody", 0, 1))
        ),
        "node 'layers.0.lif' (LifSoma): reads 'nobody': no node",
    ),
    "synapses crossed in no time": (
        lambda: changed(lowered(), "encoder.synapses", inputs=(Edge("input"),)),
        "node 'encoder.synapses' (Synapses): its input takes 0 steps, but crossing it takes 1",
    ),
}


def a_part(**fields: Any) -> Network:
    """The second and third of three channels, with fields changed."""
    output = Format(8, 3)
    source = Input(name="input", output=output, channels=3)
    told: dict[str, Any] = {"output": output, "first": 1, "channels": 2, "whole": 3, **fields}
    return Network("lowered", (source, Part(name="node", inputs=(Edge("input"),), **told)), "all")


PARTS: dict[str, tuple[Callable[[], Network], str]] = {
    "beyond": (
        lambda: a_part(channels=3),
        "node 'node' (Part): channels 1 … 3 of a signal that has 3",
    ),
    "of another": (lambda: a_part(whole=4), "takes 4 channels, but 'input' gives 3"),
    "too wide": (lambda: a_part(output=Format(7, 3)), "node 'node' (Part): s8e3 does not fit s7e3"),
    "without a sign": (lambda: a_part(output=Format(9, 3, signed=False)), "s8e3 does not fit u9e3"),
    "another exponent": (
        lambda: a_part(output=Format(8, 2)),
        "node 'node' (Part): adds signals of different exponents",
    ),
}

RULES = {
    **{f"structure: {name}": rule for name, rule in STRUCTURE.items()},
    **{f"formats: {name}": rule for name, rule in FORMATS.items()},
    **{f"synapses: {name}": rule for name, rule in SYNAPSES.items()},
    **{f"relays: {name}": rule for name, rule in RELAYS.items()},
    **{f"dendrites: {name}": rule for name, rule in DENDRITES.items()},
    **{f"somas and gates: {name}": rule for name, rule in SOMAS_AND_GATES.items()},
    **SOMA_RULES,
    **SHARED_RULES,
    **{f"pools: {name}": rule for name, rule in POOLS.items()},
    **{f"host: {name}": rule for name, rule in HOST.items()},
    **{f"norms: {name}": rule for name, rule in NORMS.items()},
    **{f"running sums: {name}": rule for name, rule in RUNNING_SUMS.items()},
    **{f"timing: {name}": rule for name, rule in TIMING.items()},
    **{f"parts: {name}": rule for name, rule in PARTS.items()},
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_broken_rule_is_told(rule: tuple[Callable[[], Network], str]) -> None:
    broken, told = rule
    with pytest.raises(NetworkError, match=re.escape(told)):
        verify_network(broken())


def requirements() -> dict[tuple[Path, int], str]:
    """Give every place that requires something, by file and each of its lines."""
    places: dict[tuple[Path, int], str] = {}
    kinds = {inspect.getmodule(kind) for kind in legal_kinds("integer").values()}
    for module in (verifier, rules, base, weighted, *kinds):
        for function in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(function, ast.FunctionDef) and not _requires(function.name):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and _requires(ast.unparse(call.func)):
                        for line in range(call.lineno, (call.end_lineno or call.lineno) + 1):
                            places[Path(str(module.__file__)), line] = ast.unparse(call)
    return places


def _requires(name: str) -> bool:
    return name.lstrip("_").startswith("require")


def test_every_rule_is_broken_by_a_test() -> None:
    """A rule added to the verifier without a line in the tables above fails here."""
    places = requirements()
    unbroken = set(places.values())
    assert len(unbroken) > 40
    for broken, _ in RULES.values():
        with pytest.raises(NetworkError) as caught:
            verify_network(broken())
        for frame in caught.traceback:
            unbroken.discard(places.get((Path(frame.path), frame.lineno + 1), ""))
    assert not unbroken


def test_spikes_may_enter_a_network() -> None:
    source = Input(name="input", output=SPIKE, channels=2)
    verify_network(Network("lowered", (source,), "all"))
