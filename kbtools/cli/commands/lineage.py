"""`kbtools lineage FILE`: how a file was made, stage by stage."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.display import config_text
from kbtools.cli.ui.text import printable
from kbtools.lineage import Lineage, StageRecord, read_lineage
from kbtools.paths import PathType


@click.command()
@click.argument("file", type=PathType())
@click.option("--json", "as_json", is_flag=True, help="Print the lineage as JSON, which `kbtools run` also takes.")
def lineage_command(file: Path, as_json: bool) -> None:
    """Show how FILE was made: an output of kbtools, or the lineage beside it."""
    lineage = read_lineage(file)
    if as_json:
        click.echo(lineage.model_dump_json(indent=1, exclude_none=True))
        return
    for label, value in _facts(lineage).items():
        console().print(Text(printable(f"{label}: {value}")), soft_wrap=True)
    console().print(_table(lineage))
    for record in lineage.records:
        for note in record.notes:
            console().print(Text(printable(f"note of {record.stage}: {note}")), soft_wrap=True)


def _facts(lineage: Lineage) -> dict[str, str]:
    source = lineage.source.model_dump(exclude_none=True) if lineage.source else {}
    name = source.pop("dataset", "rows made in Python, which cannot be loaded again")
    pins = "".join(f" {key}={value}" for key, value in source.items())
    found = {
        "source": f"{name}{pins}",
        "seed": "" if lineage.seed is None else str(lineage.seed),
        "made": lineage.created or "",
        "versions": ", ".join(f"{package} {version}" for package, version in lineage.versions.items()),
    }
    return {label: value for label, value in found.items() if value}


def _table(lineage: Lineage) -> Table:
    table = Table("stage", "config", "version")
    for heading in ("in", "out"):
        table.add_column(heading, justify="right")
    for heading in ("dropped and failed", "prompts"):
        table.add_column(heading)
    table.add_column("seconds", justify="right")
    for entry, record in zip_longest(lineage.stages, lineage.records):
        table.add_row(*(Text(printable(cell)) for cell in (*_config_cells(entry, record), *_record_cells(record))))
    return table


def _config_cells(entry: dict[str, object] | None, record: StageRecord | None) -> tuple[str, str]:
    name = str(entry.get("stage", "(no name)")) if entry else record.stage if record else ""
    return name, config_text(entry or {})


def _record_cells(record: StageRecord | None) -> tuple[str, ...]:
    if record is None:
        return ("", "", "", "not run", "", "")
    return (
        f"{record.distribution} {record.version}".strip(),
        f"{record.rows_in:,}",
        f"{record.rows_out:,}",
        "\n".join(record.why()),
        "\n".join(f"{spec} {digest[:12]}" for spec, digest in record.prompts.items()),
        "" if record.seconds is None else f"{record.seconds:.2f}",
    )
