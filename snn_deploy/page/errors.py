"""Drawings of where error enters: by signal, by layer, over time, by channel, and odd neurons."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.compare.signals import SignalError
from snn_deploy.page import charts
from snn_deploy.page.energy import Row
from snn_deploy.page.svg import render
from snn_deploy.page.words import plural
from snn_deploy.reports.quantities import fraction, percent

__all__ = ["Chart", "ErrorSection", "error_section"]


@dataclass(frozen=True)
class Chart:
    """Rows above one axis, and what the axis counts."""

    rows: tuple[Row, ...]
    axis: Markup
    axis_name: str


@dataclass(frozen=True)
class ErrorSection:
    """All drawings; each chart is None where there is nothing to draw.

    ``exact`` names the signals without any error, which charts over time and channels leave out.
    """

    noise: Chart | None
    spikes: Chart | None
    has_surrogate: bool
    spikes_over_time: Chart | None
    noise_over_time: Chart | None
    channels: tuple[Chart, ...]
    neurons: tuple[Row, ...]
    exact: tuple[str, ...]
    clipped: str


def error_section(compared: AccuracyComparison) -> ErrorSection:
    """Draw a comparison of the integer network with the float network."""
    somas = [error for error in compared.signals if error.mismatch is not None]
    graded = [error for error in compared.signals if error.mismatch is None]
    wrong = [error for error in compared.signals if error.worst_channels]
    return ErrorSection(
        noise=_noise(graded),
        spikes=_spikes(somas),
        has_surrogate=any(error.surrogate_mismatch is not None for error in somas),
        spikes_over_time=_spikes_over_time([e for e in somas if e in wrong], compared.steps),
        noise_over_time=_noise_over_time([e for e in graded if e in wrong], compared.steps),
        channels=tuple(_channels(wrong)),
        neurons=tuple(_neurons(error) for error in somas),
        exact=tuple(error.node for error in compared.signals if error not in wrong),
        clipped=_clipped(compared),
    )


def _clipped(compared: AccuracyComparison) -> str:
    """Say which nodes clipped how many values."""
    if not compared.saturated:
        return "No value was clipped."
    told = (f"{count:,} at {name}" for name, count in compared.saturated.items())
    return f"Clipped values: {', '.join(told)}."


def _noise(graded: Sequence[SignalError]) -> Chart | None:
    known = [
        value
        for error in graded
        for value in (error.signal_to_noise_db, error.local_signal_to_noise_db)
        if value is not None
    ]
    top = 20.0 * max(1, math.ceil(max(known, default=0.0) / 20.0))
    rows = tuple(_noise_row(error, top) for error in graded)
    return _chart(rows, [(at, f"{at:g}") for at in charts.ticks(top)], top, "decibels")


def _noise_row(error: SignalError, top: float) -> Row:
    total, local = error.signal_to_noise_db, error.local_signal_to_noise_db
    here = "adds none" if local is None else f"{local:.1f} dB here"
    figure = "exact" if total is None else f"{total:.1f} dB"
    drawn = charts.marked_bars([("usual", total or 0.0)], local, top, f"{error.node}: {figure}")
    return Row(error.node, render(drawn), figure, "" if total is None else here)


def _spikes(somas: Sequence[SignalError]) -> Chart | None:
    shares = [max(error.mismatch or 0.0, error.surrogate_mismatch or 0.0) for error in somas]
    top = charts.round_up(max(shares, default=0.0))
    rows = tuple(_spikes_row(error, top) for error in somas)
    return _chart(rows, _percent_marks(top), top, "of neuron-steps")


def _spikes_row(error: SignalError, top: float) -> Row:
    bars = [("usual", error.mismatch or 0.0)]
    told = f"{error.node}: {percent(error.mismatch)} of integer spikes differ"
    surrogate = ""
    if error.surrogate_mismatch is not None:
        bars.append(("k1", error.surrogate_mismatch))
        surrogate = f"surrogate {percent(error.surrogate_mismatch)}"
    drawn = charts.marked_bars(bars, error.local_mismatch, top, f"{told}; {surrogate}".rstrip("; "))
    return Row(error.node, render(drawn), percent(error.mismatch), surrogate)


def _spikes_over_time(somas: Sequence[SignalError], steps: int) -> Chart | None:
    top = charts.round_up(max((max(error.error_by_step) for error in somas), default=0.0))
    rows = []
    for error in somas:
        most = f"{percent(max(error.error_by_step))} at most"
        told = f"{error.node}: {percent(error.mismatch)} of spikes differ, {most}"
        drawn = charts.over_time(np.array(error.error_by_step), top, told)
        rows.append(Row(error.node, render(drawn), f"step {error.worst_step}", most))
    return _over_steps(rows, steps)


def _noise_over_time(graded: Sequence[SignalError], steps: int) -> Chart | None:
    rows = []
    for error in graded:
        most = max(error.error_by_step)
        ratio = f"{-10.0 * math.log10(most):.1f} dB"
        told = f"{error.node}: error most at step {error.worst_step}, signal to noise {ratio}"
        drawn = charts.over_time(np.array(error.error_by_step), most, told)
        rows.append(Row(error.node, render(drawn), f"step {error.worst_step}", ratio))
    return _over_steps(rows, steps)


def _over_steps(rows: Sequence[Row], steps: int) -> Chart | None:
    return Chart(tuple(rows), render(charts.step_axis(steps)), "step") if rows else None


def _channels(wrong: Sequence[SignalError]) -> Iterator[Chart]:
    """Draw channels, signals of one width above each other; a single channel is no chart."""
    for width in sorted({len(error.error_by_channel) for error in wrong} - {1}):
        errors = [error for error in wrong if len(error.error_by_channel) == width]
        axis = render(charts.step_axis(width))
        yield Chart(tuple(_channels_row(error) for error in errors), axis, "channel")


def _channels_row(error: SignalError) -> Row:
    values = np.array(error.error_by_channel)
    share = fraction(float(values[list(error.worst_channels)].sum() / values.sum()))
    worst = ", ".join(str(channel) for channel in error.worst_channels)
    told = f"{error.node}: {share} of the error in the worst channels, {worst}"
    drawn = charts.over_time(values, float(values.max()), told, pool=np.max)
    return Row(error.node, render(drawn), worst, f"{share} of it")


def _neurons(error: SignalError) -> Row:
    width = len(error.error_by_channel)
    kept_silent = error.silent - error.died
    parts = [
        ("idle", kept_silent, f"{kept_silent:,} never spike, as in float"),
        ("k1", error.died, f"{error.died:,} never spike, but do in float"),
        ("k5", error.always, f"{error.always:,} spike at every step"),
        ("k0", width - error.silent - error.always, "all others"),
    ]
    told = f"{error.silent:,} never, {error.died:,} died, {error.always:,} always"
    label = f"{error.node}, {plural(width, 'neuron')}: {told}"
    drawn = charts.stacked_bar([(c, float(n), words) for c, n, words in parts], width, label)
    return Row(
        error.node,
        render(drawn),
        f"{error.silent:,} never",
        f"{error.died:,} died, {error.always:,} always",
        alarm=error.died > 0 or error.always > 0,
    )


def _percent_marks(top: float) -> list[tuple[float, str]]:
    return [(at, f"{100 * at:g}%") for at in charts.ticks(top)]


def _chart(
    rows: tuple[Row, ...], marks: Sequence[tuple[float, str]], top: float, name: str
) -> Chart | None:
    return Chart(rows, render(charts.value_axis(marks, top)), name) if rows else None
