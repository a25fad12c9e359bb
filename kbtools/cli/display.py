"""What a run shows: progress on a terminal, plain lines elsewhere, a table at the end, or JSON for programs.

Progress and messages go to stderr; the table, the JSON and the place of the result go to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from kbtools.lineage import StageRecord
from kbtools.pipeline import Run, count
from kbtools.stage import Stage

_WIDE = 120


def console(*, stderr: bool = False) -> Console:
    """A console that is wide enough for tables when it is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDE, highlight=False)


def view(stages: int, *, quiet: bool, json_output: bool) -> View:
    """The view of a run: JSON, silence, a terminal's progress bars, or plain lines."""
    if json_output:
        return JsonView(stages, quiet=quiet)
    if sys.stderr.isatty() and not quiet:
        return TerminalView(stages, quiet=quiet)
    return View(stages, quiet=quiet)


class View:
    """Plain lines: one when a stage begins, one when it is done."""

    def __init__(self, stages: int, *, quiet: bool) -> None:
        self.stages = stages
        self.quiet = quiet
        self.position = 0

    def __enter__(self) -> View:
        import datasets

        datasets.disable_progress_bars()  # ours replaces the bars of every single map
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import datasets

        datasets.enable_progress_bars()

    def say(self, text: str) -> None:
        """A message for people."""
        if not self.quiet:
            click.echo(text, err=True)

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A stage begins."""
        self.position = position
        self.say(f"[{position}/{self.stages}] {stage.name}: {rows:,} rows")

    def advanced(self, rows: int) -> None:
        """Plain lines show no progress within a stage."""

    def finished(self, record: StageRecord) -> None:
        """A stage is done."""
        self.say(f"[{self.position}/{self.stages}] {record.stage}: {_outcome(record)}")
        for note in record.notes:
            self.say(f"    note: {note}")

    def planned(self, plan: Sequence[Mapping[str, Any]], target: str) -> None:
        """A dry run: what each stage would need and add."""
        table = Table("stage", "config", "columns after", title="checked; nothing was processed", title_justify="left")
        for step in plan:
            table.add_row(step["stage"], _config_text(step["config"]), ", ".join(step["columns"]))
        console().print(table)
        click.echo(f"would write {target}")

    def finished_all(self, done: Run, files: Sequence[Path]) -> None:
        """The table, the rows that failed, and on the last line where the result is."""
        if not self.quiet:
            console().print(summary_table(done.records))
        for stage, failure in done.failed:
            rows = "; ".join(failure.examples)
            click.echo(f"failed in {stage}: {failure.count} x {failure.kind}: {rows}", err=True)
        click.echo(f"wrote {_rows_text(done)} to {', '.join(str(file) for file in files)}")


class TerminalView(View):
    """A progress bar per stage."""

    def __enter__(self) -> View:
        super().__enter__()
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console(stderr=True),
        )
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        super().__exit__(kind, error, trace)

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A new bar."""
        self.task = self.progress.add_task(f"[{position}/{self.stages}] {stage.name}", total=rows)

    def advanced(self, rows: int) -> None:
        """Move the bar."""
        self.progress.advance(self.task, rows)

    def finished(self, record: StageRecord) -> None:
        """Fill the bar, and show notes above it."""
        self.progress.update(self.task, completed=record.rows_in, total=record.rows_in)
        for note in record.notes:
            self.progress.console.print(f"{record.stage}: {note}", markup=False)


class JsonView(View):
    """One JSON object on stdout at the end."""

    def planned(self, plan: Sequence[Mapping[str, Any]], target: str) -> None:
        """The plan as JSON."""
        click.echo(json.dumps({"plan": list(plan), "would_write": target}, ensure_ascii=False))

    def finished_all(self, done: Run, files: Sequence[Path]) -> None:
        """Files, rows, records and failures."""
        data = done.dataset
        splits = {name: ds.num_rows for name, ds in data.items()} if isinstance(data, dict) else None
        result = {
            "output": [str(file) for file in files],
            "rows": count(data),
            "splits": splits,
            "stages": [record.model_dump(mode="json") for record in done.records],
            "failed": [
                {"stage": stage, "kind": failure.kind, "count": failure.count, "examples": list(failure.examples)}
                for stage, failure in done.failed
            ],
        }
        click.echo(json.dumps(result, ensure_ascii=False))


def summary_table(records: Sequence[StageRecord]) -> Table:
    """Stage, rows in, out, dropped and why, failed, seconds."""
    table = Table("stage", title_justify="left")
    for heading in ("in", "out", "dropped"):
        table.add_column(heading, justify="right")
    table.add_column("why")
    table.add_column("seconds", justify="right")
    for record in records:
        why = [f"{rows:,} {reason}" for reason, rows in record.dropped.items()]
        why += [f"{rows:,} failed: {kind}" for kind, rows in record.failed.items()]
        table.add_row(
            record.stage,
            f"{record.rows_in:,}",
            f"{record.rows_out:,}",
            f"{sum(record.dropped.values()):,}",
            "\n".join(_escaped(reason) for reason in why),
            "" if record.seconds is None else f"{record.seconds:.2f}",
        )
    return table


def _escaped(text: str) -> str:
    """Square brackets are markup to rich."""
    return text.replace("[", "\\[")


def _outcome(record: StageRecord) -> str:
    dropped = sum(record.dropped.values())
    failed = sum(record.failed.values())
    parts = [f"{record.rows_out:,} rows"]
    parts += [f"{dropped:,} dropped"] if dropped else []
    parts += [f"{failed:,} failed"] if failed else []
    return f"{', '.join(parts)} in {record.seconds or 0:.2f} s"


def _config_text(config: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value!r}" for key, value in config.items() if key != "stage")


def _rows_text(done: Run) -> str:
    data = done.dataset
    if isinstance(data, dict):
        parts = ", ".join(f"{name} {ds.num_rows:,}" for name, ds in data.items())
        return f"{count(data):,} rows ({parts})"
    return f"{count(data):,} rows"
