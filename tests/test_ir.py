"""Number formats, nodes and networks, their text and their timing."""

from __future__ import annotations

import dataclasses
import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import INTEGER_KINDS, around, float_network

from snn_deploy.errors import ConfigError, NetworkError
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.text import format_network, format_node
from snn_deploy.ir.timing import latencies
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.residual import Residual

# --- formats


@given(
    st.floats(-1e12, 1e12),
    st.integers(2, 48),
    st.integers(-20, 40),
)
def test_encoding_rounds_half_up_and_saturates(value: float, bits: int, exponent: int) -> None:
    mantissa, beyond = Format(bits, exponent).encode(value)
    exact = Fraction(value) * Fraction(2) ** exponent
    rounded = math.floor(exact + Fraction(1, 2))
    limit = 2 ** (bits - 1) - 1
    if abs(exact) < 2**52:  # beyond that adding a half is not exact in float64
        assert int(mantissa) == max(-limit, min(limit, rounded))
        assert beyond == (abs(rounded) > limit)
    else:
        assert abs(int(mantissa)) <= limit


@given(st.integers(-(2**23 - 1), 2**23 - 1), st.integers(-60, 60))
def test_what_was_decoded_is_encoded_again(mantissa: int, exponent: int) -> None:
    form = Format(24, exponent)
    value = form.decode(mantissa)
    assert Fraction(float(value)) == Fraction(mantissa) / Fraction(2) ** exponent
    again, beyond = form.encode(value)
    assert (int(again), beyond) == (mantissa, 0)


def test_exponents_may_differ_by_channel() -> None:
    form = Format(8, (0, 3, -1))
    np.testing.assert_array_equal(form.exponents(3), [0, 3, -1])
    np.testing.assert_array_equal(form.decode([[8, 8, 8]]), [[8.0, 1.0, 16.0]])
    mantissa, beyond = form.encode([[1.5, 0.25, 3.0], [1000.0, -1000.0, 0.0]])
    np.testing.assert_array_equal(mantissa, [[2, 2, 2], [127, -127, 0]])
    assert beyond == 2
    np.testing.assert_array_equal(Format(8, 5).exponents(2), [5, 5])


@pytest.mark.parametrize("value", [1e300, -1e300, np.inf, -np.inf])
def test_enormous_numbers_saturate(value: float) -> None:
    mantissa, beyond = Format(16, 12).encode([value])
    np.testing.assert_array_equal(mantissa, [32767 if value > 0 else -32767])
    assert beyond == 1


def test_unsigned_formats() -> None:
    form = Format(4, 0, signed=False)
    assert form.limit == 15
    mantissa, beyond = form.encode([-3.0, 3.0, 99.0])
    np.testing.assert_array_equal(mantissa, [0, 3, 15])
    assert beyond == 2
    assert SPIKE.limit == 1


@pytest.mark.parametrize("bits", [0, -1, 49])
def test_formats_have_limits(bits: int) -> None:
    with pytest.raises(ConfigError, match=f"a number format has 1 to 48 bits, not {bits}"):
        Format(bits, 0)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Format(16, 12), "s16e12"),
        (Format(8, -3), "s8e-3"),
        (SPIKE, "u1e0"),
        (Format(24, (3, 1, 2)), "s24e[1…3]"),
    ],
)
def test_formats_as_text(form: Format, text: str) -> None:
    assert str(form) == text


def test_edges_as_text() -> None:
    assert str(Edge("encoder")) == "encoder"
    assert str(Edge("encoder", 2)) == "encoder@-2"


# --- networks


def test_networks_find_their_nodes() -> None:
    network = float_network(layers=1)
    assert len(network) == len(list(network)) == len(network.names)
    assert network.input is network["input"]
    assert network.output is network["decoder"]
    residual = network["layers.0.residual"]
    assert [node.name for node in network.sources(residual)] == ["encoder", "layers.0.glu"]
    assert [node.name for node in network.consumers("encoder")] == [
        "layers.0.ssm",
        "layers.0.residual",
    ]
    assert network.consumers("decoder") == ()
    assert [node.name for node in network.of_kind(Lif, Glu)] == [
        "layers.0.lif",
        "layers.0.glu",
    ]


def test_a_node_that_is_not_there() -> None:
    told = "no node named 'encodre'; there are: input, encoder, layers.0.ssm, "
    with pytest.raises(NetworkError, match=re.escape(told)):
        float_network()["encodre"]


def test_rewriting_keeps_the_order() -> None:
    network = float_network(layers=1)
    first, second = (
        Residual(name=name, inputs=(Edge("input"),), channels=1) for name in ("a", "b")
    )
    made = network.rewrite({"encoder": (first, second), "decoder": ()}, stage="integer")
    assert made.names == ("input", "a", "b", *network.names[2:-1])
    assert made.stage == "integer"
    assert network.rewrite({}).nodes == network.nodes
    assert network.rewrite({}).stage == network.stage


def test_nodes_and_networks_are_frozen() -> None:
    network = float_network()
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.stage = "lowered"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.input.name = "other"  # type: ignore[misc]


def every_kind() -> list[type[Node]]:
    return list(dict.fromkeys((*legal_kinds("float").values(), *INTEGER_KINDS)))


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_a_nodes_docstring_is_its_equation(kind: type[Node]) -> None:
    assert "``" in (kind.__doc__ or "")
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


# --- text


@pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)
def test_every_node_prints_on_one_line(kind: type[Node]) -> None:
    for seed in range(10):
        network = around(kind, np.random.default_rng(seed))
        line = format_node(network.output)
        assert "\n" not in line
        name = network.output.name
        assert line.startswith(f"{name} = {kind.__name__}(")
        assert line.endswith(f"-> {network.output.output}")  # type: ignore[attr-defined]
        for edge in network.output.inputs:
            assert str(edge) in line


def fields_of(value: Any, prefix: str = "") -> list[str]:
    """The names of all parameters of a node, dotted where they are nested."""
    found = []
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if dataclasses.is_dataclass(item):
            found += fields_of(item, f"{prefix}{field.name}.")
        else:
            found.append(f"{prefix}{field.name}")
    return found


@pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)
def test_every_parameter_is_printed(kind: type[Node]) -> None:
    node = around(kind, np.random.default_rng(1)).output
    line = format_node(node)
    for name in fields_of(node):
        if name not in ("name", "inputs", "channels") and not name.startswith("output."):
            assert f" {name}=" in line


def test_a_whole_network_as_text() -> None:
    text = format_network(float_network(layers=0, width=2))
    assert text.splitlines()[0] == "network stage=float output_steps=one"
    assert text.splitlines()[1] == "  input = FloatInput() width=1"
    assert len(text.splitlines()) == 4
    assert text.endswith("\n")


def test_arrays_as_text() -> None:
    def line(**weights: Any) -> str:
        return format_node(Linear(name="n", **weights))

    assert "weight=float64[0x3] " in line(weight=np.zeros((0, 3)), bias=np.zeros(0))
    assert "weight=int8[1x2]:-3…7" in line(weight=np.array([[-3, 7]], np.int8), bias=np.zeros(1))
    assert "bias=float64[2]:0.3333…2e+09" in line(
        weight=np.zeros((2, 1)), bias=np.array([1 / 3, 2e9])
    )
    assert "bias=complex128[1]:|max|=5" in line(weight=np.zeros((1, 1)), bias=np.array([3 + 4j]))


# --- timing


def test_latencies_add_up_along_the_slowest_path() -> None:
    source = Input(name="input", output=Format(8, 0), channels=1)

    def relay(name: str, *inputs: Edge) -> Requantize:
        return Requantize(name=name, inputs=inputs, output=Format(8, 0), channels=1)

    network = Network(
        "lowered",
        (
            source,
            relay("a", Edge("input", 2)),
            relay("b", Edge("a", 3)),
            relay("c", Edge("input", 1), Edge("b")),
        ),
    )
    assert latencies(network) == {"input": 0, "a": 2, "b": 5, "c": 5}
