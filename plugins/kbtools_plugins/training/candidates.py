"""The rows of a dataset as candidates for pairs: to which task each belongs, how it turned out, how long it is.

Only rows that answer the very same prompt are compared with each other. Long texts never stay in memory: answers and
prompts are known here by their digests, and `gathered` fetches the messages of the pairs that were chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kbtools as kb
from kbtools.data.conversations.messages import Message
from kbtools.data.conversations.reasoning import ReasoningError, Rules
from kbtools.data.table import column, field_of, require_values, tables, take
from kbtools_plugins.conversations import ReasoningForm, turns_of, write
from kbtools_plugins.training.answers import column_digests, digests_and_lengths
from kbtools_plugins.training.outcomes import kinds, outcome_column, outcomes

if TYPE_CHECKING:
    from datasets import Dataset, Features


@dataclass(frozen=True)
class Columns:
    """Where a row says what; a path is None where the dataset has no such column."""

    per: str
    prompt: str
    completion: str
    outcome: str
    reward: str | None

    @classmethod
    def of(cls, features: Features, columns: dict[str, str], per: str, passed: str) -> Columns:
        """The columns of a dataset; SchemaError for one that is needed and not there."""
        schema = kb.Schema(features, columns)
        prompt, completion = (schema.require(schema.find(role), "messages") for role in ("prompt", "completion"))
        if prompt == completion:
            raise kb.errors.SchemaError(
                f"column {completion!r} holds the whole conversation: use to-prompt-completion first."
            )
        reward = schema.require(schema.find("reward"), "number") if schema.has("reward") else None
        task = schema.require(schema.locate(per), "scalar")
        return cls(task, prompt, completion, outcome_column(features, columns, passed), reward)


@dataclass(frozen=True)
class Candidate:
    """One row: what it answers is known by `task`, what it says by `code`."""

    row: int
    task: tuple[str, str]
    passed: bool
    kind: str
    reward: float
    length: int
    code: str
    fastest: float | None
    """Low end of the interval of its time, in ms; None where it was not timed."""
    slowest: float | None


def candidates(ds: Dataset, places: Columns, threshold: float, columns: dict[str, str]) -> list[Candidate]:
    """Every row whose outcome is decided and that says something, in the order of the rows."""
    tasks = column(ds, places.per).to_pylist()
    missing = [row for row, task in enumerate(tasks) if task is None]
    require_values(ds, missing, places.per, "Drop these rows first with the stage filter.", columns)
    passed = outcomes(ds, places.outcome, threshold)
    named = kinds(ds, places.outcome, passed)
    codes, lengths = digests_and_lengths(ds, places.completion)
    prompts = column_digests(ds, places.prompt)
    rewards = column(ds, places.reward).to_pylist() if places.reward else [None] * ds.num_rows
    lows, highs = (_numbers(ds, name) for name in ("kernel_ms_low", "kernel_ms_high"))
    found = []
    for row, right in enumerate(passed):
        if right is not None and codes[row]:
            task = (str(tasks[row]), prompts[row])
            score = rewards[row] or 0.0
            found.append(
                Candidate(row, task, right, named[row], score, lengths[row], codes[row], lows[row], highs[row])
            )
    return found


def by_task(found: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """The candidates of each task, tasks in the order of their first row, and each answer once: its best row."""
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in found:
        groups[candidate.task].append(candidate)
    for group in groups.values():
        ranked = sorted(group, key=lambda it: (not it.passed, -it.reward, it.length, it.row))
        unique = {candidate.code: candidate for candidate in reversed(ranked)}
        yield sorted(unique.values(), key=lambda it: ranked.index(it))


def _numbers(ds: Dataset, name: str) -> list[float | None]:
    return column(ds, name).to_pylist() if name in ds.features else [None] * ds.num_rows


def gathered(
    stage: kb.Stage, ds: Dataset, path: str, rows: Sequence[int], role: str, form: ReasoningForm
) -> list[list[Message]]:
    """The messages in a column of these rows, reasoning in this form; RowError names a row that cannot be read."""
    found: list[list[Message]] = []
    if not rows:
        return found
    view = take(ds, list(rows), stage.fingerprint(ds, f"{path} {rows}"))
    for table in tables(view, [path], rows=200):
        for value in field_of(table, path).to_pylist():
            found.append(_messages(value, role, form, rows[len(found)]))
    return found


def _messages(value: object, role: str, form: ReasoningForm, row: int) -> list[Message]:
    rules = Rules("optional", "only", unwrap=False)
    try:
        return [_without_nulls(message) for message in write(turns_of(value, role, rules), form)]
    except ReasoningError as error:
        raise kb.errors.RowError(
            f"row {row} cannot be made part of a pair: {error}. Use strip-reasoning --on-error drop first."
        ) from error


def _without_nulls(message: Message) -> Message:
    """A field that only other rows use is null; a field that is used and has no place in a pair is an error later."""
    return {name: value for name, value in message.items() if value is not None}
