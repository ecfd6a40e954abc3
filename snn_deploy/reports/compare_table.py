"""A comparison on the terminal: a column for each deployment, a row for each figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from snn_deploy.compare.regression import Regression
from snn_deploy.reports.columns import Figures
from snn_deploy.reports.compare import Arithmetic, Candidate, Comparison
from snn_deploy.reports.quantities import count, fraction, kibibytes, quantity, quantity_range

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["basis_lines", "comparison_rows", "render_comparison"]

NOTHING = "–"
Cell = Callable[[Candidate], str]


def render_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison; figures are of one sequence."""
    console.print(
        f"{comparison.sequences:,} sequences of {comparison.steps:,} steps; energies and times are "
        "of one sequence, low – typical – high"
    )
    titles = ["", *(candidate.name for candidate in comparison.candidates)]
    Figures(titles, [(title, *cells) for title, cells in comparison_rows(comparison)]).print(
        console
    )
    for told in basis_lines(comparison):
        console.print(told, markup=False, highlight=False, style="dim")
    for note in dict.fromkeys(n for c in comparison.candidates for n in c.report.profile.notes):
        console.print(f"note: {note}", markup=False, highlight=False, style="dim")


def comparison_rows(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """Give each row's title and cells; a heading has no cells."""
    several = comparison.candidates
    for title, cell in (*_rows(comparison), *_cost_rows()):
        cells = [cell(candidate) for candidate in several]
        if any(text != NOTHING for text in cells):
            yield title, cells
    yield from _board_rows(several)
    yield "Arithmetic alone at 45 nm, 32-bit floating point", []
    for title, figure in _ARITHMETIC_ROWS:
        yield title, [figure(candidate.arithmetic) for candidate in several]


def _board_rows(several: Sequence[Candidate]) -> Iterator[tuple[str, list[str]]]:
    found = [{figure.title: figure.text for figure in c.board} for c in several]
    titles = dict.fromkeys(title for figures in found for title in figures)
    if titles:
        yield "On the board", []
    for title in titles:
        yield title, [figures.get(title, NOTHING) for figures in found]


def basis_lines(comparison: Comparison) -> Iterator[str]:
    """Say of each deployment how its figures are known."""
    for candidate in comparison.candidates:
        report = candidate.report
        known = {"simulated": ["answers", "activity"], "worked out": ["memory"]}
        priced = [
            number.known
            for key, number in report.profile.constants()
            if key.startswith(("energy.", "time.", "power."))
        ]
        if report.placement is not None:
            known["worked out"].append("cores")
        if priced:
            counts = ", ".join(f"{n} {what}" for what, n in Counter(priced).most_common())
            known[f"modelled from constants, {counts}"] = ["time", "energy"]
        for figure in candidate.board:
            known.setdefault(figure.basis, []).append(figure.title)
        told = "; ".join(f"{', '.join(figures)}: {basis}" for basis, figures in known.items())
        yield f"{candidate.name}, how it is known: {told}"


def _rows(comparison: Comparison) -> Iterator[tuple[str, Cell]]:
    """What each is, and how it answers."""
    yield "target", lambda c: f"{c.report.profile.name} {c.report.profile.version}"
    for key in comparison.settings_that_differ():
        yield key, lambda c, key=key: str(c.deployment.origin.settings.get(key, NOTHING))  # type: ignore[misc]
    yield "lowering", _lowering
    yield "accuracy", lambda c: _percent(c.accuracy)
    yield from _regression_rows(comparison)
    if comparison.float_bytes is not None:
        told = _percent(comparison.float_accuracy)
        yield "accuracy of float", lambda c: told
        yield "same answer as float", lambda c: _percent(c.same_as_float)
    yield "same answer as first", lambda c: _percent(c.same_as_first)
    if comparison.float_bytes is not None:
        size = kibibytes(comparison.float_bytes)
        yield "memory of float", lambda c: size


def _regression_rows(comparison: Comparison) -> Iterator[tuple[str, Cell]]:
    figures: tuple[tuple[str, Callable[[Regression], float | None]], ...] = (
        ("mean squared error", lambda r: r.mean_squared_error),
        ("R²", lambda r: r.r2),
        ("SNR, dB", lambda r: r.snr_db),
        ("SI-SNR, dB", lambda r: r.si_snr_db),
    )
    for title, figure in figures:

        def told(regression: Regression | None, figure: Any = figure) -> str:
            value = None if regression is None else figure(regression)
            return NOTHING if value is None else f"{value:.4g}"

        yield title, lambda c, told=told: told(c.regression)  # type: ignore[misc]
        if comparison.float_regression is not None:
            of_float = told(comparison.float_regression)
            yield f"{title} of float", lambda c, of_float=of_float: of_float  # type: ignore[misc]


def _cost_rows() -> tuple[tuple[str, Cell], ...]:
    return (
        ("memory", lambda c: kibibytes(c.report.total.memory.bytes)),
        ("spike rate", lambda c: fraction(c.report.total.spike_rate)),
        ("synops", lambda c: count(c.report.total.events.effective / c.report.activity.sequences)),
        ("fits into cores", lambda c: _placed(c, "least_cores")),
        ("placed on cores", _cores),
        ("chips", lambda c: _placed(c, "chips")),
        ("time a step", lambda c: _time(c, "step_s")),
        ("time a token", lambda c: _time(c, "token_s")),
        ("time", lambda c: _time(c, "sequence_s")),
        ("dynamic energy", _dynamic),
        ("energy", _total),
    )


def _macs(number: float) -> str:
    return f"{count(number)} MAC"


_ARITHMETIC_ROWS: tuple[tuple[str, Callable[[Arithmetic], str]], ...] = (
    ("as ANN, spiking layers", lambda a: f"{_macs(a.ann_macs)} {quantity(a.ann_j, 'J')}"),
    ("as SNN, the same", lambda a: f"{count(a.snn_acs)} AC {quantity(a.snn_j, 'J')}"),
    (
        "recurrence, left out",
        lambda a: f"{_macs(a.recurrence_macs)} {quantity(a.recurrence_j, 'J')}",
    ),
    ("as ANN, everything", lambda a: quantity(a.ann_everything_j, "J")),
    ("as SNN, everything", lambda a: quantity(a.snn_everything_j, "J")),
)


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.2f}%"


def _lowering(candidate: Candidate) -> str:
    placement = candidate.report.placement
    return NOTHING if placement is None else f"a neuron per {placement.lowering}"


def _placed(candidate: Candidate, figure: str) -> str:
    placement = candidate.report.placement
    return NOTHING if placement is None else f"{getattr(placement, figure):,}"


def _cores(candidate: Candidate) -> str:
    placement = candidate.report.placement
    return NOTHING if placement is None else f"{len(placement.cores):,}"


def _time(candidate: Candidate, figure: str) -> str:
    timing = candidate.report.timing
    value = None if timing is None else getattr(timing, figure)
    return NOTHING if value is None else quantity_range(value, "s")


def _dynamic(candidate: Candidate) -> str:
    report = candidate.report
    return quantity_range(report.dynamic_j, "J") if report.total.energy else NOTHING


def _total(candidate: Candidate) -> str:
    total = candidate.report.total_j
    return NOTHING if total is None else quantity_range(total, "J")
