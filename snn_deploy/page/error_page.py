"""Float against integer as one HTML page: what differs, where it enters, and what to widen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.compare.signals import SignalError
from snn_deploy.page.errors import error_section
from snn_deploy.page.fact import Fact
from snn_deploy.page.frame import fill_page, json_link, tables_json
from snn_deploy.page.regressions import close_to_float, regression_fact
from snn_deploy.page.signal_tables import accuracy_table, errors_table
from snn_deploy.page.table import Column, Table
from snn_deploy.page.words import plural
from snn_deploy.reports.quantities import percent

if TYPE_CHECKING:
    from snn_deploy.compare.verification import Verification

__all__ = ["ErrorPage", "render_error_page"]


@dataclass(frozen=True)
class ErrorPage:
    """What is on the page: a comparison with the float network, and what its files are called."""

    outcome: Verification
    compared: AccuracyComparison
    target: str
    name: str
    data_name: str
    against_name: str


def render_error_page(page: ErrorPage) -> str:
    """Give the whole page as text, to be written as UTF-8."""
    compared = page.compared
    found = (accuracy_table(compared), errors_table(compared), _engines_table(page.outcome))
    tables = {table.key: table for table in found if table is not None}
    document = {"verify": page.outcome.to_json(), "tables": tables_json(tables)}
    return fill_page(
        "error_page.html",
        page=page,
        verdict=_verdict(page),
        facts=(
            *_right(compared),
            _noise(compared),
            _spikes(compared),
            _neurons(compared),
        ),
        errors=error_section(compared),
        tables=tables,
        json_link=json_link(document),
    )


def _verdict(page: ErrorPage) -> tuple[str, ...]:
    compared = page.compared
    same = f"It predicts what exact-LIF float does in {percent(compared.agreement)} of cases."
    told = [close_to_float(compared) if compared.regresses else same]
    told.append(compared.advice)
    engines = page.outcome.engines
    if engines and page.outcome.passed:
        names = (engines[0].engines[0], *(comparison.engines[1] for comparison in engines))
        told.append(f"The same bits from all engines: {', '.join(names)}.")
    told += [f"{comparison}." for comparison in engines if not comparison.passed]
    return tuple(told)


def _right(compared: AccuracyComparison) -> tuple[Fact, ...]:
    if compared.regresses:
        return (regression_fact(compared.regression.get("integer"), compared),)
    return _accuracy(compared), _predictions(compared)


def _accuracy(compared: AccuracyComparison) -> Fact:
    if compared.integer_accuracy is None:
        return Fact("Accuracy", "–", "no labels in the data")
    details = (
        f"float, exact LIF: {percent(compared.exact_accuracy)}",
        f"float, surrogate: {percent(compared.surrogate_accuracy)}",
    )
    return Fact("Accuracy", percent(compared.integer_accuracy), "integer, as deployed", details)


def _predictions(compared: AccuracyComparison) -> Fact:
    details = [f"largest difference of a logit: {compared.largest_logit_error:.3g}"]
    if compared.surrogate_agreement is not None:
        details.insert(0, f"as float, surrogate: {percent(compared.surrogate_agreement)}")
    return Fact(
        "Same prediction", percent(compared.agreement), "as float, exact LIF", tuple(details)
    )


def _noise(compared: AccuracyComparison) -> Fact:
    by_total = [(e.signal_to_noise_db, e) for e in compared.signals]
    worst = min(((db, e.node) for db, e in by_total if db is not None), default=None)
    if worst is None:
        return Fact("Lowest signal to noise", "exact", "no signal has an error")
    by_local = [(e.local_signal_to_noise_db, e) for e in compared.signals]
    source = min(((db, e.node) for db, e in by_local if db is not None), default=None)
    details = () if source is None else (f"most enters at {source[1]}: {source[0]:.1f} dB there",)
    return Fact("Lowest signal to noise", f"{worst[0]:.1f} dB", f"at {worst[1]}", details)


def _spikes(compared: AccuracyComparison) -> Fact:
    somas = _somas(compared)
    if not somas:
        return Fact("Spikes that differ", "–", "no soma is in both networks")
    worst = max(somas, key=lambda error: error.mismatch or 0.0)
    details = []
    trained = max(somas, key=lambda error: error.surrogate_mismatch or 0.0)
    if trained.surrogate_mismatch is not None:
        share = percent(trained.surrogate_mismatch)
        details.append(f"float, surrogate: {share} at {trained.node}")
    of = f"of neuron-steps at {worst.node}, the most of any layer"
    return Fact("Spikes that differ", percent(worst.mismatch), of, tuple(details))


def _neurons(compared: AccuracyComparison) -> Fact:
    somas = _somas(compared)
    clipped = sum(compared.saturated.values())
    details = (
        f"{sum(error.silent for error in somas):,} never spike",
        f"{sum(error.always for error in somas):,} spike at every step",
        f"{plural(clipped, 'value')} clipped",
    )
    died = sum(error.died for error in somas)
    neurons = sum(len(error.error_by_channel) for error in somas)
    of = f"of {plural(neurons, 'neuron')} spike in float and never in integers"
    return Fact("Neurons that died", f"{died:,}", of, details)


def _somas(compared: AccuracyComparison) -> list[SignalError]:
    return [error for error in compared.signals if error.mismatch is not None]


def _engines_table(outcome: Verification) -> Table | None:
    if not outcome.engines:
        return None
    columns = (
        Column("engine", "text"),
        Column("compared with", "text"),
        Column("sequences"),
        Column("steps"),
        Column("processes"),
        Column("values"),
        Column("result", "text"),
    )
    rows = tuple(
        (
            comparison.engines[1],
            comparison.engines[0],
            comparison.sequences,
            comparison.steps,
            comparison.nodes,
            comparison.values,
            "all equal" if comparison.passed else str(comparison),
        )
        for comparison in outcome.engines
    )
    return Table("engines", "Engines compared", columns, rows)
