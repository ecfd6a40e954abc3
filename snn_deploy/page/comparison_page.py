"""Deployments side by side as one HTML page: what each answers, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from snn_deploy.page.charts import marked_bars, range_bar, ticks, value_axis
from snn_deploy.page.energy import Row
from snn_deploy.page.frame import fill_page, json_link, tables_json
from snn_deploy.page.svg import render
from snn_deploy.page.table import Column, Table
from snn_deploy.reports.compare import Candidate, Comparison
from snn_deploy.reports.compare_table import basis_lines, comparison_rows
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import kibibytes, percent, quantity, quantity_range

__all__ = ["ComparisonPage", "render_comparison_page"]


@dataclass(frozen=True)
class ComparisonPage:
    """What is on the page, and what the data's file is called."""

    comparison: Comparison
    data_name: str


@dataclass(frozen=True)
class _Chart:
    """A bar for each deployment, on one scale."""

    title: str
    words: str
    rows: tuple[Row, ...]
    axis: Markup


def render_comparison_page(page: ComparisonPage) -> str:
    """Give the whole page as text, to be written as UTF-8."""
    comparison = page.comparison
    table = _table(comparison)
    notes = dict.fromkeys(n for c in comparison.candidates for n in c.report.profile.notes)
    document = {"compare": comparison.to_json(), "tables": tables_json({table.key: table})}
    return fill_page(
        "comparison.html",
        page=page,
        comparison=comparison,
        names=[candidate.name for candidate in comparison.candidates],
        charts=tuple(_charts(comparison)),
        table=table,
        notes=(*basis_lines(comparison), *notes),
        json_link=json_link(document),
    )


def _charts(comparison: Comparison) -> Iterator[_Chart]:
    several = comparison.candidates
    shares = [("accuracy", "Accuracy", "The share of right answers.")]
    shares.append(
        ("same_as_float", "Same answer as float", "Answers that the float network gives.")
    )
    for key, title, words in shares:
        values = [getattr(candidate, key) for candidate in several]
        if any(value is not None for value in values):
            yield _shares(title, words, several, values)
    yield _amounts("Memory", several, lambda c: _exactly(c.report.total.memory.bytes), "B")
    yield _amounts("Time of a sequence", several, _time, "s")
    yield _amounts("Energy of a sequence", several, _energy, "J")
    yield _amounts(
        "Arithmetic alone at 45 nm",
        several,
        lambda c: _exactly(c.arithmetic.snn_everything_j),
        "J",
    )


def _shares(
    title: str, words: str, several: Sequence[Candidate], values: Sequence[float | None]
) -> _Chart:
    rows = []
    for candidate, value in zip(several, values, strict=True):
        told = f"{candidate.name}: {percent(value)}"
        bar = marked_bars([("usual", value or 0.0)], None, 1.0, told)
        rows.append(Row(candidate.name, render(bar), percent(value)))
    axis = value_axis([(at, f"{100 * at:g}%") for at in ticks(1.0, 4)], 1.0)
    return _Chart(title, words, tuple(rows), render(axis))


def _amounts(
    title: str, several: Sequence[Candidate], figure: Callable[[Candidate], Range | None], unit: str
) -> _Chart:
    values = [figure(candidate) for candidate in several]
    top = max((value.high for value in values if value is not None), default=0.0)
    rows = []
    for candidate, value in zip(several, values, strict=True):
        if value is None:
            rows.append(Row(candidate.name, Markup(""), "–"))
            continue
        told = _written(value.typical, unit)
        bounds = quantity_range(value, unit) if value.low < value.high else ""
        bar = range_bar(value, unit, candidate.name, top)
        if not bounds:  # it is known exactly
            bar = marked_bars(
                [("usual", value.typical)], None, top or 1.0, f"{candidate.name}: {told}"
            )
        rows.append(Row(candidate.name, render(bar), told, bounds))
    scale = _scale(top, unit)
    marks = [
        (at * scale, _written(at * scale, unit) if at else "0") for at in ticks(top / scale, 4)
    ]
    ranges = any(row.detail for row in rows)
    words = (
        "A line is the typical value, a band runs from the low to the high end." if ranges else ""
    )
    return _Chart(title, words, tuple(rows), render(value_axis(marks, top)))


def _written(value: float, unit: str) -> str:
    return kibibytes(round(value)) if unit == "B" else quantity(value, unit)


def _scale(top: float, unit: str) -> int:
    """Give the unit in which marks are round: KiB or MiB of bytes."""
    if unit != "B":
        return 1
    return 1024 if top < 1024 * 1000 else 1024**2


def _exactly(value: float) -> Range:
    return Range(value, value, value)


def _time(candidate: Candidate) -> Range | None:
    timing = candidate.report.timing
    return None if timing is None else timing.sequence_s


def _energy(candidate: Candidate) -> Range | None:
    report = candidate.report
    return (report.total_j or report.dynamic_j) if report.total.energy else None


def _table(comparison: Comparison) -> Table:
    names = [candidate.name for candidate in comparison.candidates]
    columns = (Column("a sequence", "text"), *(Column(name, "text") for name in names))
    rows = tuple(
        (title, *(cells or ("",) * len(names))) for title, cells in comparison_rows(comparison)
    )
    return Table("compare", "All figures; ranges are low – typical – high", columns, rows)
