"""What notebooks show of results: small pages in frames, which nothing of the notebook can disturb.

A frame is sandboxed: of its own script it may run nothing but the page's, and that reaches nothing
outside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import escape

from snn_deploy.page.energy import energy_section
from snn_deploy.page.frame import fill_page
from snn_deploy.page.sections import chip_section
from snn_deploy.page.table import Column, Table
from snn_deploy.page.tables import layers_table

if TYPE_CHECKING:
    from snn_deploy.compare.verification import Verification
    from snn_deploy.ir.network import Network
    from snn_deploy.reports.report import Report
    from snn_deploy.run.simulation import Simulation

__all__ = ["brief_report", "framed", "network_html", "plain_table", "simulation_html"]
__all__ += ["verification_html"]


def framed(page: str, height: int = 640) -> str:
    """Give a page as a frame of a notebook's cell, ``height`` pixels high."""
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{height}" '
        f'style="border: 0" srcdoc="{escape(page)}"></iframe>'
    )


def brief_report(report: Report) -> str:
    """Give a report's layers, energy and placement as a page of their own."""
    answers = report.answers
    scores = ""
    if answers is not None and answers.accuracy is not None:
        scores = f"accuracy {answers.accuracy:.2%}"
    elif answers is not None and answers.regression is not None:
        scores = str(answers.regression)
    return fill_page(
        "report_brief.html",
        report=report,
        profile=report.profile,
        scores=scores,
        layers=layers_table(report),
        energy=energy_section(report),
        chips=chip_section(report),
    )


def verification_html(verification: Verification) -> str:
    """Give what engines and networks agree on in words, and every signal's error in a table."""
    from snn_deploy.page.signal_tables import errors_table

    told = f"<pre>{escape(repr(verification))}</pre>"
    if verification.accuracy is None:
        return told
    return told + plain_table(errors_table(verification.accuracy))


def network_html(network: Network, told: str) -> str:
    """Give what is told of a network, and its nodes in a table."""
    texts = (Column(title, "text") for title in ("reads", "sends"))
    columns = (Column("node", "name"), Column("kind", "text"), Column("width"), *texts)
    rows = tuple(
        (n.name, n.kind, n.width, ", ".join(map(str, n.inputs)), str(getattr(n, "output", "")))
        for n in network
    )
    return f"<pre>{escape(told)}</pre>" + plain_table(Table("nodes", "Nodes", columns, rows))


def simulation_html(simulation: Simulation) -> str:
    """Give what was answered in words, and each layer's spikes in a table."""
    counts = Column("spikes a sequence", "number"), Column("silent neurons")
    columns = (Column("layer", "name"), Column("neurons"), *counts)
    rows = tuple(
        (name, c.shape[1], float(c.sum(axis=1).mean()), int((c.sum(axis=0) == 0).sum()))
        for name, c in simulation.spike_counts.items()
    )
    told = f"<pre>{escape(repr(simulation))}</pre>"
    return told + plain_table(Table("spikes", "Spikes", columns, rows))


def plain_table(table: Table) -> str:
    """Give a table's markup alone, which a notebook styles as its own."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in table.shown
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
