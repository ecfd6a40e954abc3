"""Float nodes that compute themselves: found in their package, not listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest

from snn_deploy import nodes
from snn_deploy.nodes.float_node import FloatNode


def kinds() -> list[type[FloatNode]]:
    for module in pkgutil.iter_modules(nodes.__path__):
        importlib.import_module(f"{nodes.__name__}.{module.name}")
    found = [k for k in FloatNode.__subclasses__() if k.__module__.startswith(nodes.__name__)]
    return sorted(found, key=lambda kind: kind.__name__)


def test_a_file_holds_one_kind() -> None:
    assert len({kind.__module__ for kind in kinds()}) == len(kinds()) >= 16


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_kind_is_whole(kind: Any) -> None:
    """Its docstring is its equation, it computes, and its file is short."""
    assert "``" in kind.__doc__
    assert kind.__dataclass_params__.frozen
    assert not inspect.isabstract(kind)
    assert len(inspect.getsource(inspect.getmodule(kind)).splitlines()) < 100
