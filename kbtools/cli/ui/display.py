"""The words and tables in which stages, their records and their calls are shown."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from kbtools.cli.ui.text import printable
from kbtools.data.table import rows_text
from kbtools.figures import label_counts
from kbtools.lineage import StageRecord
from kbtools.wording import counted

if TYPE_CHECKING:
    from kbtools.models.engine.progress import Progress
    from kbtools.models.engine.run import RequestPlan


_SLOWEST = 0.05
"""Calls a second below which a rate would be shown as 0.0."""


def calls_text(progress: Progress) -> str:
    """Counters of running calls in one line, or what is waited for before there can be any."""
    if progress.waiting_for and not progress.finished and not progress.draining:
        return progress.waiting_for
    if progress.in_flight and not progress.answered and not progress.draining:
        return _first_calls(progress)
    parts = (
        [f"waiting for {counted(progress.in_flight, 'call')}, Ctrl-C again gives them up"] if progress.draining else []
    )
    parts += [progress.waiting_for] if progress.waiting_for else []
    parts += [
        f"{counted(progress.done, 'reply', 'replies')} of {progress.model}",
        f"{progress.from_store:,} of them from the store",
    ]
    parts += [f"{counted(progress.duplicates, 'request')} equal to another"] if progress.duplicates else []
    parts += [f"{progress.failed:,} failed"] if progress.failed else []
    parts += (
        [f"{counted(progress.retries, 'retry', 'retries')} (the last after: {progress.last_fault:.100})"]
        if progress.retries
        else []
    )
    other = progress.other_endpoints.total()
    parts += [f"{other:,} of them from other endpoints"] if other else []
    parts += [f"{counted(progress.tokens_in, 'token')} in, {progress.tokens_out:,} out", *_pace(progress)]
    parts += [f"cost {money_text(progress.cost)}"] if progress.cost is not None else []
    parts += [f"{datetime.timedelta(seconds=round(progress.eta))} to go"] if progress.eta else []
    return ", ".join(parts)


def _pace(progress: Progress) -> list[str]:
    """Calls a second; where hardly any begin, how many are still under way."""
    if progress.rate >= _SLOWEST:
        return [f"{progress.rate:.1f} req/s"]
    told = progress.draining or not progress.in_flight
    return [] if told else [f"{counted(progress.in_flight, 'call')} under way"]


def _first_calls(progress: Progress) -> str:
    """While no call has come back yet: how many are under way, and for how long."""
    since = datetime.timedelta(seconds=round(time.monotonic() - progress.started))
    stored = counted(progress.from_store, "reply", "replies")
    known = f", {stored} from the store" if progress.from_store else ""
    return f"{counted(progress.in_flight, 'call')} to {progress.model} under way for {since}, no reply yet{known}"


def counts_text(counts: Mapping[str, int]) -> str:
    """How many of each kind, as `pass 12, timeout 1`."""
    return ", ".join(f"{kind} {number:,}" for kind, number in counts.items())


def money_text(amount: float) -> str:
    """An amount with two decimals, or with two digits where that would be nothing."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.2g}"


def plan_text(calls: RequestPlan) -> str:
    """What a stage would ask, in one line."""
    parts = [
        counted(calls.requests, "request"),
        f"{calls.duplicates:,} equal to another",
        f"{calls.stored:,} stored",
    ]
    parts += [f"{calls.repeated:,} failed before and would be repeated"] if calls.repeated else []
    parts += [f"{calls.to_send:,} to send", f"about {counted(calls.prompt_tokens, 'prompt token')}"]
    if calls.most_completion_tokens is not None:
        parts.append(f"at most {counted(calls.most_completion_tokens, 'reply token')}")
    parts += [f"cost at most {money_text(calls.cost)}"] if calls.cost is not None else ["cost unknown without [prices]"]
    parts += (
        [f"up to {counted(calls.may_follow, 'further request')} follow from the replies"] if calls.may_follow else []
    )
    return ", ".join(parts)


def summary_table(records: Sequence[StageRecord]) -> Table:
    """Stage, rows in, out, dropped and why, failed, the labels that judges gave, seconds."""
    table = Table("stage", title_justify="left")
    for heading in ("in", "out", "dropped"):
        table.add_column(heading, justify="right")
    table.add_column("why")
    judged = any(label_counts(record.facts) for record in records)
    if judged:
        table.add_column("labels")
    table.add_column("seconds", justify="right")
    for record in records:
        table.add_row(
            record.stage,
            f"{record.rows_in:,}",
            f"{record.rows_out:,}",
            f"{sum(record.dropped.values()):,}",
            Text(printable("\n".join(record.why()))),
            *([Text(printable(labels_text(record)))] if judged else []),
            "" if record.seconds is None else f"{record.seconds:.2f}",
        )
    return table


def labels_text(record: StageRecord) -> str:
    """How often a judge gave each label, a line for each column; `none` for rows without a verdict."""
    gone = sum(record.failed_and_dropped().values())
    columns = label_counts(record.facts).items()
    return "\n".join(f"{column}: {counts_text(_labels(counts, gone))}" for column, counts in columns)


def _labels(counts: Mapping[str, int], gone: int) -> dict[str, int]:
    """The labels that were given, then the rows without one as far as they are still there."""
    without = counts.get("None", 0) - gone
    given = {label: number for label, number in counts.items() if label != "None"}
    return {**given, "none": without} if without > 0 else given


def outcome(record: StageRecord) -> str:
    """What came of a stage, in one line."""
    both = sum(record.failed_and_dropped().values())
    dropped, failed = sum(record.dropped.values()) - both, sum(record.failed.values()) - both
    parts = [rows_text(record.rows_out)]
    parts += [f"{dropped:,} dropped"] if dropped else []
    parts += [f"{both:,} failed and dropped"] if both else []
    parts += [f"{failed:,} failed"] if failed else []
    return f"{', '.join(parts)} in {record.seconds or 0:.2f} s"


def config_text(config: Mapping[str, object]) -> str:
    """The fields of a stage in one line."""
    return " ".join(f"{key}={value!r}" for key, value in config.items() if key != "stage")
