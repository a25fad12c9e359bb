"""`kbtools report`: one HTML file about a dataset, to be opened in a browser without a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kbtools import lineage as lineages
from kbtools import pipeline
from kbtools.cli.options import KeyValue, pairs
from kbtools.data.hub.client import NoFile
from kbtools.data.io import own_files
from kbtools.data.io.save import split_names_beside
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import rows_text
from kbtools.errors import UsageError
from kbtools.lineage import Lineage

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@click.command()
@click.argument("dataset")
@click.option("--out", default="report.html", show_default=True, metavar="FILE", help="The file to write.")
@click.option("--plots", metavar="DIR", help="Write the figures as PNG and SVG as well.")
@click.option("--title", metavar="TEXT", help="Title of the page.  [default: the dataset's name]")
@click.option("--split", metavar="NAME", help="Only this split.")
@click.option("--config", metavar="NAME", help="Configuration of a Hub dataset.")
@click.option("--revision", metavar="REV", help="Commit, tag or branch of a Hub dataset.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Only the first N rows of each split.")
@click.option("--columns", type=KeyValue(), multiple=True, help="Which column holds a role, e.g. row_id=my_col.")
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Bootstrap samples for the intervals of correlations that the pipeline has not measured; 0 for none.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are not an earlier report about this dataset.")
def report_command(dataset: str, out: str, plots: str | None, title: str | None, overwrite: bool, **rest: Any) -> None:
    """Write an HTML report about DATASET: Hub id, file, folder, or sample."""
    target = local_path(out)
    if target.suffix != ".html":
        raise UsageError(f"--out {out}: the name of a report ends in .html.")
    source = Source(dataset=dataset, **{name: rest[name] for name in ("split", "config", "revision", "limit")})
    with own_files.made_from(source), own_files.replacing(foreign=overwrite):
        for line in own_files.check(target, own_files.mark(), "give another name with --out"):
            click.echo(line, err=True)
        _write(dataset, target, plots, title, **rest)


def _write(dataset: str, target: Path, plots: str | None, title: str | None, **rest: Any) -> None:
    from kbtools.report import page

    began = time.perf_counter()
    data = pipeline.load(dataset, **{name: rest[name] for name in ("split", "config", "revision", "limit")})
    lineage = _lineage(dataset, data)
    options = page.ReportOptions(title or Path(dataset).name, pairs(rest["columns"]), rest["resamples"])
    report = page.make(data, lineage, options)
    target.parent.mkdir(parents=True, exist_ok=True)
    page.write(report, target)
    if plots:
        from kbtools.report.plots import save

        files = save(report.charts(), local_path(plots))
        click.echo(f"drew {len(files) // 2} figures as PNG and SVG in {plots}")
    size = target.stat().st_size
    if warning := page.too_large(report, size):
        click.echo(f"note: {warning}", err=True)
    click.echo(
        f"wrote {rows_text(report.rows)} to {target} ({size / 1e6:,.1f} MB, {time.perf_counter() - began:.1f} s)"
    )


def _lineage(dataset: str, data: Dataset | DatasetDict) -> Lineage:
    """How the rows were made, if a record beside them says so; otherwise only where they were loaded from."""
    path = local_path(dataset)
    loaded = lineages.of(data)
    try:
        if path.exists() or split_names_beside(path):
            return lineages.read_lineage(path)
        if loaded.source and loaded.source.revision and not loaded.records:  # on the Hub, at a commit
            return lineages.read_hub(_hub_record(loaded.source))
    except (lineages.NoLineage, NoFile):
        pass  # rows that kbtools did not write
    return loaded


def _hub_record(source: Source) -> str:
    """Address of the lineage that a push puts beside the rows."""
    folder = f"{source.config}/" if source.config not in (None, "default") else ""
    return f"hf://datasets/{source.dataset}@{source.revision}/{folder}kbtools-lineage.json"
