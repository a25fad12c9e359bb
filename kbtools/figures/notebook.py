"""What a notebook shows of chains, results and lineages: small tables in the notebook's own colours, light or dark.

Everything here is text until it is escaped in one place. Styles are written at the elements and take the colours of the
page around them, so that nothing of ours changes the rest of a notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from kbtools.figures import Table
from kbtools.wording import visible

_LINE = "border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent)"
_CELL = f"{_LINE}; padding: 0.25em 0.9em 0.25em 0; vertical-align: top; background: none; white-space: pre-wrap"
_LEFT, _RIGHT = f"{_CELL}; text-align: left", f"{_CELL}; text-align: right; font-variant-numeric: tabular-nums"
_MOST_LINES = 200


def page(*parts: Table | str) -> str:
    """Tables and sentences as HTML, one below the other."""
    inner = "".join(_table(part) if isinstance(part, Table) else _sentence(part) for part in parts)
    return f'<div style="color: inherit; line-height: 1.4">{inner}</div>'


def settings(fields: Mapping[str, object]) -> str:
    """Settings as Python takes them: `where='reward > 0.5', key=['code']`."""
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())


def numbered(title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table whose lines are counted, as stages of a chain are."""
    return Table(title, ("", *header), tuple((str(place), *row) for place, row in enumerate(rows, start=1)))


def _text(text: str) -> str:
    return escape(visible(text))


def _sentence(text: str) -> str:
    return f'<p style="margin: 0.3em 0">{_text(text)}</p>' if text else ""


def _table(table: Table) -> str:
    styles = [_RIGHT if numeric else _LEFT for numeric in table.numeric]
    head = "".join(
        f'<th style="{style}; font-weight: 600">{_text(cell)}</th>'
        for style, cell in zip(styles, table.header, strict=True)
    )
    body = "".join(_line(row, styles) for row in table.rows[:_MOST_LINES])
    more = len(table.rows) - _MOST_LINES
    rest = _sentence(f"and {more:,} more" if more > 0 else "")
    return (
        f'{_sentence(table.title)}<table style="border-collapse: collapse; margin: 0.3em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
    )


def _line(row: tuple[str, ...], styles: list[str]) -> str:
    cells = (f'<td style="{style}">{_text(cell)}</td>' for style, cell in zip(styles, row, strict=True))
    return f"<tr>{''.join(cells)}</tr>"
