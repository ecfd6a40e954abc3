"""The report page's tables of signals: ranges, errors against float, activity, and processes."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.compare.signals import SignalError
from snn_deploy.ir.timing import latencies
from snn_deploy.page.data import PageData
from snn_deploy.page.regressions import regression_table
from snn_deploy.page.table import Cell, Column, Table

__all__ = [
    "accuracy_table",
    "errors_table",
    "neurons_table",
    "processes_table",
    "ranges_table",
    "steps_table",
]

MOST_STEPS = 1024


def ranges_table(page: PageData) -> Table:
    """Give every quantity's range beside its format, and whether it can saturate."""
    judged = {saturation.node: saturation for saturation in page.report.saturation}
    columns = (
        Column("process", "name"),
        Column("quantity", "text"),
        Column("format", "name"),
        Column("largest that fits"),
        Column("99th percentile"),
        Column("largest seen"),
        Column("used", "share"),
        Column("largest possible"),
        Column("saturation", "text"),
        Column("clipped"),
    )
    rows: list[tuple[Cell, ...]] = []
    for signal in page.signals:
        node: Any = page.network[signal.node]
        found = judged.get(signal.node)
        status = count = None
        if found is not None:
            possible = signal.quantity in found.can_exceed
            status = found.status if possible else "impossible"
            count = found.count if possible else 0
        rows.append(
            (
                signal.node,
                signal.quantity,
                str(node.output) if signal.quantity in ("output", "sum") else None,
                signal.limit,
                signal.usual,
                signal.largest,
                None if signal.largest is None else signal.largest / signal.limit,
                signal.worst,
                status,
                count,
            )
        )
    caption = f"Magnitudes of integers, seen in the first {page.sampled} sequences"
    return Table("ranges", caption, columns, tuple(rows))


def accuracy_table(compared: AccuracyComparison) -> Table:
    """Give the three accuracies, or a regression's errors."""
    if compared.regresses:
        return regression_table(compared.regression, compared.sequences)
    columns = (
        Column("network", "text"),
        Column("accuracy", "share"),
        Column("same prediction as integer", "share"),
    )
    surrogate = compared.surrogate_accuracy, compared.surrogate_agreement
    rows: tuple[tuple[Cell, ...], ...] = (
        ("exact-LIF float", compared.exact_accuracy, compared.agreement),
        ("integer, as deployed", compared.integer_accuracy, None),
    )
    if any(figure is not None for figure in surrogate):
        rows = (("surrogate float, as trained", *surrogate), *rows)
    return Table("accuracy", f"{compared.sequences:,} sequences", columns, rows)


def errors_table(compared: AccuracyComparison) -> Table:
    """Give every signal's error."""
    columns = (
        Column("process", "name"),
        Column("signal to noise", "number", "dB"),
        Column("of its own doing", "number", "dB"),
        Column("spikes that differ", "share"),
        Column("of its own doing", "share"),
        Column("of surrogate float", "share"),
        Column("spike rate", "share"),
        Column("never spike"),
        Column("but do in float"),
        Column("always spike"),
        Column("clipped"),
        Column("worst step"),
        Column("worst channels", "name"),
    )
    rows = tuple(
        (
            error.node,
            error.signal_to_noise_db,
            error.local_signal_to_noise_db,
            error.mismatch,
            error.local_mismatch,
            error.surrogate_mismatch,
            error.spike_rate,
            *_extremes(error),
            error.saturated,
            error.worst_step,
            ", ".join(str(channel) for channel in error.worst_channels) or None,
        )
        for error in compared.signals
    )
    caption = "Every signal beside the exact-LIF float network's; a dash is no error at all"
    return Table("errors", caption, columns, rows)


def _extremes(error: SignalError) -> tuple[Cell, ...]:
    if error.spike_rate is None:
        return None, None, None
    return error.silent, error.died, error.always


def neurons_table(page: PageData) -> Table:
    """Spike counts of every soma: too long to be shown, there to be downloaded."""
    activity = page.report.activity
    columns = (
        Column("soma", "name"),
        Column("neuron"),
        Column("spikes"),
    )
    rows = tuple(
        (name, index, int(sent))
        for name in page.spikes
        for index, sent in enumerate(activity.messages[name])
    )
    return Table("neurons", "Spikes of every neuron over all sequences", columns, rows)


def steps_table(page: PageData) -> Table:
    """Activity of every step, or of as many parts of a sequence as a small file can hold."""
    names = list(page.by_step)
    parts = min(page.steps, MOST_STEPS)
    starts = np.arange(parts) * page.steps // parts
    sizes = np.diff(np.append(starts, page.steps))
    means = [np.add.reduceat(page.by_step[name], starts) / sizes for name in names]
    columns = (Column("first step"), *(Column(name, "share") for name in names))
    rows = tuple(
        (int(start), *(round(float(mean[i]), 6) for mean in means))
        for i, start in enumerate(starts)
    )
    return Table("activity-by-step", "Share of channels that sent a message", columns, rows)


def processes_table(page: PageData) -> Table:
    """List the processes: what the drawn graph shows."""
    network = page.network
    latency = latencies(network)
    columns = (
        Column("process", "name"),
        Column("kind", "text"),
        Column("channels"),
        Column("output format", "name"),
        Column("reads", "name"),
        Column("pipeline delay, steps"),
    )
    nodes: tuple[Any, ...] = network.nodes
    rows = tuple(
        (
            node.name,
            node.kind,
            node.width,
            str(node.output),
            ", ".join(str(edge) for edge in node.inputs) or None,
            latency[node.name],
        )
        for node in nodes
    )
    return Table("processes", "Every process; @-1 is a path that takes one step", columns, rows)
