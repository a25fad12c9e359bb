"""`kbtools show`: a few rows of a dataset, readably."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from kbtools import pipeline
from kbtools.cli.options import KeyValue, pairs
from kbtools.cli.ui import completion
from kbtools.cli.ui.display import console
from kbtools.cli.ui.rows import one_split, rendered
from kbtools.cli.ui.text import printable
from kbtools.data.columns import Schema
from kbtools.data.table import column, row_name
from kbtools.errors import UsageError
from kbtools.plugins import registry

if TYPE_CHECKING:
    from datasets import Dataset


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
    names = {index: row_name(found, index, columns) for index in rows}
    click.echo(f"{dataset}: {_counted(whole, found)}, {len(whole.column_names)} columns")
    for index in rows:
        console().print()
        console().rule(Text(printable(names[index])), align="left")
        for part in rendered(found[index], full=rest["full"]):
            console().print(part, soft_wrap=True)


def _filtered(ds: Dataset, where: str | None, columns: dict[str, str]) -> Dataset:
    if where is None:
        return ds
    found: Any = registry().stage("filter")(where=where, nulls="drop", columns=columns)(ds)  # type: ignore[call-arg]
    return found


def _chosen(ds: Dataset, row: int | None, row_id: str | None, count: int, columns: dict[str, str]) -> Sequence[int]:
    """Indices of the rows to show."""
    if row is not None:
        if not -ds.num_rows <= row < ds.num_rows:
            raise UsageError(f"--row {row}: there are {ds.num_rows} rows, counted from 0.")
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
        return f"{whole.num_rows:,} rows"
    return f"{found.num_rows:,} of {whole.num_rows:,} rows"
