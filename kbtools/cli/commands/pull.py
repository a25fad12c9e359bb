"""`kbtools pull`: a dataset of the Hub becomes a local file, with where it came from beside it."""

from __future__ import annotations

import os

import click

from kbtools import pipeline
from kbtools.cli.replacing import check_output
from kbtools.data.io import save as saving
from kbtools.data.io.source import Source, local_path
from kbtools.data.table import rows_text


@click.command()
@click.argument("repo")
@click.option("--out", metavar="FILE", required=True, help="Where to: .parquet, .jsonl[.gz|.zst] or a folder.")
@click.option("--split", metavar="NAME", help="Split to load; all when not given.")
@click.option("--config", metavar="NAME", help="Configuration of the dataset.")
@click.option("--revision", metavar="REV", help="Commit, tag or branch.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is something else.")
@click.option("--offline", is_flag=True, help="Take it from the cache, without asking the Hub.")
def pull_command(
    repo: str, out: str, split: str | None, config: str | None, revision: str | None, offline: bool, overwrite: bool
) -> None:
    """Copy a dataset of the Hub into a file. REPO is [hf://datasets/]OWNER/NAME[@REVISION]."""
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read by the client when it is first imported, which comes later
    target, source = local_path(out), Source(dataset=repo, split=split, config=config, revision=revision)
    saving.check_target(target)
    lines = check_output(target, source, overwrite=overwrite)
    data = pipeline.load_source(source)
    for name in data if isinstance(data, dict) else ():
        lines += check_output(saving.split_file(target, name), source, overwrite=overwrite)
    for line in dict.fromkeys(lines):
        click.echo(line, err=True)
    files = pipeline.save(data, out)
    click.echo(f"wrote {rows_text(pipeline.count(data))} to {', '.join(map(str, files))}")
