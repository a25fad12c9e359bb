"""The tables that stages give, laid out for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.text import printable
from kbtools.figures import Table as Figures

_NAME_WIDTH = 40
"""Up to which the first column is not broken."""


def figures_table(figures: Figures) -> Table:
    """A stage's own table; columns of numbers are aligned as such."""
    table = Table(title=Text(printable(figures.title)), title_justify="left")
    for heading, cells, numeric in zip(figures.header, zip(*figures.rows, strict=True), figures.numeric, strict=False):
        width = min(max(map(len, cells), default=0), _NAME_WIDTH) if not table.columns else None
        table.add_column(
            Text(printable(heading)), justify="right" if numeric else "left", min_width=width, overflow="fold"
        )
    for row in figures.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
