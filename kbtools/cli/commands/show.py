"""`kbtools show`: a few rows of a dataset, readably."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from kbtools import pipeline
from kbtools.cli.options import KeyValue, pairs
from kbtools.cli.ui import completion
from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.row_views import one_split, rendered
from kbtools.cli.ui.text import printable
from kbtools.data.columns import Schema
from kbtools.data.table import column, row_names, rows_text
from kbtools.errors import UsageError
from kbtools.plugins import registry
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset


_TOGETHER = 100
"""Rows that are read and named at once: the first are printed before the last are read."""


@click.command()
@click.argument("dataset", shell_complete=completion.files)
@click.option("--row", type=int, metavar="N", help="Only the row of this index.")
@click.option("--id", "row_id", metavar="X", help="Only the rows of this id (example_id, uuid, id).")
@click.option(
    "-n", "count", type=click.IntRange(min=0), default=5, metavar="N", help="How many rows.", show_default=True
)
@click.option("--where", metavar="EXPR", help="Only rows for which this is true; as in `kbtools apply filter`.")
@click.option("--split", metavar="NAME", help="Split to look at.")
@click.option("--config", metavar="NAME", help="Configuration of a Hub dataset.")
@click.option("--revision", metavar="REV", help="Commit, tag or branch of a Hub dataset.")
@click.option("--columns", type=KeyValue(), multiple=True, help="Which column holds a role, e.g. row_id=my_col.")
@click.option("--full", is_flag=True, help="Show long fields whole.")
def show_command(dataset: str, row: int | None, row_id: str | None, where: str | None, count: int, **rest: Any) -> None:
    """Look at the rows of DATASET: Hub id, file, folder, or sample."""
    source = {name: rest[name] for name in ("split", "config", "revision")}
    columns = pairs(rest["columns"])
    whole = one_split(pipeline.load(dataset, **source), dataset)
    found = _filtered(whole, where, columns)
    rows = _chosen(found, row, row_id, count, columns)
    click.echo(f"{dataset}: {_counted(whole, found)}, {counted(len(whole.column_names), 'column')}")
    there = console()
    screen, width = there if there.is_terminal else None, there.width  # asked once: each answer takes its time
    for at in range(0, len(rows), _TOGETHER):
        some = rows[at : at + _TOGETHER]
        for name, values in zip(row_names(found, some, columns), _rows(found, some), strict=True):
            _print(printable(name), rendered(values, full=rest["full"]), screen, width)


def _rows(ds: Dataset, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Rows that are taken out of Arrow together: one by one this would take longer than to print them."""
    values = ds.select(indices)[:]
    return (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


def _print(name: str, parts: Iterable[Text], screen: Console | None, width: int) -> None:
    """A row under its name; off a terminal there are no colours, and laying out text would take most of the time."""
    if screen is not None:
        screen.print()
        screen.rule(Text(name), align="left")
        for part in parts:
            screen.print(part, soft_wrap=True)
    else:
        rule = "─" * max(0, width - cell_len(name) - 1)
        lines = ["", f"{name} {rule}", *(part.plain.expandtabs(8) for part in parts)]
        sys.stdout.write("\n".join(lines) + "\n")  # click would answer an ASCII terminal in UTF-8


def _filtered(ds: Dataset, where: str | None, columns: dict[str, str]) -> Dataset:
    if where is None:
        return ds
    found: Any = registry().stage("filter")(where=where, nulls="drop", columns=columns)(ds)  # type: ignore[call-arg]
    return found


def _chosen(ds: Dataset, row: int | None, row_id: str | None, count: int, columns: dict[str, str]) -> Sequence[int]:
    """Indices of the rows to show."""
    if row is not None:
        if not -ds.num_rows <= row < ds.num_rows:
            raise UsageError(f"--row {row}: there are {rows_text(ds.num_rows)}, counted from 0.")
        return [row % ds.num_rows]
    if row_id is None:
        return range(min(count, ds.num_rows))
    path = Schema(ds.features, columns).find("row_id")
    rows = [index for index, value in enumerate(column(ds, path).to_pylist()) if str(value) == row_id]
    if not rows:
        raise UsageError(f"--id {row_id}: no row has that {path}.")
    return rows


def _counted(whole: Dataset, found: Dataset) -> str:
    if found is whole:
        return rows_text(whole.num_rows)
    return f"{found.num_rows:,} of {rows_text(whole.num_rows)}"
