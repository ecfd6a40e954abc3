"""Networks as documents and tensors: every node comes back; anything else is refused by name."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import (
    INTEGER_KINDS,
    around,
    extreme_inputs,
    float_inputs,
    float_network,
    run_reference,
)

from snn_deploy.errors import DeploymentError, SnnDeployError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.text import format_network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

Document = dict[str, Any]
Tensors = dict[str, Any]


def stored(network: Network) -> tuple[Document, Tensors]:
    """The document after a journey through JSON, as a file gives it."""
    document, tensors = network_to_document(network)
    return json.loads(json.dumps(document)), tensors


def same(a: Any, b: Any) -> bool:
    """Compare nodes and all that is in them, types and dtypes included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def assert_comes_back(network: Network) -> Network:
    document, tensors = stored(network)
    back = network_from_document(document, tensors)
    assert (back.stage, back.answer.steps) == (network.stage, network.answer.steps)
    assert len(back) == len(network)
    for node, again in zip(network, back, strict=True):
        assert same(node, again), node
    assert format_network(back) == format_network(network)
    verify_network(back)
    return back


@pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_node_comes_back(kind: type[Node], seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = around(kind, rng)
    back = assert_comes_back(network)
    mantissas = extreme_inputs(network, rng, batch=2, steps=5)
    first, second = run_reference(network, mantissas), run_reference(back, mantissas)
    np.testing.assert_array_equal(first.output, second.output)


@pytest.mark.parametrize("modes", [0, 1, 4])
@pytest.mark.parametrize("reverse", [True, False])
def test_compiled_networks_come_back(reverse: bool, modes: int) -> None:
    source = float_network(reverse=reverse, modes=modes, norm=True)
    calibration = Calibration(float_inputs(source))
    assert_comes_back(compile_network(source, QuantizationConfig(), calibration))


@pytest.mark.parametrize("steps", ["one", "all", 1, 7])
def test_output_steps_come_back(steps: Any) -> None:
    assert_comes_back(lowered().answering(steps=steps))


def lowered() -> Network:
    source = float_network(layers=1)
    return compile_network(source, QuantizationConfig())


def node_of(document: Document, name: str) -> Document:
    (found,) = (node for node in document["nodes"] if node["name"] == name)
    assert isinstance(found, dict)
    return found


def drop(*path: str) -> Callable[[Document, Tensors], None]:
    def change(document: Document, tensors: Tensors) -> None:
        place = document
        for key in path[:-1]:
            place = node_of(document, key) if place is document and "." in key else place[key]
        del place[path[-1]]

    return change


def put(name: str, *path: str, value: Any) -> Callable[[Document, Tensors], None]:
    """Set a field of the node called ``name``."""

    def change(document: Document, tensors: Tensors) -> None:
        place = node_of(document, name)
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def top(key: str, value: Any) -> Callable[[Document, Tensors], None]:
    def change(document: Document, tensors: Tensors) -> None:
        document[key] = value

    return change


def retype(name: str, dtype: str) -> Callable[[Document, Tensors], None]:
    def change(document: Document, tensors: Tensors) -> None:
        tensors[name] = tensors[name].astype(dtype)

    return change


def lose(name: str) -> Callable[[Document, Tensors], None]:
    def change(document: Document, tensors: Tensors) -> None:
        del tensors[name]

    return change


LIF, GLU, POOL = "layers.0.lif", "layers.0.glu", "decoder.pool"

DAMAGE: dict[str, tuple[Callable[[Document, Tensors], None], str]] = {
    "no stage": (drop("stage"), "network: 'stage' is missing"),
    "no output steps": (drop("output_steps"), "network: 'output_steps' is missing"),
    "no nodes": (drop("nodes"), "network: 'nodes' is missing"),
    "a float network": (
        top("stage", "float"),
        "a stored network has stage 'integer' or 'lowered', not 'float'",
    ),
    "a list as stage": (
        top("stage", ["lowered"]),
        "a stored network has stage 'integer' or 'lowered', not ['lowered']",
    ),
    "no steps": (
        top("output_steps", 0),
        "output_steps is 'one', 'all' or a number of steps, not 0",
    ),
    "true as steps": (top("output_steps", True), "'all' or a number of steps, not True"),
    "nodes that are no list": (top("nodes", {"a": 1}), "network: 'nodes' and 'head' are lists"),
    "a number as node": (top("nodes", [5]), "a node: 'kind' is missing"),
    "a node without kind": (drop(LIF, "kind"), "a node: 'kind' is missing"),
    "an unknown kind": (
        put(LIF, "kind", value="Izhikevich"),
        "unknown node kind 'Izhikevich'; there are: Accumulator, ",
    ),
    "a kind of another stage": (
        put(LIF, "kind", value="QuantizedLinear"),
        "unknown node kind 'QuantizedLinear'; there are: Accumulator,",
    ),
    "a list as kind": (put(LIF, "kind", value=[]), "unknown node kind []; there are: "),
    "a missing field": (
        drop(LIF, "threshold"),
        f"{LIF}: LifSoma has ['channels', 'decay', 'inputs', 'name', 'output', 'threshold'], not ",
    ),
    "an extra field": (put(LIF, "colour", value="red"), f"{LIF}: LifSoma has ['channels', "),
    "a number as dataclass": (
        put(GLU, "sigmoid", value=3),
        f"{GLU}/sigmoid: SigmoidGate has ['index_shift', 'out_shift', ",
    ),
    "text as integer": (put(LIF, "threshold", value="8"), f"{LIF}/threshold: '8' is not a int"),
    "a float as integer": (put(LIF, "decay", value=1.0), f"{LIF}/decay: 1.0 is not a int"),
    "a bool as integer": (put(LIF, "decay", value=True), f"{LIF}/decay: True is not a int"),
    "null as integer": (put(LIF, "decay", value=None), f"{LIF}/decay: None is not a int"),
    "an integer as bool": (
        put(POOL, "use_lengths", value=1),
        f"{POOL}/use_lengths: 1 is not a bool",
    ),
    "an integer as name": (put(LIF, "name", value=7), "7/name: 7 is not a str"),
    "an unknown mode": (put(POOL, "mode", value="median"), f"{POOL}/mode: 'median' is not a "),
    "a format too wide": (
        put(LIF, "output", "bits", value=49),
        f"{LIF}/output: a number format has 1 to 48 bits, not 49",
    ),
    "half an exponent": (
        put(LIF, "output", "exponent", value=0.5),
        f"{LIF}/output/exponent: 0.5 is not a int",
    ),
    "text among exponents": (
        put("encoder", "output", "exponent", value=[1, "2", 3, 4]),
        "encoder/output/exponent/1: '2' is not a int",
    ),
    "inputs that are no list": (put(LIF, "inputs", value="all"), f"{LIF}/inputs: 'all' is not a "),
    "an edge without source": (
        put(LIF, "inputs", value=[{"delay": 0}]),
        f"{LIF}/inputs/0: Edge has ['delay', 'source', 'steps_back'], not ['delay']",
    ),
    "an array in the text": (
        put(GLU, "sigmoid", "table", value=[1, 2, 3]),
        f"{GLU}/sigmoid/table: 'tensor' is missing",
    ),
    "a tensor that is not there": (
        put(GLU, "sigmoid", "table", value={"tensor": "elsewhere"}),
        f"{GLU}/sigmoid/table: tensor 'elsewhere' is not in the file",
    ),
    "a list as tensor": (
        put(GLU, "sigmoid", "table", value={"tensor": []}),
        f"{GLU}/sigmoid/table: tensor '[]' is not in the file",
    ),
    "a tensor that was lost": (
        lose("encoder.synapses/weight"),
        "encoder.synapses/weight: tensor 'encoder.synapses/weight' is not in the file",
    ),
    "a float tensor": (
        retype("encoder.synapses/weight", "float32"),
        "encoder.synapses/weight: dtype float32, not int8",
    ),
    "a wider tensor": (
        retype(f"{GLU}/sigmoid/table", "int64"),
        f"{GLU}/sigmoid/table: dtype int64, not int32",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_fit_is_refused(
    damage: tuple[Callable[[Document, Tensors], None], str],
) -> None:
    change, told = damage
    document, tensors = stored(lowered())
    change(document, tensors)
    with pytest.raises(DeploymentError, match=re.escape(told)):
        network_from_document(document, tensors)


@pytest.mark.parametrize("document", [None, [], "network", 3])
def test_a_document_that_is_none(document: Any) -> None:
    with pytest.raises(DeploymentError, match="network: 'stage' is missing"):
        network_from_document(document, {})


# --- any change of the structure is refused, or harmless


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if isinstance(value, dict):
        items = list(value.items())
    else:
        items = list(enumerate(value)) if isinstance(value, list) else []
    found = [path] if path else []
    for key, item in items:
        found += places(item, (*path, key))
    return found


ODD_VALUES = [
    None,
    True,
    -1,
    0,
    1,
    2,
    3,
    8,
    40,
    47,
    48,
    255,
    2**31,
    10**30,
    -(10**30),
    1.5,
    float("nan"),
    "",
    "input",
    "lowered",
    [],
    [1],
    {},
    {"tensor": "encoder.synapses/weight"},
]
BASE = stored(lowered())
PLACES = places(BASE[0])


@given(st.sampled_from(PLACES), st.sampled_from(ODD_VALUES))
def test_a_changed_document_gives_an_error_of_ours_or_a_network_that_runs(
    path: tuple[Any, ...], value: Any
) -> None:
    document, tensors = copy.deepcopy(BASE[0]), BASE[1]
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        network = network_from_document(document, tensors)
        verify_network(network)
    except SnnDeployError:
        return
    run_reference(network, extreme_inputs(network, np.random.default_rng(0), 2, 4))


@given(
    st.sampled_from(sorted(BASE[1])),
    st.sampled_from([(0,), (1,), (3,), (4, 4), (2, 2, 2), (0, 3), (4096,)]),
    st.sampled_from([-128, -1, 0, 1, 30, 127]),
)
def test_a_tensor_of_another_shape_or_value_likewise(
    name: str, shape: tuple[int, ...], value: int
) -> None:
    document, tensors = BASE[0], dict(BASE[1])
    tensors[name] = np.full(shape, value, tensors[name].dtype)
    try:
        network = network_from_document(document, tensors)
        verify_network(network)
    except SnnDeployError:
        return
    run_reference(network, extreme_inputs(network, np.random.default_rng(0), 2, 4))
