"""Functions that exporters write as several operators, put together again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from snn_deploy.readers.onnx.graph import Graph, Operator

__all__ = ["joined"]


def joined(graph: Graph) -> Graph:
    """Give a graph whose ``x / √2 → Erf → + 1 → · x → · 1/2`` are each one Gelu.

    So torch writes it for opsets before 20. What is put together was read by nothing else.
    """
    made = {operator.outputs[0]: operator for operator in graph.operators}
    readers: dict[str, list[Operator]] = {}
    for operator in graph.operators:
        for name in operator.inputs:
            readers.setdefault(name, []).append(operator)
    replaced: dict[str, Operator | None] = {}
    for operator in graph.operators:
        if operator.kind == "Erf":
            chain = _gelu(_Reading(graph, made, readers), operator)
            if chain is not None:
                first, *_, last = chain
                replaced |= dict.fromkeys((part.name for part in chain), None)
                replaced[last.name] = replace(last, kind="Gelu", inputs=first.inputs[:1])
    operators = (replaced.get(operator.name, operator) for operator in graph.operators)
    return replace(graph, operators=tuple(found for found in operators if found is not None))


class _Reading:
    """Who makes and who reads a graph's values."""

    def __init__(
        self, graph: Graph, made: Mapping[str, Operator], readers: Mapping[str, list[Operator]]
    ) -> None:
        self.graph, self.made, self.readers = graph, made, readers

    def number(self, name: str) -> float | None:
        """Give a value that is one known number."""
        array = self.graph.arrays.get(name)
        if array is None and name in self.made and self.made[name].kind == "Constant":
            array = self.made[name].attributes.get("value")
        return float(array.reshape(())) if array is not None and array.size == 1 else None

    def following(self, operator: Operator, kind: str) -> Operator | None:
        """Give the only reader of what an operator gives, if it is of a kind."""
        name = operator.outputs[0]
        found = self.readers.get(name, [])
        alone = len(found) == 1 and name not in self.graph.outputs
        return found[0] if alone and found[0].kind == kind else None

    def with_number(self, operator: Operator | None, number: float) -> Operator | None:
        """Give an operator if one of its two inputs is a number."""
        if operator is None or len(operator.inputs) != 2:
            return None
        told = [self.number(name) for name in operator.inputs]
        near = any(x is not None and math.isclose(x, number, rel_tol=1e-6) for x in told)
        return operator if near else None


def _gelu(reading: _Reading, erf: Operator) -> list[Operator] | None:
    """Give the five operators around an Erf, if they are a GELU."""
    scaled = reading.made.get(erf.inputs[0])
    if scaled is None or reading.following(scaled, "Erf") is None:
        return None
    factor = {"Div": math.sqrt(2.0), "Mul": math.sqrt(0.5)}.get(scaled.kind, 0.0)
    first = reading.with_number(scaled, factor)
    plus = reading.with_number(reading.following(erf, "Add"), 1.0)
    if first is None or plus is None or reading.number(first.inputs[0]) is not None:
        return None
    product = reading.following(plus, "Mul")
    if product is None or first.inputs[0] not in product.inputs:
        return None
    half = reading.with_number(reading.following(product, "Mul"), 0.5)
    return None if half is None else [first, erf, plus, product, half]
