"""`kbtools label`: a page on this machine where a person labels rows, one at a time."""

from __future__ import annotations

import asyncio
import re
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kbtools import pipeline
from kbtools.cli.options import KeyValue, pairs
from kbtools.cli.ui import completion
from kbtools.cli.ui.row_views import one_split
from kbtools.data.columns import Schema, column_type
from kbtools.data.io.source import Source, local_path
from kbtools.data.labels import LabelQuestion, Value, opened
from kbtools.data.table import column, rows_text
from kbtools.errors import SchemaError, UsageError
from kbtools.serving import serving
from kbtools.wording import counted

if TYPE_CHECKING:
    from datasets import Dataset

    from kbtools.labelling.app import Labelling

_LOW_TO_HIGH = ("low", "medium", "high")
_MOST_VALUES = 30
_RANGE = re.compile(r"(?P<low>-?\d+)-(?P<high>-?\d+)")


@click.command()
@click.argument("dataset", shell_complete=completion.files)
@click.option("--column", "asked", required=True, metavar="NAME", help="What is labelled, e.g. difficulty.")
@click.option(
    "--values",
    metavar="A,B,C",
    help="The labels, lowest first, or a range such as 0-10.  [default: those of the column, or low,medium,high]",
)
@click.option("--show", metavar="C1,C2", help="Columns whose texts are shown.  [default: reference and answer]")
@click.option("--out", metavar="FILE", help="File of the labels.  [default: NAME-COLUMN.labels.jsonl]")
@click.option("--split", metavar="NAME", help="Split to label.")
@click.option("--config", metavar="NAME", help="Configuration of a Hub dataset.")
@click.option("--revision", metavar="REV", help="Commit, tag or branch of a Hub dataset.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first rows.")
@click.option("--columns", type=KeyValue(), multiple=True, help="Which column holds a role, e.g. row_id=my_col.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on this machine.  [default: a free one]")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
def label_command(dataset: str, asked: str, values: str | None, show: str | None, out: str | None, **rest: Any) -> None:
    """Label rows of DATASET by hand, one at a time: Hub id, file, folder, or sample.

    Keys 1 to 9 give a label. A judge's verdict is hidden until you ask for it. Every label is written at once, and a
    second run goes on. Then compare with the judge:

        kbtools apply add-labels --labels FILE agreement --between difficulty,gold_difficulty --dataset DATASET
    """
    source = {name: rest[name] for name in ("split", "config", "revision", "limit")}
    ds, columns = one_split(pipeline.load(dataset, **source), dataset), pairs(rest["columns"])
    if not ds.num_rows:
        raise UsageError(f"{dataset} has no rows to label.")
    question = LabelQuestion(column=asked, values=_values(ds, asked, values), shown=_shown(ds, show, columns))
    target = local_path(out or f"{Source(dataset=dataset).short_name}-{asked}.labels.jsonl")
    with opened(target, question) as file:
        from kbtools.labelling.app import Labelling

        labelling = Labelling(ds, file, f"{asked} of {Path(dataset).name}", columns)
        click.echo(f"{rows_text(ds.num_rows)}, of which {labelling.done:,} have a label in {target}")
        try:
            asyncio.run(_serve(labelling, rest["port"], opens=rest["opens"]))
        except OSError as error:
            raise UsageError(f"--port {rest['port']}: {error.strerror}.") from error
        click.echo(f"{labelling.done:,} of {rows_text(ds.num_rows)} have a label in {target}")


async def _serve(labelling: Labelling, port: int, *, opens: bool) -> None:
    """Answer on loopback until Ctrl-C or SIGTERM."""
    from kbtools.labelling.app import application

    async with serving(application(labelling), "127.0.0.1", port, patience=1) as server:
        url = f"{server.url}/{labelling.token}/"
        click.echo(f"label at {url} (Ctrl-C ends; every label is written at once)")
        if opens:
            await asyncio.to_thread(webbrowser.open, url)
        await server.ended.wait()


def _shown(ds: Dataset, show: str | None, columns: dict[str, str]) -> tuple[str, ...]:
    """Paths of the columns that are shown."""
    schema = Schema(ds.features, columns)
    if show is not None:
        return tuple(schema.require(schema.locate(name.strip()), "messages") for name in show.split(","))
    answers = [role for role in ("completion", "triton_code") if schema.has(role)]
    found = [schema.readable(role) for role in ("reference_code", *answers[:1]) if schema.has(role)]
    if not found:
        raise SchemaError(
            f"no column is known to hold code: name what to show with --show. Columns: {schema.describe()}"
        )
    return tuple(found)


def _values(ds: Dataset, asked: str, values: str | None) -> tuple[Value, ...]:
    """The labels to choose from, lowest first."""
    found = _written(values) if values is not None else _judged(ds, asked)
    if not 2 <= len(found) <= _MOST_VALUES or len(set(found)) != len(found):
        raise UsageError(
            f"--values: give 2 to {counted(_MOST_VALUES, 'different label')}, such as low,medium,high or 0-10."
        )
    return found


def _written(text: str) -> tuple[Value, ...]:
    if match := _RANGE.fullmatch(text.strip()):
        return tuple(range(int(match["low"]), min(int(match["high"]), int(match["low"]) + _MOST_VALUES) + 1))
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for kind in (int, float):
        try:
            return tuple(kind(word) for word in words)
        except ValueError:
            continue
    return words


def _judged(ds: Dataset, asked: str) -> tuple[Value, ...]:
    """The labels that the column has already; low, medium and high where there is no such column."""
    kind = column_type(ds.features, asked)
    if kind is None:
        return _LOW_TO_HIGH
    if getattr(kind, "dtype", "") not in ("string", "large_string"):
        raise UsageError(f"column {asked!r} does not hold words: give the labels with --values, such as --values 0-10.")
    found = set(column(ds, asked).unique().to_pylist()) - {None, "unparsable"}
    return _LOW_TO_HIGH if found <= set(_LOW_TO_HIGH) else tuple(sorted(found))
