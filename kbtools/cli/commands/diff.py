"""`kbtools diff`: what two datasets, or two revisions of one, differ in. Ends with 1 when they do, as diff(1)."""

from __future__ import annotations

import dataclasses
import json

import click
from rich.table import Table
from rich.text import Text

from kbtools import pipeline
from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.stdout import heard_or_not
from kbtools.data.diff import DatasetDiff, SplitDifference, compare
from kbtools.data.hub.datasets import is_on_hub
from kbtools.data.io.source import Source
from kbtools.data.table import rows_text
from kbtools.errors import UsageError


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--key", multiple=True, metavar="COLUMN", help="Column that tells rows apart; repeatable.  [default: id]")
@click.option("--split", metavar="NAME", help="Only this split.")
@click.option("--config", metavar="NAME", help="Configuration of datasets on the Hub.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff_command(old: str, new: str, key: tuple[str, ...], split: str | None, config: str | None, as_json: bool) -> int:
    """Compare two datasets: columns, rows by key, and figures of each column.

    OLD and NEW are files, folders, Hub ids, or Hub ids at a revision (me/x@main, me/x@1a2b3c). Ends with 0 when nothing
    differs and with 1 when something does.
    """
    sources = [Source(dataset=name, split=split) for name in (old, new)]
    sides = [pipeline.load_source(source) for source in _with_config(sources, config)]
    found = compare(sides[0], sides[1], key)
    with heard_or_not():
        if as_json:
            click.echo(json.dumps({"same": found.same, **dataclasses.asdict(found)}, ensure_ascii=False))
        else:
            _show(found)
    return 0 if found.same else 1


def _with_config(sources: list[Source], config: str | None) -> list[Source]:
    """The sources with the configuration where they are on the Hub: a file has none to choose from."""
    on_hub = [is_on_hub(source) for source in sources]
    if config is not None and not any(on_hub):
        raise UsageError(f"--config {config}: neither side is a dataset on the Hub.")
    return [
        source.model_copy(update={"config": config}) if there else source
        for source, there in zip(sources, on_hub, strict=True)
    ]


def _show(found: DatasetDiff) -> None:
    for change in found.schema:
        click.echo(change)
    rows = (
        f"rows are told apart by {', '.join(found.key)}" if found.key else "rows have no key: whole rows are compared"
    )
    click.echo(rows)
    for name, split in found.splits.items():
        before, after = split.rows
        click.echo(f"{name}: {rows_text(before)}, then {after:,}: {split.added:,} added, {split.removed:,} removed, "
                   f"{split.changed:,} changed")  # fmt: skip
        for what, keys in split.examples.items():
            click.echo(f"  {what}: {'; '.join(keys)}{' ...' if getattr(split, what) > len(keys) else ''}")
        if not split.same:
            console().print(_columns(split))
    click.echo("no difference" if found.same else "they differ")


def _columns(split: SplitDifference) -> Table:
    """Nulls and means on both sides; of texts the mean length."""
    table = Table("column")
    for heading in ("changed", "nulls", "nulls then", "mean", "mean then"):
        table.add_column(heading, justify="right")
    for name, figures in split.columns.items():
        means = ["" if mean is None else f"{mean:.4g}" for mean in figures.mean]
        table.add_row(Text(name), f"{figures.changed:,}", *(f"{nulls:,}" for nulls in figures.nulls), *means)
    return table
