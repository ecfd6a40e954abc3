"""The report page's drawings of energy: by kind, by layer, and what the answer hangs on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from snn_deploy.page import charts
from snn_deploy.page.svg import render
from snn_deploy.page.words import energy_range
from snn_deploy.reports.energy import EnergyItem, Range
from snn_deploy.reports.quantities import fraction, quantity, quantity_range
from snn_deploy.reports.report import Report

__all__ = ["EnergySection", "Row", "energy_section"]

MOST_INFLUENCES = 8
COLOURS = 7  # kinds of energy with a colour of their own; the smallest ones share one more


@dataclass(frozen=True)
class Row:
    """A drawing with its name to the left and its figure to the right."""

    name: str
    drawing: Markup
    figure: str
    detail: str = ""
    alarm: bool = False


@dataclass(frozen=True)
class EnergySection:
    """Bars of all energy, and of each layer's dynamic energy, with what their colours mean."""

    legend: tuple[tuple[str, str, str], ...]
    whole: Row
    layers: tuple[Row, ...]
    axis: Markup
    influences: tuple[Row, ...]
    influences_axis: Markup


def energy_section(report: Report) -> EnergySection | None:
    """Draw energy by kind and by layer; None where the target prices nothing."""
    whole = energy_range(report)
    if whole is None:
        return None
    each = 1.0 / report.activity.sequences
    items = sorted(report.total.energy, key=lambda item: -item.energy_j.typical)
    colours = {item.kind: f"k{min(i, COLOURS)}" for i, item in enumerate(items)}
    parts = _parts(items, colours, each)
    if report.static is not None:
        idle = report.static.energy_j.typical
        parts.append(("idle", idle, f"{report.static.kind}: {quantity(idle, 'J')}"))
    told = f"Energy of a sequence: {quantity_range(whole, 'J')}"
    bar = charts.stacked_bar(parts, whole.high, told, whole)
    rows, axis = _layer_bars(report, colours, each)
    influences, influences_axis = _influence_bars(report)
    return EnergySection(
        legend=tuple(_legend(items, colours, each, report.static, whole.typical)),
        whole=Row("a sequence", render(bar), quantity_range(whole, "J")),
        layers=rows,
        axis=axis,
        influences=influences,
        influences_axis=influences_axis,
    )


def _layer_bars(
    report: Report, colours: dict[str, str], each: float
) -> tuple[tuple[Row, ...], Markup]:
    layers = report.layers
    ranges = {layer.name: layer.dynamic_j * each for layer in layers}
    top = max((value.high for value in ranges.values()), default=0.0)
    rows = []
    for layer in layers:
        value = ranges[layer.name]
        items = sorted(layer.energy, key=lambda item: colours[item.kind])
        told = f"{layer.name}: {quantity_range(value, 'J')}"
        bar = charts.stacked_bar(_parts(items, colours, each), top, told, value)
        rows.append(Row(layer.name, render(bar), quantity(value.typical, "J")))
    return tuple(rows), render(charts.value_axis(_energy_marks(top), top))


def _influence_bars(report: Report) -> tuple[tuple[Row, ...], Markup]:
    """What each constant alone makes of the total energy, from its low to its high end."""
    influences = report.influences[:MOST_INFLUENCES]
    whole = energy_range(report)
    middle = whole.typical if whole else 0.0
    top = max((i.high_j for i in influences), default=0.0)
    rows = tuple(
        Row(
            influence.constant,
            render(
                charts.range_bar(
                    Range(influence.low_j, middle, influence.high_j), "J", influence.constant, top
                )
            ),
            f"{quantity(influence.low_j, 'J')} – {quantity(influence.high_j, 'J')}",
        )
        for influence in influences
        if influence.range_j > 0
    )
    return rows, render(charts.value_axis(_energy_marks(top), top))


def _energy_marks(top: float) -> list[tuple[float, str]]:
    return [(at, quantity(at, "J") if at else "0") for at in charts.ticks(top, 4)]


def _parts(
    items: Sequence[EnergyItem], colours: dict[str, str], each: float
) -> list[tuple[str, float, str]]:
    return [
        (
            colours[item.kind],
            item.energy_j.typical * each,
            f"{item.kind}: {quantity_range(item.energy_j * each, 'J')}",
        )
        for item in items
    ]


def _legend(
    items: Sequence[EnergyItem],
    colours: dict[str, str],
    each: float,
    static: EnergyItem | None,
    whole: float,
) -> Iterator[tuple[str, str, str]]:
    """Give colour, kind and share of the whole; kinds that share a colour stand together."""
    by_colour: dict[str, list[EnergyItem]] = {}
    for item in items:
        by_colour.setdefault(colours[item.kind], []).append(item)
    for colour, shared in by_colour.items():
        energy = sum(item.energy_j.typical for item in shared) * each
        yield colour, ", ".join(item.kind for item in shared), fraction(energy / whole)
    if static is not None:
        yield "idle", static.kind, fraction(static.energy_j.typical / whole)
