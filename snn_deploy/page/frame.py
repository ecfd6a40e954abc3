"""What every page shares: its frame, style and script, and the promise to load and run no more.

A page forbids itself every request and every script but its own (a Content-Security-Policy with
their digests), so that nothing in a file that somebody else made can run when it is opened.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from markupsafe import Markup

from snn_deploy.page.table import Table, data_link
from snn_deploy.page.words import plural
from snn_deploy.version import __version__

__all__ = ["fill_page", "json_link", "tables_json"]


def fill_page(template: str, **content: Any) -> str:
    """Fill a template that extends ``page.html``; give the whole page, to be written as UTF-8."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("snn_deploy.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _template("report.css"), _template("report.js")
    return environment.get_template(template).render(
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        plural=plural,
        **content,
    )


def json_link(document: dict[str, Any]) -> str:
    """Give plain data as a link to download."""
    text = json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)
    return data_link("application/json", text)


def tables_json(tables: dict[str, Table]) -> dict[str, Any]:
    """Give a page's tables as plain data."""
    return {
        key: {
            "caption": table.caption,
            "columns": [{"title": column.title, "unit": column.unit} for column in table.columns],
            "rows": table.rows,
        }
        for key, table in tables.items()
    }


def _template(name: str) -> str:
    file = resources.files("snn_deploy.page") / "templates" / name
    return file.read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allow this very style sheet and script, pictures inside the page, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _finite(value: Any) -> Any:
    """Write what JSON has no number for, such as an unbounded range, as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
