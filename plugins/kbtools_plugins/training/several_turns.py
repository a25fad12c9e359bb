"""Rows of several turns, as `synthesize --turns` writes them, seen as single answers: the first try, or the last.

Both are answers to the prompt of the row. A reply that held no answer is none: its row is neither right nor wrong then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import kbtools as kb
from kbtools.data.columns import is_message_list
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

T = TypeVar("T")

PASSED_TURN, VERDICTS, REWARDS = "passed_turn", "turn_verdicts", "turn_rewards"
_NO_ANSWER = "no_answer"


def has_turns(features: Features, completion: str) -> bool:
    """Whether rows say how each of their turns turned out."""
    wanted = (PASSED_TURN, VERDICTS, REWARDS, "verdict", "reward")
    return set(wanted) <= set(features) and completion in features and is_message_list(features[completion])


def first_tries(stage: kb.Stage, ds: Dataset, completion: str) -> Dataset:
    """Each row with its first answer alone, and that one's verdict and reward; rows without turns as they are."""
    return _with_turn(stage, ds, completion, "first", lambda turns: turns[0])


def last_tries(stage: kb.Stage, ds: Dataset, completion: str) -> Dataset:
    """Each row with its last answer alone."""
    return _with_turn(stage, ds, completion, "last", lambda turns: turns[-1])


def repaired_rows(ds: Dataset) -> list[int]:
    """Rows whose answer was wrong at first and right in the end, and that had an answer in every turn."""
    passed, verdicts = column(ds, PASSED_TURN).to_pylist(), column(ds, VERDICTS).to_pylist()
    return [
        row
        for row, (turn, found) in enumerate(zip(passed, verdicts, strict=True))
        if turn is not None and turn > 1 and not any(map(_is_none, found))
    ]


def _with_turn(
    stage: kb.Stage, ds: Dataset, completion: str, which: str, pick: Callable[[Sequence[object]], Any]
) -> Dataset:
    if not has_turns(ds.features, completion):
        return ds

    def picked(table: pa.Table) -> pa.Table:
        import pyarrow as pa

        messages = [_spoken(value) for value in table.column(completion).to_pylist()]
        verdicts = [_of(pick, found) for found in table.column(VERDICTS).to_pylist()]
        rewards = [_of(pick, found) for found in table.column(REWARDS).to_pylist()]
        made = {
            completion: [turns and [pick(turns)] for turns in messages],
            "verdict": [None if _is_none(verdict) else verdict for verdict in verdicts],
            "reward": rewards,
        }
        return pa.table({name: pa.array(values, schema.field(name).type) for name, values in made.items()})

    schema, needs = ds.features.arrow_schema, [completion, VERDICTS, REWARDS]
    return map_columns(
        ds,
        picked,
        needs,
        features=ds.features,
        fingerprint=stage.fingerprint(ds, f"{which} tries"),
        replaced=[completion, "verdict", "reward"],
        rows=500,
    )


def _of(pick: Callable[[Sequence[T]], T], found: Sequence[T] | None) -> T | None:
    return pick(found) if found else None


def _is_none(verdict: str | None) -> bool:
    return verdict is not None and verdict.startswith(_NO_ANSWER)


def _spoken(value: Any) -> list[object] | None:
    return value and [message for message in value if message["role"] == "assistant"]
