"""The stage `explode-turns`: every assistant turn of a conversation as a row of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import kbtools as kb
from kbtools.data.columns import column_type, is_message_list
from kbtools.data.conversations.fields import REASONING_FIELDS, without_reasoning
from kbtools.data.conversations.messages import Message, looks_encoded, writable_messages
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column, field_of, keep, map_batches, top_column
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_TURN, _TURNS = "turn", "turns"
_NEW = "new_turns"


class ExplodeTurns(kb.Stage):
    """Make each assistant turn a row: the turn as `completion`, all that was seen before it as `prompt`.

    Columns with one value a turn (such as `turn_rewards`) give each row the value of its turn. Where `convert-rollouts`
    wrote `new_turns`, a turn that branches of a trace share is one row, and turns that no model wrote are none:

        kbtools apply explode-turns --per-turn turn_rewards --dataset conversations.parquet
    """

    name: ClassVar[str] = "explode-turns"
    suffix: ClassVar[str] = "turns"
    scope: ClassVar[kb.stage.Scope] = "row"

    earlier_reasoning: Literal["keep", "drop"] = "keep"
    """Whether the turns before keep their reasoning; most chat templates would not show it to the model."""
    per_turn: tuple[str, ...] = ()
    """List columns with one value for each assistant turn."""
    on_error: Literal["raise", "drop"] = "raise"
    """What becomes of rows without an assistant turn, or whose lists have another length."""

    def output_features(self, features: Features) -> Features:
        """`prompt` and `completion` as lists of messages, the other columns, `turn` (from 1) and `turns`."""
        import datasets

        prompt, completion = self._places(features)
        turn = _turn_feature(features, prompt, completion)
        done = {prompt, completion, *([_NEW] if _says_new(features) else [])}
        others = {name: kind for name, kind in features.items() if name not in done}
        taken = [name for name in (_TURN, _TURNS, "prompt", "completion") if name in others]
        if taken:
            raise kb.errors.SchemaError(f"column {taken[0]!r} is there already and holds something else.")
        singles = {name: _element(features, name) for name in self.per_turn}
        number = datasets.Value("int64")
        return datasets.Features(
            {
                "prompt": datasets.List(turn),
                "completion": datasets.List(turn),
                **others,
                **singles,
                _TURN: number,
                _TURNS: number,
            }
        )

    def transform(self, ds: Dataset) -> kb.Result:
        """Find the rows that cannot be taken apart, then write the turns of the others."""
        features = self.output_features(ds.features)
        dropped, ds = self._with_new_turns(ds)
        marked = map_columns(
            ds,
            self._marked,
            self._needs(ds.features),
            features=with_error(ds.features),
            fingerprint=self.fingerprint(ds, "marked"),
        )
        whole = resolve_failures(self, ds, marked, self.on_error, "cannot be taken apart into turns")
        assert not isinstance(whole.dataset, dict)
        done = map_batches(
            whole.dataset, self._exploded, features=features, fingerprint=self.fingerprint(whole.dataset), rows=200
        )
        return replace(whole, dataset=done, dropped=(*dropped, *whole.dropped))

    def _with_new_turns(self, ds: Dataset) -> tuple[tuple[kb.Drop, ...], Dataset]:
        """The rows that have a turn of their own, and the others."""
        import numpy as np

        if not _says_new(ds.features):
            return (), ds
        new = np.array([turns is None or any(turns) for turns in column(ds, _NEW).to_pylist()], dtype=bool)
        if new.all():
            return (), ds
        drop = kb.Drop(keep(ds, ~new, self.fingerprint(ds, "seen")), "no-new-turn")
        return (drop,), keep(ds, new, self.fingerprint(ds, "new"))

    def _needs(self, features: Features) -> list[str]:
        """Columns that say whether a row can be taken apart."""
        prompt, completion = self._places(features)
        tops = [top_column(features, path) for path in (prompt, completion) if path]
        return [*dict.fromkeys([*tops, *self.per_turn, *([_NEW] if _says_new(features) else [])])]

    def _marked(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        errors = [self._error_of(cells) for cells in self._cells(table)]
        return pa.table({ERROR: pa.array(errors, pa.string())})

    def _error_of(self, cells: _TurnCells) -> str | None:
        try:
            turns = len(cells.conversation().spoken)
        except ReasoningError as error:
            return str(error)
        if cells.new is not None and len(cells.new) != len(cells.completion):
            told = counted(len(cells.new), "value"), counted(len(cells.completion), "message")
            return f"other-length: {_NEW} has {' for '.join(told)}"
        for name, values in cells.per_turn.items():
            if len(values or ()) != turns:
                told = counted(len(values or ()), "value"), counted(turns, "assistant turn")
                return f"other-length: {name} has {' for '.join(told)}"
        return None

    def _exploded(self, table: pa.Table) -> pa.Table:
        import datasets
        import pyarrow as pa

        features = self.output_features(datasets.Features.from_arrow_schema(table.schema))
        rows = [row for index, cells in enumerate(self._cells(table)) for row in self._turns(index, cells)]
        source = pa.array([row.source for row in rows], pa.int64())
        columns = {name: table.column(name).take(source) for name in features if name in table.column_names}
        made = {
            "prompt": [row.prompt for row in rows],
            "completion": [[row.completion] for row in rows],
            _TURN: [row.number for row in rows],
            _TURNS: [row.of for row in rows],
            **{name: [row.values[name] for row in rows] for name in self.per_turn},
        }
        schema = features.arrow_schema
        columns |= {name: pa.array(values, schema.field(name).type) for name, values in made.items()}
        return pa.table({name: columns[name] for name in features})

    def _turns(self, index: int, cells: _TurnCells) -> Iterator[_TurnRow]:
        conversation = cells.conversation()
        for number, place in enumerate(conversation.spoken, start=1):
            if place not in conversation.learned:
                continue
            yield _TurnRow(
                index,
                [self._earlier(message) for message in conversation.messages[:place]],
                conversation.messages[place],
                number,
                len(conversation.spoken),
                {name: values[number - 1] for name, values in cells.per_turn.items()},
            )

    def _earlier(self, message: Message) -> Message:
        if self.earlier_reasoning == "keep":
            return message
        return without_reasoning(message)

    def _cells(self, table: pa.Table) -> Iterator[_TurnCells]:
        import datasets

        prompt, completion = self._places(datasets.Features.from_arrow_schema(table.schema))
        prompts = field_of(table, prompt).to_pylist() if prompt else [None] * table.num_rows
        completions = field_of(table, completion).to_pylist()
        lists = {name: table.column(name).to_pylist() for name in self.per_turn}
        says_new = _says_new(datasets.Features.from_arrow_schema(table.schema))
        new = table.column(_NEW).to_pylist() if says_new else [None] * table.num_rows
        for row, (before, after) in enumerate(zip(prompts, completions, strict=True)):
            yield _TurnCells(before, after, {name: values[row] for name, values in lists.items()}, new[row])

    def _places(self, features: Features) -> tuple[str | None, str]:
        """Columns of the prompt and of the completion; no prompt where one column holds the whole conversation."""
        schema = kb.Schema(features, self.columns)
        completion = schema.require(schema.find("completion"), "messages")
        prompt = schema.require(schema.find("prompt"), "messages") if schema.has("prompt") else None
        return (None if prompt == completion else prompt), completion


@dataclass(frozen=True)
class _TurnCells:
    """What one row holds."""

    prompt: Any
    completion: Any
    per_turn: Mapping[str, Any]
    new: Sequence[bool] | None
    """For each message of the completion, whether it is a turn to learn; None where nothing says so."""

    def conversation(self) -> _Conversation:
        """The messages; ReasoningError where there are none, or none of an assistant."""
        before = _messages(self.prompt, "user") if self.prompt is not None else []
        after = _messages(self.completion, "assistant")
        spoken = [len(before) + place for place, message in enumerate(after) if message["role"] == "assistant"]
        if not spoken:
            raise ReasoningError("no-assistant-turn")
        learned = [at for at in spoken if self.new is None or self.new[at - len(before)]]
        return _Conversation([*before, *after], spoken, learned)


@dataclass(frozen=True)
class _Conversation:
    """All messages of a row, and the places of the assistant's turns that are not part of its prompt."""

    messages: list[Message]
    spoken: list[int]
    learned: list[int]
    """Those of them that are rows."""


@dataclass(frozen=True)
class _TurnRow:
    """One turn: the row that it comes from, what was seen before, what was said."""

    source: int
    prompt: list[Message]
    completion: Message
    number: int
    of: int
    values: Mapping[str, Any]


def _messages(value: object, role: str) -> list[Message]:
    if isinstance(value, str) and not looks_encoded(value):
        return [{"role": role, "content": value}]
    return writable_messages(value)


def _turn_feature(features: Features, prompt: str | None, completion: str) -> dict[str, object]:
    """The fields of the messages of both columns; messages in text may have reasoning beside their content."""
    import datasets

    text = datasets.Value("string")
    fields: dict[str, object] = {"role": text, "content": text}
    for path in filter(None, (prompt, completion)):
        feature = column_type(features, path)
        inner = getattr(feature, "feature", None)
        found = inner if is_message_list(feature) and inner else dict.fromkeys(REASONING_FIELDS[:2], text)
        for name, kind in found.items():
            if name not in ("role", "content") and fields.setdefault(name, kind) != kind:
                raise kb.errors.SchemaError(f"field {name!r} has one type in {prompt} and another in {completion}.")
        fields["content"] = found.get("content", fields["content"])
    return fields


def _element(features: Features, name: str) -> object:
    inner = getattr(features.get(name), "feature", None)
    if inner is None or isinstance(inner, dict):
        raise kb.errors.SchemaError(f"column {name!r} must be a list of single values, one for each assistant turn.")
    return inner


def _says_new(features: Features) -> bool:
    """Whether the rows come from `convert-rollouts`, which says which turns are new."""
    inner = getattr(features.get(_NEW), "feature", None)
    return getattr(inner, "dtype", "") == "bool"
