"""Float nodes that compute themselves: found in their package, not listed."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

from snn_deploy import nodes
from snn_deploy.engines.float_ops import Context
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.silu import Silu
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.nodes.threshold import Threshold


def kinds() -> list[type[FloatNode]]:
    for module in pkgutil.iter_modules(nodes.__path__):
        importlib.import_module(f"{nodes.__name__}.{module.name}")
    found = [k for k in below(FloatNode) if k.__module__.startswith(nodes.__name__)]
    bases = FloatNode.__module__
    return sorted((k for k in found if k.__module__ != bases), key=lambda kind: kind.__name__)


def below(kind: type[FloatNode]) -> list[type[FloatNode]]:
    return [k for child in kind.__subclasses__() for k in (child, *below(child))]


def neurons() -> list[type[FloatNode]]:
    return [kind for kind in kinds() if kind.spikes]


def test_a_file_holds_one_kind_of_neuron() -> None:
    assert len({kind.__module__ for kind in neurons()}) == len(neurons()) >= 10


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_kind_is_whole(kind: Any) -> None:
    """Its docstring is its equation, and it computes."""
    assert "``" in kind.__doc__
    assert kind.__dataclass_params__.frozen
    assert kind.evaluate is not FloatNode.evaluate


@pytest.mark.parametrize(
    "node",
    [
        Threshold(name="y", level=np.array([0.5, -0.2]), inclusive=False),
        Ternary(name="y", channels=2, fraction=0.15),
        Product(name="y", channels=2),
        Gelu(name="y", channels=2),
        Relu(name="y", channels=2),
        Silu(name="y", channels=2),
    ],
    ids=lambda node: node.kind,
)
def test_a_pointwise_kind_has_a_step(node: FloatNode) -> None:
    rng = np.random.default_rng(0)
    sources = [rng.normal(size=(3, 7, 2)) for _ in range(2 if node.kind == "Product" else 1)]
    context = Context(np.full(3, 7), "exact")
    step = node.start(3, context)
    found = np.stack([step([x[:, t] for x in sources]) for t in range(7)], axis=1)
    np.testing.assert_array_equal(found, node.evaluate(sources, context))
