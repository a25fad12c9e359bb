"""`kbtools status`: the runs that are under way on this machine."""

from __future__ import annotations

import datetime
import json
import time

import click
from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.display import money_text
from kbtools.cli.ui.text import printable
from kbtools.pipeline.under_way import RunState, runs


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(as_json: bool) -> None:
    """Show the runs under way on this machine, from any shell: stage, rows, failures, cost and time to go."""
    found = runs()
    if as_json:
        click.echo(json.dumps([state.model_dump() for state in found], ensure_ascii=False, indent=1))
        return
    if not found:
        click.echo("no run is under way on this machine.")
        return
    table = Table("pid", "run", "stage", "done", "failed", "cost", "for", "to go")
    for state in found:
        table.add_row(*(Text(printable(cell)) for cell in _cells(state)))
    console().print(table)


def _cells(state: RunState) -> tuple[str, ...]:
    share = f" ({state.done / state.rows:.0%})" if state.rows else ""
    return (
        str(state.pid),
        state.command,
        f"[{state.position}/{state.stages}] {state.stage}",
        f"{state.done:,} of {state.rows:,}{share}",
        f"{state.failed:,}",
        "" if state.cost is None else money_text(state.cost),
        _time(time.time() - state.began),
        "" if state.to_go is None else _time(state.to_go),
    )


def _time(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
