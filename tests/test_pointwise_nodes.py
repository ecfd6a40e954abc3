"""Neurons without memory: their programs, and their integers against the float nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import listing
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.multiply import Multiply
from snn_deploy.nodes.padding_mask import PaddingMask
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.rectify import Rectify
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.self_gate import SelfGate
from snn_deploy.nodes.sign_soma import SignSoma
from snn_deploy.nodes.silence import Silence
from snn_deploy.nodes.silu import Silu
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

WIDTH = 3
SHIFTS = np.array([1, 2, 3], np.int8)
LEVELS = np.array([1000, 2000, 3000], np.int32)
NAMED: dict[str, Any] = {"name": "node", "output": Format(16, 0)}

PROGRAMS: dict[str, tuple[IntegerNode, str]] = {
    "sign": (
        SignSoma(name="node", level=LEVELS, level_bits=18),
        """\
t0 = subtract(level, 1)
t1 = greater(x0, t0)
t2 = negate(x0)
t3 = subtract(level, 1)
t4 = greater(t2, t3)
t5 = subtract(t1, t4)
send t5
""",
    ),
    "layer sign": (
        LayerSign(name="node", channels=WIDTH, fraction=19661, fraction_bits=16, shift=17),
        """\
t0 = greater(x0, 0)
t1 = negate(x0)
t2 = select(t0, x0, t1)
t3 = largest_channel(t2)
t4 = multiply_shift(t3, fraction, shift)
t5 = subtract(t4, 1)
t6 = greater(x0, t5)
t7 = negate(x0)
t8 = subtract(t4, 1)
t9 = greater(t7, t8)
t10 = subtract(t6, t9)
send t10
""",
    ),
    "rectify": (
        Rectify(**NAMED, align=SHIFTS),
        """\
t0 = greater(x0, 0)
t1 = select(t0, x0, 0)
t2 = signed_shift(t1, align)
output = saturate(t2, s16)
send output
""",
    ),
    "self gate": (
        SelfGate(
            **NAMED,
            table=np.arange(8, dtype=np.int32),
            table_bits=8,
            align=SHIFTS,
            out_shift=SHIFTS,
        ),
        """\
t0 = signed_shift(x0, align)
t1 = add(t0, 4)
t2 = clip(t1, 0, 7)
t3 = lookup(table, t2)
t4 = multiply_shift(x0, t3, out_shift)
output = saturate(t4, s16)
send output
""",
    ),
    "multiply": (
        Multiply(**NAMED, shift=SHIFTS),
        """\
t0 = multiply_shift(x0, x1, shift)
output = saturate(t0, s16)
send output
""",
    ),
    "silence": (
        Silence(**NAMED, channels=WIDTH),
        """\
t0 = select(valid, x0, 0)
send t0
""",
    ),
}


@pytest.mark.parametrize("case", PROGRAMS.values(), ids=PROGRAMS)
def test_their_programs_can_be_read(case: tuple[IntegerNode, str]) -> None:
    node, text = case
    assert listing(node.program) == text


ONE: dict[str, Any] = {"name": "node", "inputs": (Edge("wide"),), "channels": WIDTH}
NODES: dict[str, tuple[FloatNode, float]] = {
    "relu": (Relu(**ONE), 1e-5),
    "gelu": (Gelu(**ONE), 1e-3),
    "silu": (Silu(**ONE), 4e-3),  # at the table's end
    "product": (Product(**ONE | {"inputs": (Edge("wide"), Edge("other"))}), 2e-2),
    "mask": (PaddingMask(**ONE), 1e-5),
    "ternary": (Ternary(**ONE, fraction=0.15, maximum=7.0), 0.0),
}
"""Each with its greatest error, of numbers up to 30 or 300."""


def _around(node: FloatNode) -> Network:
    """Put a node behind signals of very different ranges."""
    return Network(
        "float",
        (
            FloatInput(name="input", channels=WIDTH),
            Affine(
                name="wide",
                inputs=(Edge("input"),),
                scale=np.array([0.1, 3.0, 10.0]),
                shift=np.array([0.0, 0.5, -1.0]),
            ),
            Linear(name="other", inputs=(Edge("input"),), weight=3.0 * np.eye(3), bias=np.zeros(3)),
            node,
            Readout(
                name="decoder",
                inputs=(Edge("node"),),
                mode="mean",
                weight=np.eye(WIDTH),
                bias=np.zeros(WIDTH),
                use_lengths=True,
            ),
        ),
        "one",
    )


@pytest.mark.parametrize("case", NODES.values(), ids=NODES)
def test_integers_are_near_the_float_node(case: tuple[FloatNode, float]) -> None:
    node, tolerance = case
    network = _around(node)
    x = np.random.default_rng(0).normal(0, 1.0, (10, 60, WIDTH))
    lengths = np.arange(51, 61)
    lowered = compile_network(network, QuantizationConfig(), Calibration(x, lengths))
    mantissas, _ = lowered["input"].output.encode(x)  # type: ignore[attr-defined]
    result = run_whole(ReferenceEngine(), lowered, Run(mantissas, lengths, ("node",)))
    form: Format = lowered["node"].output  # type: ignore[attr-defined]
    given = lowered["input"].output.decode(mantissas)  # type: ignore[attr-defined]
    expected = run_float(network, given, lengths, record=("node",)).signals["node"]
    error = np.abs(form.decode(result.trace["node"]) - expected)
    if node.spikes:
        assert (error > 0).mean() < 1e-3
        assert set(np.unique(expected)) == {-1.0, 0.0, 1.0}
    else:
        assert error.max() <= tolerance
        assert np.abs(expected).max() > 10
    assert not result.saturated.get("node")


@pytest.mark.parametrize("case", NODES.values(), ids=NODES)
def test_nothing_saturates_that_was_bounded_without_data(case: tuple[FloatNode, float]) -> None:
    node, _ = case
    network = _around(node)
    lowered = compile_network(network, QuantizationConfig())
    x = np.random.default_rng(1).choice([-1.0, 1.0], (4, 30, WIDTH))
    mantissas, _ = lowered["input"].output.encode(x)  # type: ignore[attr-defined]
    result = run_whole(
        ReferenceEngine(), lowered, Run(mantissas, np.full(4, 30), network.names[:0])
    )
    assert sum(result.saturated.values()) == 0


def test_a_maximum_of_every_step_is_refused_without_data() -> None:
    network = _around(Ternary(**ONE, fraction=0.15))
    told = r"'node': its threshold follows the largest value .* give calibration data \(--calib"
    with pytest.raises(UnsupportedNetworkError, match=told):
        compile_network(network, QuantizationConfig())


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_a_maximum_of_every_step_is_followed_if_asked(scale: float) -> None:
    """Whatever the size of the signal, as no constant does; silence stays silent."""
    network = _around(Ternary(**ONE, fraction=0.15))
    x = np.random.default_rng(0).normal(0, 1.0, (10, 60, WIDTH))
    config = QuantizationConfig(ternary_maxima="every_step")
    lowered = compile_network(network, config, Calibration(x, None))
    assert lowered["node"].kind == "LayerSign"
    mantissas, _ = lowered["input"].output.encode(x * scale)  # type: ignore[attr-defined]
    result = run_whole(ReferenceEngine(), lowered, Run(mantissas, np.full(10, 60), ("node",)))
    given = lowered["input"].output.decode(mantissas)  # type: ignore[attr-defined]
    expected = run_float(network, given, record=("node",)).signals["node"]
    assert (result.trace["node"] != expected).mean() < 2e-3
    assert set(np.unique(expected)) == {-1.0, 0.0, 1.0}
