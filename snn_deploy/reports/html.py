"""The report as one HTML page that needs nothing beside it: no server, no network, no fonts.

The page forbids itself every request and every script but its own (a Content-Security-Policy with
their digests), so that nothing in a file that somebody else made can run when it is opened.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from markupsafe import Markup

from snn_deploy.reports.page_data import PageData
from snn_deploy.reports.page_energy import energy_section
from snn_deploy.reports.page_graph import draw_network
from snn_deploy.reports.page_references import sources_of
from snn_deploy.reports.page_sections import (
    chip_section,
    layer_sections,
    time_section,
)
from snn_deploy.reports.page_svg import render
from snn_deploy.reports.page_table import Table, data_link
from snn_deploy.reports.page_tables import all_tables
from snn_deploy.reports.page_words import facts, plural, verdict
from snn_deploy.version import __version__

__all__ = ["render_page"]


def render_page(page: PageData) -> str:
    """Give the whole page as text, to be written as UTF-8."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("snn_deploy.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _template("report.css"), _template("report.js")
    tables = all_tables(page)
    return environment.get_template("report.html").render(
        page=page,
        report=page.report,
        profile=page.report.profile,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        verdict=verdict(page),
        facts=facts(page),
        plural=plural,
        tables=tables,
        json_link=data_link("application/json", _json(page, tables)),
        chips=chip_section(page),
        energy=energy_section(page),
        over_time=time_section(page),
        layers=layer_sections(page),
        sources=[page.report.profile.sources[key] for key in sources_of(page.report.profile)],
        graph=render(draw_network(page.network)),
    )


def _template(name: str) -> str:
    file = resources.files("snn_deploy.reports") / "templates" / name
    return file.read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allow this very style sheet and script, pictures inside the page, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(page: PageData, tables: dict[str, Table]) -> str:
    """The cost report's JSON form, and beside it every table of the page."""
    document: dict[str, Any] = {
        "report": page.report.to_json(),
        "accuracy": {
            "sequences": page.sequences,
            "correct": page.correct,
            "against_float": None if page.comparison is None else page.comparison.to_json(),
        },
        "tables": {
            key: {
                "caption": table.caption,
                "columns": [
                    {"title": column.title, "unit": column.unit} for column in table.columns
                ],
                "rows": table.rows,
            }
            for key, table in tables.items()
        },
    }
    return json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    """Write what JSON has no number for, such as an unbounded range, as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
