"""Tables of the report page: raw values, shown with one unit a column, given whole as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Cell", "Column", "Table", "data_link", "scale_of"]

Cell = str | int | float | None
Kind = Literal["text", "name", "literal", "count", "number", "share", "bytes", "quantity"]

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column.

    Parameters
    ----------
    title
        Its heading.
    kind
        ``name`` is text in a fixed-width font, ``literal`` a number written out as text;
        ``quantity`` has a ``unit``, whose prefix is the same in the whole table; ``share`` is shown
        as per cent.
    unit
        Without a prefix.
    hidden
        Only for the file: on the page something shorter stands for it.
    """

    title: str
    kind: Kind = "count"
    unit: str = ""
    hidden: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it reads from the left."""
        return self.kind in ("text", "name")


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    key
        What its file is called, without the ending.
    caption
        What it shows.
    columns, rows
        Every row has a cell a column; quantities in base units.
    total
        Whether the last row sums up the others.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False

    @property
    def shown_columns(self) -> list[Column]:
        """Those that the page shows."""
        return [column for column in self.columns if not column.hidden]

    @property
    def headings(self) -> list[str]:
        """Titles with units, of the shown columns."""
        scales = self._scales()
        return [_heading(column, scales) for column in self.shown_columns]

    @property
    def shown(self) -> list[list[str]]:
        """Cells as people read them, by row."""
        scales = self._scales()
        columns = [_show_column(c, v, scales) for c, v in self._by_column() if not c.hidden]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def csv(self) -> str:
        """All values in full, in base units; text that a spreadsheet would run is quoted."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        titles = (f"{c.title} ({c.unit})" if c.unit else c.title for c in self.columns)
        writer.writerow([_csv_cell(title) for title in titles])
        writer.writerows([_csv_cell(cell) for cell in row] for row in self.rows)
        return out.getvalue()

    @property
    def link(self) -> str:
        """The CSV as a link to download."""
        return data_link("text/csv", self.csv)

    def _by_column(self) -> Iterator[tuple[Column, list[Cell]]]:
        for index, column in enumerate(self.columns):
            yield column, [row[index] for row in self.rows]

    def _scales(self) -> dict[str, int]:
        """By unit: the power of ten that all its columns are shown in."""
        cells: dict[str, list[Cell]] = {}
        for column, values in self._by_column():
            if column.kind == "quantity":
                cells.setdefault(column.unit, []).extend(values)
        return {unit: scale_of(values) for unit, values in cells.items()}


def data_link(media: str, text: str) -> str:
    """Give text as a ``data:`` link; encoded, so that none of it can be taken for markup."""
    import base64

    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return f"data:{media};charset=utf-8;base64,{encoded}"


def scale_of(values: Sequence[Cell]) -> int:
    """Choose the power of ten, a multiple of 3, in which the largest value is 3 … 3,000."""
    numbers = [abs(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]
    top = max(numbers, default=0)
    if not top:
        return 0
    return max(-15, min(9, math.floor((math.log10(top) - 0.5) / 3) * 3))


def _heading(column: Column, scales: dict[str, int]) -> str:
    if column.kind == "quantity":
        return f"{column.title}, {_PREFIXES[scales[column.unit]]}{column.unit}"
    units = {"share": "%", "bytes": "KiB", "number": column.unit}
    unit = units.get(column.kind)
    return f"{column.title}, {unit}" if unit else column.title


def _show_column(column: Column, values: list[Cell], scales: dict[str, int]) -> list[str]:
    if column.is_text or column.kind == "literal":
        return [NOTHING if value is None else str(value) for value in values]
    factor = {"share": 100.0, "bytes": 1 / 1024}.get(column.kind, 1.0)
    if column.kind == "quantity":
        factor = 10.0 ** -scales[column.unit]
    numbers = [None if v is None or isinstance(v, str) else v * factor for v in values]
    if column.kind == "share":
        return [NOTHING if n is None else _write(n, 2) for n in numbers]
    return _aligned(numbers, column.kind == "count")


def _aligned(numbers: Sequence[float | None], whole: bool) -> list[str]:
    """Write numbers with the same decimals, so that points stand below each other."""
    top = max((abs(n) for n in numbers if n is not None and math.isfinite(n)), default=0.0)
    decimals = 0 if whole else 1 if top >= 100 else 2
    return [NOTHING if n is None else _write(n, decimals) for n in numbers]


def _write(number: float, decimals: int) -> str:
    if math.isinf(number):
        return "∞"
    least = 10.0**-decimals
    if 0 < abs(number) < least / 2:
        return f"<{least:.{decimals}f}"
    return f"{number:,.{decimals}f}"


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        plain = cell.replace("\0", "\N{REPLACEMENT CHARACTER}")  # which csv files cannot hold
        return f"'{plain}" if plain.startswith(_FORMULA) else plain
    return repr(cell)
