"""Which tables the report page has, each made from the gathered data."""

from __future__ import annotations

from snn_deploy.page.chip import describe_slices
from snn_deploy.page.confusion import confusion_table
from snn_deploy.page.data import PageData
from snn_deploy.page.references import constants_table, limits_table, origin_table
from snn_deploy.page.signal_tables import (
    accuracy_table,
    errors_table,
    neurons_table,
    processes_table,
    ranges_table,
    steps_table,
)
from snn_deploy.page.table import Cell, Column, Table
from snn_deploy.reports.report import LayerReport, Report

__all__ = ["all_tables", "layers_table"]

_JOULES = tuple(Column(end, "quantity", "J") for end in ("low", "typical", "high"))


def all_tables(page: PageData) -> dict[str, Table]:
    """Give every table of the page by its key; what the target lacks is left out."""
    report = page.report
    tables = [
        layers_table(report),
        _energy_kinds(report),
        _energy_layers(report),
        _as_papers(report),
        _influences(report),
        _cores(report),
        ranges_table(page),
        None if page.comparison is None else accuracy_table(page.comparison),
        None if page.comparison is None else errors_table(page.comparison),
        confusion_table(page.answers.confusion),
        neurons_table(page),
        steps_table(page),
        processes_table(page),
        constants_table(report.profile),
        limits_table(report.profile),
        origin_table(page),
    ]
    return {table.key: table for table in tables if table is not None}


def layers_table(report: Report) -> Table:
    """Give each layer's size, activity and energy, and the whole network's."""
    columns = (
        Column("layer", "name"),
        Column("neurons"),
        Column("compartments"),
        Column("synapses"),
        Column("memory", "bytes"),
        Column("cores"),
        Column("spike rate", "share"),
        Column("activation sparsity", "share"),
        Column("synaptic operations"),
        Column("of dense", "share"),
        Column("energy", "quantity", "J"),
    )
    rows = tuple(_layer_row(layer, report) for layer in (*report.layers, report.total))
    caption = "Size, activity and typical dynamic energy a sequence"
    return Table("layers", caption, columns, rows, total=True)


def _layer_row(layer: LayerReport, report: Report) -> tuple[Cell, ...]:
    sequences, events = report.activity.sequences, layer.events
    return (
        layer.name,
        layer.neurons,
        layer.compartments,
        layer.synapses,
        layer.memory.bytes,
        layer.cores,
        layer.spike_rate,
        layer.activation_sparsity,
        events.effective / sequences,
        events.effective / events.dense if events.dense else None,
        layer.dynamic_j.typical / sequences if report.total.energy else None,
    )


def _energy_kinds(report: Report) -> Table | None:
    if not report.total.energy:
        return None
    sequences = report.activity.sequences
    columns = (
        Column("kind of event", "text"),
        Column("events"),
        Column("constant", "name"),
        Column("known", "text"),
        *_JOULES,
    )
    rows: list[tuple[Cell, ...]] = []
    for item in sorted(report.total.energy, key=lambda item: -item.energy_j.typical):
        energy = item.energy_j * (1.0 / sequences)
        ends = (energy.low, energy.typical, energy.high)
        rows.append((item.kind, item.events / sequences, item.constant, item.known, *ends))
    dynamic = report.dynamic_j
    rows.append(("dynamic", None, None, None, dynamic.low, dynamic.typical, dynamic.high))
    if report.static is not None:
        idle = report.static.energy_j
        told = (report.static.kind, None, report.static.constant, report.static.known)
        rows.insert(-1, (*told, idle.low, idle.typical, idle.high))
        total = dynamic + idle
        rows[-1] = ("total", None, None, None, total.low, total.typical, total.high)
    return Table("energy", "Energy a sequence by kind of event", columns, tuple(rows), True)


def _energy_layers(report: Report) -> Table | None:
    if not report.total.energy:
        return None
    kinds = [item.kind for item in report.total.energy]
    columns = (Column("layer", "name"), *(Column(kind, "quantity", "J") for kind in kinds))
    rows: list[tuple[Cell, ...]] = []
    for layer in (*report.layers, report.total):
        found = {item.kind: item.energy_j.typical for item in layer.energy}
        cells = [found.get(kind, 0.0) / report.activity.sequences for kind in kinds]
        rows.append((layer.name, *cells))
    caption = "Typical dynamic energy a sequence by layer and kind"
    return Table("energy-by-layer", caption, columns, tuple(rows), True)


def _cores(report: Report) -> Table | None:
    placement, timing = report.placement, report.timing
    if placement is None:
        return None
    limits = report.profile.limits
    neurons, memory = limits.get("neurons_per_core"), limits.get("memory_per_core_bytes")
    columns = (
        Column("chip"),
        Column("core"),
        Column("holds", "name"),
        Column("neurons"),
        Column("of limit", "share"),
        Column("memory", "bytes"),
        Column("of limit", "share"),
        Column("neurons, a step", "quantity", "s"),
        Column("synapses, a step", "quantity", "s"),
    )
    loads = timing.cores if timing else (None,) * len(placement.cores)
    rows = tuple(
        (
            core.chip,
            core.index,
            describe_slices(core),
            core.load.neurons,
            core.load.neurons / neurons if neurons else None,
            core.load.memory.bytes,
            core.load.memory.bytes / memory if memory else None,
            None if load is None else load.neurons_ns * 1e-9,
            None if load is None else load.synapses_ns * 1e-9,
        )
        for core, load in zip(placement.cores, loads, strict=True)
    )
    return Table("cores", "What each core holds", columns, rows)


def _as_papers(report: Report) -> Table | None:
    paper, sequences = report.paper, report.activity.sequences
    if paper is None:
        return None
    counted: tuple[tuple[str, int | None, float], ...] = (
        ("layers that spikes feed, as an artificial network", paper.ann_macs, paper.ann_j),
        ("the same, as spikes drive them", paper.snn_acs, paper.snn_j),
        ("state-space recurrence, left out of both", paper.recurrence_macs, paper.recurrence_j),
        ("all arithmetic of the spiking network", None, paper.everything_j),
    )
    rows = tuple(
        (name, None if operations is None else operations / sequences, joules / sequences)
        for name, operations, joules in counted
    )
    columns = (Column("counted", "text"), Column("operations"), Column("energy", "quantity", "J"))
    return Table("as-papers-count", "A sequence's arithmetic as papers count it", columns, rows)


def _influences(report: Report) -> Table | None:
    columns = (
        Column("constant", "name"),
        Column("energy, low end", "quantity", "J"),
        Column("energy, high end", "quantity", "J"),
        Column("time, low end", "quantity", "s"),
        Column("time, high end", "quantity", "s"),
    )
    rows = tuple((i.constant, i.low_j, i.high_j, i.low_s, i.high_s) for i in report.influences)
    caption = "A sequence's energy and time with one constant at an end of its range"
    return Table("sensitivity", caption, columns, rows) if rows else None
