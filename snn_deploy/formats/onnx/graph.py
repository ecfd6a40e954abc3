"""Putting the nodes of a graph or a function together, each value with a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onnx import helper

from snn_deploy.formats.onnx.operations import DOMAIN, INT64, RENAMED, function_of

__all__ = ["Axes", "Graph", "signal_info"]


@dataclass
class Graph:
    """Nodes in the order they compute.

    Parameters
    ----------
    prefix
        Stands before every name that is made here.
    names
        Those that are taken: a graph within another one shares them with it.
    """

    prefix: str = ""
    names: set[str] = field(default_factory=set)
    nodes: list[Any] = field(default_factory=list)
    _constants: dict[tuple[int, ...] | int, str] = field(default_factory=dict)

    def within(self, prefix: str) -> Graph:
        """Make a graph for a node of this one."""
        return Graph(prefix, self.names)

    def name(self, wanted: str) -> str:
        """Give a name that nothing here has yet."""
        name, count = f"{self.prefix}{wanted}", 1
        while name in self.names:
            count += 1
            name = f"{self.prefix}{wanted}_{count}"
        self.names.add(name)
        return name

    def add(
        self, operator: str, arguments: Sequence[str], wanted: str = "", **attributes: Any
    ) -> str:
        """Add one of ONNX's operators; give the name of its result."""
        (name,) = self.add_several(operator, arguments, [wanted or operator.lower()], **attributes)
        return name

    def add_several(
        self, operator: str, arguments: Sequence[str], wanted: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Add a node of several results; with ``domain`` a function's call."""
        names = [self.name(name) for name in wanted]
        node = helper.make_node(operator, list(arguments), names, name=names[0], **attributes)
        self.nodes.append(node)
        return names

    def apply(self, operation: str, arguments: Sequence[str], wanted: str = "") -> str:
        """Add an operation of programs: an operator, or a function of ours."""
        if operation in RENAMED:
            return self.add(RENAMED[operation], arguments, wanted)
        function = function_of(operation)
        wanted = wanted or operation
        (name,) = self.add_several(function.name, arguments, [wanted], domain=DOMAIN)
        return name

    def constant(self, number: int | Sequence[int]) -> str:
        """Give a number, or a list of them, once each."""
        key = number if isinstance(number, int) else tuple(number)
        if key not in self._constants:
            told: dict[str, Any]
            told = {"value_int": key} if isinstance(key, int) else {"value_ints": list(key)}
            if key == ():
                told = {"value": helper.make_tensor("none", INT64, [0], [])}
            name = str(key) if isinstance(key, int) else "_".join(map(str, key))
            self._constants[key] = self.add("Constant", [], f"constant_{name}", **told)
        return self._constants[key]

    def sizes(self, signal: str, end: int) -> str:
        """Give the sizes of a signal's leading axes, up to ``end``."""
        return self.add("Shape", [signal], f"{signal}_sizes", end=end)

    def part(self, signal: str, start: int, stop: int, axis: int, wanted: str = "part") -> str:
        """Take a part of an axis; a negative ``stop`` counts from the end."""
        places = [self.constant([number]) for number in (start, stop, axis)]
        return self.add("Slice", [signal, *places], wanted)


Axes = Sequence[int | str]
"""A shape: sizes, and names of axes that may be of any size."""


def signal_info(name: str, shape: Axes) -> Any:
    """Say what a graph takes or gives: int64 of a shape."""
    return helper.make_tensor_value_info(name, INT64, shape)
