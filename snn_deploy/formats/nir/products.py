"""Products as NIR's primitives, which have none: of binary digits, which thresholds give.

A factor of ``VALUE_BITS`` digits is known to half its last one, its range being the worst case, and
a gate's table to half of a 128th. Both are worst cases; what else a product is, is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.formats.nir.made import Made, Real, refused
from snn_deploy.ir.node import Node

__all__ = [
    "Digits",
    "digits",
    "gate",
    "multiply",
    "product",
    "rectify",
    "self_gate",
    "staircase",
]

VALUE_BITS = 12
TABLE_BITS = 7
BOTH = 1.5  # above it: two digits are 1


@dataclass(frozen=True)
class Digits:
    """``base + step Σ_i 2^i digit_i``: nodes that send 0 or 1, the lowest first; (width,) each."""

    names: Sequence[str]
    base: Real
    step: Real


def digits(made: Made, name: str, source: str, most: Real) -> Digits:
    """Give the digits of a signal within ±most, one after another, the highest first."""
    step = 2 * most / 2.0**VALUE_BITS
    found: list[str] = []
    left = [source]
    for power in reversed(range(VALUE_BITS)):
        weight = step * 2.0**power
        bit = made.add(f"{name}.digit{power}", "Threshold", left, threshold=weight - most)
        found.insert(0, bit)
        if power:
            left.append(made.scale(f"{bit}.weight", [bit], -weight))
    return Digits(found, step / 2 - most, step)


def staircase(made: Made, name: str, source: str, levels: Real) -> Digits:
    """Give the digits of how many ``levels`` (2^n - 1, width), which rise, a signal is above; as
    numbers between 0 and 1, each the midst of its stair.
    """
    stairs, width = len(levels) + 1, levels.shape[1]
    said: dict[int, list[str]] = defaultdict(list)
    for index, threshold in enumerate(levels, start=1):
        above = made.add(f"{name}.above{index}", "Threshold", [source], threshold=threshold)
        power = (index & -index).bit_length() - 1  # it makes this digit 1, and those below it 0
        said[power].append(above)
        if power:
            less = made.scale(f"{above}.less", [above], -np.ones(width))
            for lower in range(power):
                said[lower].append(less)
    names = [
        made.scale(f"{name}.digit{power}", said[power], np.ones(width)) for power in sorted(said)
    ]
    step = np.full(width, 1 / stairs)
    return Digits(names, step / 2, step)


def product(made: Made, name: str, source: str, both: tuple[Digits, Digits], gain: Real) -> None:
    """Give ``gain`` x a signal x a factor: digits of the signal, and of the factor."""
    value, factor = both
    whole = gain * value.step * factor.step
    parts = [made.scale(f"{name}.base", [source], gain * factor.base)]
    ones: dict[int, list[str]] = defaultdict(list)
    for j, second in enumerate(factor.names):
        weight = gain * value.base * factor.step * 2.0**j
        parts.append(made.scale(f"{name}.base{j}", [second], weight))
        for i, first in enumerate(value.names):
            threshold = np.full(gain.shape, BOTH)
            both_1 = made.add(
                f"{name}.both{i}.{j}", "Threshold", [first, second], threshold=threshold
            )
            ones[i + j].append(both_1)
    for power, found in ones.items():
        parts.append(made.scale(f"{name}.sum{power}", found, whole * 2.0**power))
    made.scale(name, parts, np.ones(gain.shape))


def gate(made: Made, node: Any, reads: list[str]) -> None:
    """A value times the sigmoid of another."""
    name, h, rescale, sigmoid = node.name, node.width, node.rescale, node.sigmoid
    gain = rescale.mantissa * 2.0 ** -rescale.shift.astype(float)
    gain = gain * made.unit(node.inputs[0].source)
    halves = []
    for half, start in (("value", 0), ("gate", h)):
        part = slice(start, start + h)
        weight = np.zeros((h, 2 * h))
        weight[np.arange(h), np.arange(h) + start] = gain[part]
        given = {"weight": weight, "bias": rescale.bias[part].astype(float)}
        halves.append(made.add(f"{name}.{half}", "Affine", reads, **given))
    bound = made.bounds[name]
    most = np.minimum(bound.reached["value"], bound.limits["value"])
    levels = _levels(node, sigmoid.table, sigmoid.table_bits, np.full(h, 2.0**sigmoid.index_shift))
    value = digits(made, halves[0], halves[0], most)
    opened = staircase(made, halves[1], halves[1], levels)
    out = 2.0 ** (sigmoid.table_bits - 1.0 - sigmoid.out_shift) / made.unit(name)
    product(made, name, halves[0], (value, opened), out)


def self_gate(made: Made, node: Any, reads: list[str]) -> None:
    """A value times a function of itself."""
    unit, most = _factor(made, node, 0)
    levels = _levels(node, node.table, node.table_bits, 2.0 ** -node.align.astype(float)) / unit
    value = digits(made, node.name, reads[0], most)
    opened = staircase(made, f"{node.name}.gate", reads[0], levels)
    out = unit * 2.0 ** (node.table_bits - 1.0 - node.out_shift) / made.unit(node.name)
    product(made, node.name, reads[0], (value, opened), out)


def multiply(made: Made, node: Any, reads: list[str]) -> None:
    """Two streams, channel by channel."""
    found, units = [], []
    for port, part in enumerate(("first", "second")):
        unit, most = _factor(made, node, port)
        units.append(unit)
        found.append(digits(made, f"{node.name}.{part}", reads[port], most))
    out = units[0] * units[1] * 2.0 ** -node.shift.astype(float) / made.unit(node.name)
    product(made, node.name, reads[0], (found[0], found[1]), out)


def rectify(made: Made, node: Any, reads: list[str]) -> None:
    """What is above 0."""
    _, most = _factor(made, node, 0)
    nothing = np.zeros(node.width)
    value = digits(made, node.name, reads[0], most)
    positive = made.add(f"{node.name}.positive", "Threshold", reads, threshold=nothing)
    one = Digits([positive], nothing, nothing + 1)
    product(made, node.name, reads[0], (value, one), nothing + 1)


def _factor(made: Made, node: Any, port: int) -> tuple[Real, Real]:
    """Give the unit of what a node reads, and the largest that it gets; a source says 0 at least,
    so that a channel that says nothing has digits, too.
    """
    source = node.inputs[port].source
    unit = made.unit(source)
    return unit, np.maximum(made.bounds[source].output, 1) / unit


def _levels(node: Node, table: Any, table_bits: int, rows: Real) -> Real:
    """Give where a table of rows that are ``rows`` apart passes each stair, (2^n - 1, width)."""
    if (np.diff(table) < 0).any():
        raise refused(node, "its table falls somewhere, so that no thresholds say where it is")
    wanted = np.arange(1, 2**TABLE_BITS) * 2.0 ** (table_bits - 1 - TABLE_BITS)
    first = np.searchsorted(table, wanted).astype(float)  # a table's end is passed by nothing
    first[first == len(table)] = 4 * len(table)
    first[first == 0] = -4 * len(table)
    return np.asarray((first - len(table) / 2 - 0.5)[:, None] * rows)
