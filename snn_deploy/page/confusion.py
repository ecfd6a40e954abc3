"""Which classes are taken for which: a matrix of counts, and its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from snn_deploy.page.chip import LEVELS
from snn_deploy.page.svg import Element, element, render
from snn_deploy.page.table import Column, Table

__all__ = ["ConfusionSection", "confusion_section", "confusion_table"]

Confusion = Mapping[tuple[int, int], int]

MOST_CLASSES = 64
"""How many classes are drawn; the table has all."""

_WRITTEN = 20  # classes up to which the numbers stand in the cells
_EDGE = 34  # pixels for the labels


@dataclass(frozen=True)
class ConfusionSection:
    """The drawn matrix, and the pairs that are confused most, in words."""

    matrix: Markup | None
    words: str


def confusion_section(confusion: Confusion) -> ConfusionSection | None:
    """Draw how often each label was predicted as each class; None without labels."""
    if not confusion:
        return None
    classes = sorted({c for pair in confusion for c in pair})
    drawn = render(_matrix(confusion, classes)) if len(classes) <= MOST_CLASSES else None
    return ConfusionSection(drawn, _worst(confusion))


def confusion_table(confusion: Confusion) -> Table | None:
    """Give every pair that occurred."""
    if not confusion:
        return None
    columns = (Column("label"), Column("prediction"), Column("how often"))
    rows = tuple((a, b, n) for (a, b), n in sorted(confusion.items()))
    return Table("confusion", "Labels and what was predicted", columns, rows)


def _worst(confusion: Confusion, most: int = 3) -> str:
    wrong = sorted(((n, pair) for pair, n in confusion.items() if pair[0] != pair[1]), reverse=True)
    if not wrong:
        return "No sequence was answered wrongly."
    told = ", ".join(f"{a} as {b} ({n:,}×)" for n, (a, b) in wrong[:most])
    return f"Most often confused: {told}."


def _matrix(confusion: Confusion, classes: list[int]) -> Element:
    written = len(classes) <= _WRITTEN
    cell = 30 if written else max(6, 600 // len(classes))
    totals = {a: sum(n for (label, _), n in confusion.items() if label == a) for a in classes}
    cells = []
    for row, label in enumerate(classes):
        for column, told in enumerate(classes):
            count = confusion.get((label, told), 0)
            share = count / totals[label] if totals[label] else 0.0
            box = {"x": _EDGE + column * cell, "y": _EDGE + row * cell}
            words = f"label {label}, predicted {told}: {count:,}, {share:.1%} of the label"
            cells.append(_cell(box, cell, count, share, words, written))
    names = []
    every = 1 if written else -(-len(classes) // _WRITTEN)
    for place, label in list(enumerate(classes))[::every]:
        middle = _EDGE + (place + 0.5) * cell
        names += [
            element(
                "text", str(label), class_="tick", x=_EDGE - 6, y=middle + 4, text_anchor="end"
            ),
            element("text", str(label), class_="tick", x=middle, y=_EDGE - 6, text_anchor="middle"),
        ]
    size = _EDGE + len(classes) * cell + 1
    return element(
        "svg",
        *cells,
        *names,
        class_="chart confusion",
        viewBox=f"0 0 {size} {size}",
        width=size,
        role="img",
        aria_label=f"{len(classes)} classes: a row a label, a column a prediction",
    )


def _cell(
    box: dict[str, int], size: int, count: int, share: float, words: str, written: bool
) -> Element:
    level = min(LEVELS - 1, int(share * LEVELS))
    colour = f"q{level}" if count else "none"
    drawn = element(
        "rect",
        element("title", words),
        class_=f"cell {colour}",
        width=size - 1,
        height=size - 1,
        **box,
    )
    if not (written and count):
        return drawn
    shade = "over" if level >= LEVELS // 2 else "count"
    text = element(
        "text",
        f"{count:,}",
        class_=shade,
        x=box["x"] + (size - 1) / 2,
        y=box["y"] + size / 2 + 4,
        text_anchor="middle",
    )
    return element("g", drawn, text)
