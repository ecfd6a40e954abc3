"""Tables of figures that keep their first column: on a narrow terminal they go on below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["Figures"]

_BETWEEN = 3  # columns of space that a column of figures has beside it


@dataclass
class Figures:
    """A table: titles, and rows of as many cells; the first column says what a row is.

    Cells are plain text. A row may be a heading, which has one cell, or the total.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] | None = None

    def print(self, console: Console) -> None:
        """Print as many columns at a time as fit, each part with the first column."""
        first, *others = range(len(self.titles))
        key = self._width(first) + _BETWEEN
        while others:
            room = console.width - key
            part = [others.pop(0)]
            room -= self._width(part[0]) + _BETWEEN
            while others and room >= self._width(others[0]) + _BETWEEN:
                part.append(others.pop(0))
                room -= self._width(part[-1]) + _BETWEEN
            console.print(self._table([first, *part]))

    def _width(self, column: int) -> int:
        """Give the width of a column's cells; a title may be broken, but for the first one's."""
        rows = [row for row in (*self.rows, self.total) if row is not None and len(row) > column]
        cells = [row[column] for row in rows if column or len(row) > 1]
        title = self.titles[column] if column == 0 else self.titles[column][:_LEAST]
        return max(map(len, (*cells, title)))

    def _table(self, columns: list[int]) -> Table:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, column in enumerate(columns):
            width = self._width(column)
            table.add_column(
                escape(self.titles[column]),
                justify="right" if place else "left",
                min_width=width if place == 0 else None,
                overflow="fold",
            )
        for row in self.rows:
            if len(row) == 1:
                table.add_section()
                table.add_row(f"[bold]{escape(row[0])}[/]")
            else:
                table.add_row(*(escape(row[column]) for column in columns))
        if self.total is not None:
            table.add_section()
            table.add_row(*(escape(self.total[column]) for column in columns), style="bold")
        return table


_LEAST = 12
"""Characters of a title that stay together where the cells below are shorter."""
