"""Tables of what the report page stands on: constants and their sources, and its own origin."""

from __future__ import annotations

from typing import Any

from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Limit, Quantity
from snn_deploy.page.data import PageData
from snn_deploy.page.table import Cell, Column, Table
from snn_deploy.page.words import plural

__all__ = ["constants_table", "limits_table", "origin_table", "sources_of"]


def sources_of(profile: Profile) -> dict[str, int]:
    """Number the sources that the profile's constants name, in the order of their first use."""
    named = dict.fromkeys(number.source for _, number in profile.constants())
    return {source: index for index, source in enumerate(named, start=1)}


_REFERENCE = (
    Column("known", "text"),
    Column("from", "text"),
    Column("note", "text"),
    Column("source", "text", hidden=True),
)


def _reference(number: Limit | Quantity, profile: Profile) -> tuple[Cell, ...]:
    mark = f"[{sources_of(profile)[number.source]}]"
    return number.known, mark, number.note or None, profile.sources[number.source]


def constants_table(profile: Profile) -> Table | None:
    """Give energies, times and powers with how well they are known and from where."""
    columns = (
        Column("constant", "name"),
        Column("low", "literal"),
        Column("typical", "literal"),
        Column("high", "literal"),
        *_REFERENCE,
    )
    rows = tuple(
        (
            key,
            *(f"{end:g}" for end in (number.low, number.typical, number.high)),
            *_reference(number, profile),
        )
        for key, number in profile.constants()
        if isinstance(number, Quantity)
    )
    caption = f"Costs of {profile.name} {profile.version}; units are in the names"
    return Table("constants", caption, columns, rows) if rows else None


def limits_table(profile: Profile) -> Table | None:
    """Give limits and the mesh in the same way."""
    columns = (Column("limit", "name"), Column("value", "literal"), *_REFERENCE)
    rows = tuple(
        (
            key,
            "not published" if number.value is None else f"{number.value:,}",
            *_reference(number, profile),
        )
        for key, number in profile.constants()
        if isinstance(number, Limit)
    )
    caption = f"Limits and mesh of {profile.name} {profile.version}"
    return Table("limits", caption, columns, rows) if rows else None


def origin_table(page: PageData) -> Table:
    """Give the files, the target and every setting that the deployment came from."""
    origin = page.deployment.origin
    size = f"{plural(page.sequences, 'sequence')} of {plural(page.steps, 'step')}"
    rows: list[tuple[Cell, ...]] = [
        ("deployment", page.name),
        ("checkpoint", origin.checkpoint),
        ("checkpoint's SHA-256", origin.checkpoint_sha256),
        ("target", f"{origin.profile} {origin.profile_version}"),
        ("data", f"{page.data_name}: {size}"),
        ("calibration", _words(origin.calibration)),
        ("made by", f"snn-deploy {origin.tool_version}"),
    ]
    rows += [(f"setting {key}", str(value)) for key, value in origin.settings.items()]
    columns = (Column("what", "text"), Column("value", "name"))
    return Table("origin", "Where it comes from", columns, tuple(rows))


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
