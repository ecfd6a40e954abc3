"""The report as one HTML page that needs nothing beside it: no server, no network, no fonts."""

from __future__ import annotations

from snn_deploy.page.confusion import confusion_section
from snn_deploy.page.data import PageData
from snn_deploy.page.energy import energy_section
from snn_deploy.page.errors import error_section
from snn_deploy.page.frame import fill_page, json_link, tables_json
from snn_deploy.page.graph import draw_network
from snn_deploy.page.references import sources_of
from snn_deploy.page.sections import chip_section, layer_sections, time_section
from snn_deploy.page.svg import render
from snn_deploy.page.table import Table
from snn_deploy.page.tables import all_tables
from snn_deploy.page.words import facts, verdict

__all__ = ["render_page"]


def render_page(page: PageData) -> str:
    """Give the whole page as text, to be written as UTF-8."""
    tables = all_tables(page)
    return fill_page(
        "report.html",
        page=page,
        report=page.report,
        profile=page.report.profile,
        verdict=verdict(page),
        facts=facts(page),
        tables=tables,
        json_link=_json(page, tables),
        chips=chip_section(page.report),
        energy=energy_section(page.report),
        over_time=time_section(page),
        layers=layer_sections(page),
        confusion=confusion_section(page.answers.confusion),
        errors=None if page.comparison is None else error_section(page.comparison),
        sources=[page.report.profile.sources[key] for key in sources_of(page.report.profile)],
        graph=render(draw_network(page.network)),
    )


def _json(page: PageData, tables: dict[str, Table]) -> str:
    """The cost report's JSON form, and beside it every table of the page."""
    return json_link(
        {
            "report": page.report.to_json(),
            "accuracy": {
                "sequences": page.sequences,
                "labelled": page.labelled,
                "correct": page.correct,
                **page.answers.scores(),
                "against_float": None if page.comparison is None else page.comparison.to_json(),
            },
            "tables": tables_json(tables),
        }
    )
