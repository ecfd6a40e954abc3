"""The network as a graph: a row for each layer, its processes from left to right.

What a layer reads of another comes down through the space between two rows; what skips a row goes
round it on the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.page.svg import Element, element
from snn_deploy.reports.report import layer_of

__all__ = ["draw_network"]

_HEIGHT = 40  # pixels of a box
_ACROSS, _DOWN = 34, 12  # between boxes: beside each other, of one row one below the other
_BETWEEN = 30  # between rows, where edges run
_LEFT = 96  # for the names of the layers
_LONGEST = 24  # characters in a box
_CHARACTER, _MARGIN = 6.7, 8  # pixels


@dataclass(frozen=True)
class _Box:
    """A process's upper left corner, the width of all boxes, and its row of layers."""

    x: float
    y: float
    width: float
    row: int

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + _HEIGHT

    @property
    def centre(self) -> float:
        return self.y + _HEIGHT / 2


def draw_network(network: Network) -> Element:
    """Draw a network of any stage; boxes tell kind and width, dashes a delay of a step."""
    rows: dict[str, list[Node]] = {}
    for node in network:
        rows.setdefault(layer_of(node.name), []).append(node)
    boxes, bands, bottom = _lay_out(network, rows)
    right = max(box.right for box in boxes.values())
    edges = list(_edges(network, boxes, bands, right))
    skips = sum(1 for _, skipping in edges if skipping)
    width = right + 10 + 6 * skips
    names = [
        element("text", _shortened(name, 14), element("title", name), class_="row", x=0, y=top + 24)
        for name, (top, _) in zip(rows, bands, strict=True)
    ]
    drawn = [_draw_box(node, boxes[node.name]) for node in network]
    arrow = element(
        "marker",
        element("path", d="M0,0L6,3L0,6z", class_="head"),
        id="arrow",
        markerWidth=6,
        markerHeight=6,
        refX=5.5,
        refY=3,
        orient="auto",
    )
    return element(
        "svg",
        element("defs", arrow),
        *(path for path, _ in edges),
        *names,
        *drawn,
        class_="graph",
        viewBox=f"0 0 {width:g} {bottom:g}",
        width=f"{width:g}",
        height=f"{bottom:g}",
        role="img",
        aria_label=f"Graph of {len(network)} processes in {len(rows)} layers; the table lists them",
    )


def _lay_out(
    network: Network, rows: dict[str, list[Node]]
) -> tuple[dict[str, _Box], list[tuple[float, float]], float]:
    """Place the boxes; also give each row's top and bottom, and the drawing's."""
    boxes: dict[str, _Box] = {}
    longest = max(len(text) for node in network for text in _words(node))
    width = round(max(16, longest) * _CHARACTER) + 2 * _MARGIN
    bands = []
    top = 4.0
    for row, nodes in enumerate(rows.values()):
        members = {node.name for node in nodes}
        column: dict[str, int] = {}
        lanes: dict[int, int] = {}
        for node in nodes:
            before = [column[edge.source] for edge in node.inputs if edge.source in members]
            column[node.name] = max(before, default=-1) + 1
            lane = lanes.get(column[node.name], 0)
            lanes[column[node.name]] = lane + 1
            x = _LEFT + column[node.name] * (width + _ACROSS)
            boxes[node.name] = _Box(x, top + lane * (_HEIGHT + _DOWN), width, row)
        bottom = top + max(lanes.values()) * (_HEIGHT + _DOWN) - _DOWN
        bands.append((top, bottom))
        top = bottom + _BETWEEN
    return boxes, bands, top - _BETWEEN + 4


def _edges(
    network: Network, boxes: dict[str, _Box], bands: list[tuple[float, float]], right: float
) -> Iterator[tuple[Element, bool]]:
    """Give every edge's drawing, and whether it goes round some row."""
    skips = 0
    for node in network:
        for edge in node.inputs:
            start, end = boxes[edge.source], boxes[node.name]
            skipping = end.row > start.row + 1
            skips += skipping
            line = _line(start, end, bands, right + 6.0 * skips, 9.0 if edge.delay else -9.0)
            told = f"{edge.source} → {node.name}"
            if edge.delay:
                told += f", {edge.delay} step{'s' if edge.delay > 1 else ''} later"
            class_ = "edge late" if edge.delay else "edge"
            path = element(
                "path", element("title", told), class_=class_, d=line, marker_end="url(#arrow)"
            )
            yield path, skipping


def _line(
    start: _Box, end: _Box, bands: list[tuple[float, float]], gutter: float, aside: float
) -> str:
    """Give the way of an edge; ``aside`` of the boxes' middles, so that two kinds never overlap."""
    if start.row == end.row:
        if start.y == end.y and end.x > start.right + _ACROSS:  # past the boxes between
            under = start.bottom + _DOWN / 2
            down = f"M{start.middle + aside:g},{start.bottom:g}V{under:g}"
            return f"{down}H{end.middle + aside:g}V{end.bottom + 1:g}"
        if start.y == end.y:
            return f"M{start.right:g},{start.centre:g}H{end.x - 1:g}"
        turn = end.x - _ACROSS / 2
        return f"M{start.right:g},{start.centre:g}H{turn:g}V{end.centre:g}H{end.x - 1:g}"
    leave = bands[start.row][1] + (_BETWEEN + aside) / 2
    arrive = end.y - _BETWEEN / 2
    down = f"M{start.middle + aside:g},{start.bottom:g}V{leave:g}"
    if end.row > start.row + 1:
        down += f"H{gutter:g}V{arrive:g}"
    return f"{down}H{end.middle + aside:g}V{end.y - 1:g}"


def _draw_box(node: Node, box: _Box) -> Element:
    signal: Any = getattr(node, "output", "float")
    is_neuron = node.spikes or node.modes is not None
    name, kind = _words(node)
    return element(
        "g",
        element("title", f"{node.name}: {node.kind}, {node.width} channels, {signal}"),
        element("rect", x=box.x, y=box.y, width=box.width, height=_HEIGHT, rx=3),
        element("text", name, class_="name", x=box.x + _MARGIN, y=box.y + 16),
        element("text", kind, class_="kind", x=box.x + _MARGIN, y=box.y + 31),
        class_="box neuron" if is_neuron else "box",
    )


def _words(node: Node) -> tuple[str, str]:
    """Give the two lines in a box: the name within its layer, and the kind with its width."""
    name = node.name.removeprefix(f"{layer_of(node.name)}.")
    return _shortened(name, _LONGEST), _shortened(f"{node.kind} {node.width}", _LONGEST)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
