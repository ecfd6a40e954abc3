"""Reports and profiles on the terminal, readable from 40 columns on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Limit, Quantity
from snn_deploy.reports.columns import Figures
from snn_deploy.reports.paper import PaperCount
from snn_deploy.reports.quantities import (
    count,
    fraction,
    kibibytes,
    percent,
    quantity,
    quantity_range,
)
from snn_deploy.reports.report import LayerReport, Report
from snn_deploy.reports.timing import Timing

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from snn_deploy.run.answers import Answers

__all__ = ["render_profile", "render_profiles", "render_report", "report_lines"]


def render_report(report: Report, console: Console) -> None:
    """Print a report: size, activity and energy of each layer, then time, energy and notes."""
    activity = report.activity
    console.print(
        f"[bold]{_plain(report.profile.name)}[/] {report.profile.version}"
        f" · {activity.sequences} sequences of {activity.steps} steps",
        highlight=False,
    )
    if report.answers is not None:
        _print_scores(report.answers, console)
    tables = {
        "Size": _size_table(report),
        "Activity a sequence, counted": _activity_table(report),
        "Dynamic energy a sequence: counts × constants": _energy_table(report),
    }
    for title, figures in tables.items():
        if figures is not None:
            console.print(f"\n[bold]{title}[/]", highlight=False)
            figures.print(console)
    console.print(_summary(report))
    _print_notes(report.notes, console)


def _print_scores(answers: Answers, console: Console) -> None:
    for score in _scores(answers):
        console.print(score)


def _scores(answers: Answers) -> list[str]:
    accuracy = [] if answers.accuracy is None else [f"accuracy {percent(answers.accuracy)}"]
    return accuracy + ([] if answers.regression is None else [str(answers.regression)])


def report_lines(report: Report) -> list[str]:
    """Give what matters most of a report, a line each: scores, activity, place, time, energy."""
    total, sequences = report.total, report.activity.sequences
    lines = [] if report.answers is None else _scores(report.answers)
    told = f"{count(total.events.effective / sequences)} synaptic operations a sequence"
    if total.activation_sparsity is not None:
        told += f", activation sparsity {fraction(total.activation_sparsity)}"
    lines += [told, f"memory {kibibytes(total.memory.bytes)}"]
    if report.placement is not None:
        lines += [f"{name} {value}" for name, value in _placement_rows(report.placement)]
    if report.timing is not None:
        lines.append(f"time a sequence {quantity_range(report.timing.sequence_s, 's')}")
    if report.total.energy:
        energy = report.total_j or report.dynamic_j
        lines.append(f"energy a sequence {quantity_range(energy, 'J')}")
    return lines + [f"{name} {value}".strip() for name, value in _health_rows(report)]


def render_profiles(profiles: Sequence[Profile], console: Console) -> None:
    """Print one line for each profile."""
    table = _new_table("target", "cores", "what it is", left={0, 2})
    for profile in profiles:
        table.add_row(_plain(profile.name), _cores(profile), _plain(profile.summary))
    console.print(table)


def render_profile(profile: Profile, console: Console) -> None:
    """Print a profile: every number with its unit, how well it is known, and its source."""
    console.print(f"[bold]{_plain(profile.name)}[/] {profile.version}", highlight=False)
    console.print(_plain(profile.summary), highlight=False)
    console.print(_plain(f"supports: {profile.supports.words}"), highlight=False)
    marks = {source: number for number, source in enumerate(profile.sources, start=1)}
    for section in ("limits", "lif", "energy", "time", "power", "mesh", "board", "fpga"):
        numbers = [
            (key.split(".")[1], number)
            for key, number in profile.constants()
            if key.startswith(f"{section}.")
        ]
        if numbers:
            _print_constants(section, numbers, marks, console)
    console.print()
    for source, mark in marks.items():
        console.print(f"[{mark}] {profile.sources[source]}", markup=False, highlight=False)
    _print_notes(profile.notes, console)


def _plain(text: str) -> str:
    """Keep rich from reading square brackets in names as markup."""
    from rich.markup import escape

    return escape(text)


def _cores(profile: Profile) -> str:
    return "–" if profile.cores is None else f"{profile.cores:,}"


def _new_table(*columns: str, left: set[int] | None = None) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        is_text = index in (left or {0})
        table.add_column(column, justify="left" if is_text else "right", no_wrap=not is_text)
    return table


Cell = Callable[[LayerReport], str]


def _by_layer(report: Report, titles: Sequence[str], *columns: Cell) -> Figures:
    """Give a row for each layer, and the total."""
    rows = [
        (layer.name, *(cell(layer) for cell in columns)) for layer in (*report.layers, report.total)
    ]
    return Figures(titles, rows[:-1], rows[-1])


def _size_table(report: Report) -> Figures:
    return _by_layer(
        report,
        ("layer", "neurons", "compart.", "synapses", "memory", "cores"),
        lambda layer: count(layer.neurons),
        lambda layer: count(layer.compartments),
        lambda layer: count(layer.synapses),
        lambda layer: kibibytes(layer.memory.bytes),
        lambda layer: "–" if layer.cores is None else str(layer.cores),
    )


def _activity_table(report: Report) -> Figures:
    sequences = report.activity.sequences
    return _by_layer(
        report,
        ("layer", "rate", "sparsity", "synops", "of dense", "updates"),
        lambda layer: fraction(layer.spike_rate),
        lambda layer: fraction(layer.activation_sparsity),
        lambda layer: count(layer.events.effective / sequences),
        lambda layer: fraction(
            layer.events.effective / layer.events.dense if layer.events.dense else None
        ),
        lambda layer: count(
            (layer.events.neuron_updates + layer.events.compartment_updates) / sequences
        ),
    )


def _energy_table(report: Report) -> Figures | None:
    sequences = report.activity.sequences
    if not report.total.energy:
        return None

    def bound(name: str) -> Cell:
        return lambda layer: quantity(getattr(layer.dynamic_j, name) / sequences, "J")

    titles = ("layer", "low", "typical", "high")
    return _by_layer(report, titles, bound("low"), bound("typical"), bound("high"))


def _summary(report: Report) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in _summary_rows(report):
        table.add_row(name, _plain(value))
    return table


def _summary_rows(report: Report) -> list[tuple[str, str]]:
    rows = []
    if report.placement is not None:
        rows += _placement_rows(report.placement)
    if report.timing is not None:
        rows += _time_rows(report.timing)
    if report.total.energy:
        rows.append(("dynamic energy", quantity_range(report.dynamic_j, "J") + " a sequence"))
    if report.static is not None:
        rows.append(("static energy", quantity_range(report.static.energy_j, "J") + " a sequence"))
    if report.influences:
        rows.append(("hangs most on", ", ".join(i.constant for i in report.influences[:3])))
    if report.paper is not None:
        rows += _paper_rows(report.paper, report.activity.sequences)
    if report.known:
        rows.append(("constants are", " and ".join(report.known)))
    if report.buffer_bytes:
        rows.append(("sequence buffer", f"{kibibytes(report.buffer_bytes)} outside the neurons"))
    return rows + _health_rows(report)


def _placement_rows(placement: Placement) -> list[tuple[str, str]]:
    used, chips = len(placement.cores), placement.chips
    purpose = {"time": ", spread for speed", "cores": ""}[placement.objective]
    return [
        ("fits into", _plural(placement.least_cores, "core")),
        ("placed on", f"{_plural(used, 'core')} of {_plural(chips, 'chip')}{purpose}"),
    ]


def _paper_rows(paper: PaperCount, sequences: int) -> list[tuple[str, str]]:
    ann, snn, recurrence = (
        quantity(joules / sequences, "J")
        for joules in (paper.ann_j, paper.snn_j, paper.recurrence_j)
    )
    return [
        ("as papers count", f"{ann} as an ANN, {snn} with spikes"),
        ("they leave out", f"{recurrence} of the recurrence"),
    ]


def _plural(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _time_rows(timing: Timing) -> list[tuple[str, str]]:
    rows = [("time a step", quantity_range(timing.step_s, "s"))]
    what, share = timing.limited_by[0]
    rows.append(("", f"set by the {what} in {fraction(share)} of the steps"))
    if timing.token_s is not None:
        rows.append(("time a token", quantity_range(timing.token_s, "s")))
    told = f" ({timing.passes} passes)" if timing.passes > 1 else ""
    rows.append(("time a sequence", quantity_range(timing.sequence_s, "s") + told))
    return rows


def _health_rows(report: Report) -> list[tuple[str, str]]:
    total = report.total
    statuses = [judged.status for judged in report.saturation]
    told = ", ".join(
        f"{statuses.count(status)} {status}"
        for status in ("impossible", "unseen", "seen", "not counted")
        if status in statuses
    )
    rows = [("saturation", told)] if told else []
    rows += [
        ("", f"{judged.node}: {judged.count:,} values clipped")
        for judged in report.saturation
        if judged.status == "seen"
    ]
    if total.spike_rate is not None:
        extremes = f"{total.silent_neurons} silent, {total.always_firing_neurons} always firing"
        rows.append(("somas", extremes))
    return rows


def _print_notes(notes: tuple[str, ...], console: Console) -> None:
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False, style="dim")


def _print_constants(
    section: str,
    numbers: list[tuple[str, Limit | Quantity]],
    marks: dict[str, int],
    console: Console,
) -> None:
    table = _new_table(section, "value", "known", "from", left={0, 2, 3})
    for key, number in numbers:
        table.add_row(key, _value(number), number.known, _plain(f"[{marks[number.source]}]"))
    console.print(table)
    for key, number in numbers:
        if number.note:
            console.print(f"  {key}: {number.note}", markup=False, highlight=False, style="dim")


def _value(number: Limit | Quantity) -> str:
    if isinstance(number, Limit):
        return "–" if number.value is None else f"{number.value:,}"
    if number.low == number.high:
        return f"{number.typical:g}"
    return f"{number.low:g} – {number.typical:g} – {number.high:g}"
