"""What a run shows: progress on a terminal, plain lines elsewhere, a table at the end, or JSON for programs.

Progress and messages go to stderr; the table, the JSON and the place of the result go to stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click
from rich import progress as bars
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from kbtools.cli.ui.consoles import console
from kbtools.cli.ui.display import (
    calls_text,
    config_text,
    counts_text,
    outcome,
    plan_text,
    summary_table,
)
from kbtools.cli.ui.figures import figures_table
from kbtools.cli.ui.text import printable
from kbtools.data.table import rows_text
from kbtools.lineage import StageRecord
from kbtools.pipeline import ChainResult, PlannedStage, count
from kbtools.stage import Stage

if TYPE_CHECKING:
    from kbtools.models.engine.progress import Progress
    from kbtools.models.engine.run import RequestPlan

SECONDS_BETWEEN_LINES = 10.0
PLAN_FIGURES = (
    "requests",
    "duplicates",
    "stored",
    "failed",
    "repeated",
    "to_send",
    "prompt_tokens",
    "most_completion_tokens",
    "cost",
    "may_follow",
)


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
        self.told = time.monotonic()
        self.draining = False
        self.calls: Progress | None = None

    def __enter__(self) -> View:
        import datasets
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
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
            click.echo(printable(text), err=True)

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A stage begins."""
        self.position = position
        self.say(f"[{position}/{self.stages}] {stage.name}: {rows_text(rows)}")

    def advanced(self, rows: int) -> None:
        """Plain lines show no progress within a stage."""

    def counted(self, counts: Mapping[str, int]) -> None:
        """A line every ten seconds."""
        self.now_and_then(f"{rows_text(sum(counts.values()))}: {counts_text(counts)}")

    def now_and_then(self, text: str) -> None:
        """A message that further ones soon replace."""
        if time.monotonic() - self.told >= SECONDS_BETWEEN_LINES:
            self.told = time.monotonic()
            self.say(f"    {text}")

    def finished(self, record: StageRecord) -> None:
        """A stage is done."""
        if self.calls is not None:
            self.say(f"    {calls_text(self.calls)}")
        self.calls = None
        self.say(f"[{self.position}/{self.stages}] {record.stage}: {outcome(record)}")
        for note in record.notes:
            self.say(f"    note: {note}")

    def called(self, progress: Progress) -> None:
        """A line every ten seconds, one when Ctrl-C was pressed, and one after the calls of each model or round."""
        if self.calls is not None and progress is not self.calls:
            self.say(f"    {calls_text(self.calls)}")
        self.calls = progress
        if progress.draining and not self.draining:
            self.told = 0.0
        self.draining = progress.draining
        self.now_and_then(calls_text(progress))

    def planned(self, plan: Sequence[PlannedStage], pushes: Sequence[str], target: str) -> None:
        """A dry run: the columns after each stage, and the calls of those that ask a model."""
        table = Table("stage", "config", "rows in", "columns after", title="checked; no call was made, nothing written")
        for step in plan:
            rows = "depends on replies" if step.rows is None else f"{step.rows:,}"
            cells = (step.stage, config_text(step.config), rows, ", ".join(step.columns))
            table.add_row(*(Text(printable(cell)) for cell in cells))
        if plan:
            console().print(table)
        for step in plan:
            for calls in step.calls:
                click.echo(f"{step.stage}: {plan_text(calls)}")
                if calls.first is not None:
                    click.echo(f"the first request, to {calls.first.model}:")
                    turns = [f"--- {turn.role}\n{turn.content}" for turn in calls.first.messages]
                    click.echo(printable("\n".join(turns)))
        for place in pushes:
            click.echo(f"would push to {place}")
        if target:
            click.echo(f"would write {target}")

    def finished_all(self, done: ChainResult, files: Sequence[Path], dropped: Path | None = None) -> None:
        """The figures of the stages, what each did, the rows that failed, and on the last line where the result is."""
        if not self.quiet:
            for table in done.tables:
                console().print(figures_table(table))
            console().print(summary_table(done.records))
        for stage, failure in done.failed:
            rows = "; ".join(failure.examples)
            click.echo(printable(f"failed in {stage}: {failure.count} x {failure.kind}: {rows}"), err=True)
        if dropped:
            left_out = sum(drop.rows.num_rows for _, drop in done.dropped)
            click.echo(f"wrote {rows_text(left_out)} that stages left out to {dropped}")
        what = "the figures of " if files and all(file.suffix == ".json" for file in files) else ""
        click.echo(f"wrote {what}{_rows_text(done)} to {', '.join(_places(done, files))}")


def stage_bars(screen: Console) -> bars.Progress:
    """Stage, bar, percentage and time; what else there is to tell has the rest of the line, and is cut first."""
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return bars.Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[details]}", table_column=rest),
        console=screen,
        expand=True,
    )


class TerminalView(View):
    """A progress bar per stage."""

    def __enter__(self) -> View:
        super().__enter__()
        self.progress = stage_bars(console(stderr=True))
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        super().__exit__(kind, error, trace)

    def started(self, position: int, stage: Stage, rows: int) -> None:
        """A new bar."""
        self.position = position
        self.heading = f"[{position}/{self.stages}] {stage.name}"
        self.task = self.progress.add_task(self.heading, total=rows, details=rows_text(rows))

    def advanced(self, rows: int) -> None:
        """Move the bar, unless it counts calls."""
        if self.calls is None:
            self.progress.advance(self.task, rows)

    def counted(self, counts: Mapping[str, int]) -> None:
        """The counts beside the bar."""
        self.progress.update(self.task, details=counts_text(counts))

    def called(self, progress: Progress) -> None:
        """The counters in the bar's place; it moves with the requests that are answered."""
        self.calls = progress
        self.progress.update(
            self.task,
            details=calls_text(progress),
            completed=progress.finished,
            total=None if progress.total is None else progress.total + progress.follow_ups,
        )

    def finished(self, record: StageRecord) -> None:
        """Fill the bar, and show notes above it."""
        self.calls = None
        self.progress.update(self.task, completed=record.rows_in, total=record.rows_in)
        for note in record.notes:
            self.progress.console.print(Text(printable(f"{record.stage}: {note}")))


class JsonView(View):
    """One JSON object on stdout at the end."""

    def planned(self, plan: Sequence[PlannedStage], pushes: Sequence[str], target: str) -> None:
        """The plan as JSON."""
        steps = [_step_json(step) for step in plan]
        click.echo(json.dumps({"plan": steps, "would_push": list(pushes), "would_write": target}, ensure_ascii=False))

    def finished_all(self, done: ChainResult, files: Sequence[Path], dropped: Path | None = None) -> None:
        """Files, rows, records and failures."""
        data = done.dataset
        splits = {name: ds.num_rows for name, ds in data.items()} if isinstance(data, dict) else None
        result = {
            "output": _places(done, [*files, *([dropped] if dropped else [])]),
            "rows": count(data),
            "splits": splits,
            "stages": [record.model_dump(mode="json") for record in done.records],
            "failed": [
                {"stage": stage, "kind": failure.kind, "count": failure.count, "examples": list(failure.examples)}
                for stage, failure in done.failed
            ],
        }
        click.echo(json.dumps(result, ensure_ascii=False))


def _step_json(step: PlannedStage) -> dict[str, object]:
    return {**asdict(replace(step, calls=())), "calls": [_calls_json(calls) for calls in step.calls]}


def _calls_json(calls: RequestPlan) -> dict[str, object]:
    first = json.loads(calls.first.canonical()) if calls.first is not None else None
    return {**{name: getattr(calls, name) for name in PLAN_FIGURES}, "first": first}


def _places(done: ChainResult, files: Sequence[Path]) -> list[str]:
    """Files, and the addresses of what was pushed."""
    return [*map(str, files), *(str(record.facts["url"]) for record in done.records if record.stage == "push")]


def _rows_text(done: ChainResult) -> str:
    data = done.dataset
    if isinstance(data, dict):
        parts = ", ".join(f"{name} {ds.num_rows:,}" for name, ds in data.items())
        return f"{rows_text(count(data))} ({parts})"
    return rows_text(count(data))
