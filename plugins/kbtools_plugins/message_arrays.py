"""Columns of messages and texts as Arrow arrays: taken apart, stripped of reasoning and put together again.

Messages are stripped without making Python objects of anything but the assistant's texts; what counts as the answer
in each is decided in `kbtools.data.conversations.reasoning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kbtools.data.conversations.fields import REASONING_ROLES, WRAPPERS, without_reasoning
from kbtools.data.conversations.messages import (
    CALL_FIELDS,
    assistant_texts,
    calls_tool,
    looks_encoded,
    strip_content,
    strip_turns,
)
from kbtools.data.conversations.reasoning import Kind, ReasoningError, Rules, has_marks, strip
from kbtools.data.conversations.sharegpt import ASSISTANTS
from kbtools.data.conversations.usual import usual_answers

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MaybeError = ReasoningError | None


class _Names(NamedTuple):
    """What the fields of a turn are called."""

    role: str
    content: str

    def speakers(self, turns: pa.StructArray) -> pa.Array:
        """Who speaks in each turn, in small letters: names are written in any case."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.struct_field(turns, self.role)
        found = found.cast(pa.string()) if pa.types.is_null(found.type) else found  # nobody is named anywhere
        return pc.ascii_lower(found)

    def any_is_reasoning(self, turns: pa.StructArray) -> bool:
        """Whether a turn is reasoning alone, by its role or its channel."""
        import pyarrow as pa
        import pyarrow.compute as pc

        speakers = self.speakers(turns)
        found = pc.any(pc.is_in(speakers, pa.array(REASONING_ROLES, speakers.type))).as_py()
        if not found and turns.type.get_field_index("channel") >= 0:
            channels = pc.struct_field(turns, "channel")
            found = pa.types.is_string(channels.type) and pc.any(pc.equal(channels, "analysis")).as_py()
        return bool(found)

    @classmethod
    def of(cls, turn: pa.StructType) -> _Names:
        return cls("role", "content") if turn.get_field_index("role") >= 0 else cls("from", "value")


@dataclass(frozen=True)
class Stripping:
    """The rules for a column, and whether failed rows stay as they are or lose their content."""

    rules: Rules
    keep: bool

    def of_column(self, values: pa.Array) -> tuple[pa.Array, list[MaybeError]]:
        """The stripped values, and for each row what was wrong with it, if anything."""
        import pyarrow.types as pt

        if not pt.is_list(values.type) and not pt.is_large_list(values.type):
            return self._of_cells(values, values.type)
        names = _Names.of(values.type.value_type)
        content = values.type.value_type.field(names.content).type
        wrapped = any(values.type.value_type.get_field_index(name) >= 0 for name in WRAPPERS)
        plain = (pt.is_string(content) or pt.is_large_string(content)) and not wrapped
        if plain and not names.any_is_reasoning(values.flatten()):
            return self._of_turns(values, names)
        return self._of_cells(values, _turns_type(values.type))

    def _of_cells(self, values: pa.Array, kind: pa.DataType) -> tuple[pa.Array, list[MaybeError]]:
        """Texts, messages as JSON, and messages whose content is in parts: cell by cell."""
        import pyarrow as pa

        cells, errors = [], []
        for value in values.to_pylist():
            cell, error = self._cell(value)
            cells.append(cell)
            errors.append(error)
        return pa.array(cells, kind), errors

    def _cell(self, value: object) -> tuple[object, MaybeError]:
        try:
            if value is None:
                raise ReasoningError("null-value")
            if isinstance(value, str) and not looks_encoded(value):
                return strip(value, self.rules), None
            stripped, errors = strip_turns(value, self.rules)
        except ReasoningError as error:
            return (value if self.keep else None), error
        if not errors:
            return stripped, None
        return (value if self.keep else stripped), errors[0]

    def _of_turns(self, values: pa.Array, names: _Names) -> tuple[pa.Array, list[MaybeError]]:
        """Messages whose content is text: only the texts of the assistant's turns become Python objects."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        turns = values.flatten()
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(np.arange(len(values)), lengths)
        speakers = names.speakers(turns)
        spoken = pc.fill_null(pc.is_in(speakers, pa.array(ASSISTANTS, speakers.type)), False)
        said = np.flatnonzero(spoken.to_numpy(zero_copy_only=False))
        contents = pc.struct_field(turns, names.content)
        texts, found = self._texts(contents.filter(spoken), _calls(turns, said))
        errors = _row_errors(values, speakers, rows, said)
        for index, error in found.items():
            row = rows[said[index]]
            errors[row] = errors[row] or ReasoningError(error.kind, error.at, int(said[index] - offsets[row]))
        replaced = pc.replace_with_mask(contents, spoken, texts)
        if self.keep:
            bad = np.array([error is not None for error in errors], dtype=bool)
            replaced = pc.if_else(pa.array(bad[rows]), contents, replaced)
        return _turns_again(values, turns, {names.content: replaced}, offsets), errors

    def _texts(self, texts: pa.Array, calls: Sequence[bool]) -> tuple[pa.Array, dict[int, ReasoningError]]:
        """The stripped texts, null for those in error, and the errors by position."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        which, answers = usual_answers(texts, np.array(calls, bool), unwrap=self.rules.unwrap)
        others = np.flatnonzero(~which)
        stripped, errors = self._one_by_one(
            texts.take(pa.array(others)).to_pylist(), [calls[at] for at in others.tolist()]
        )
        if not len(others):
            return answers, errors
        done = pc.replace_with_mask(texts, pa.array(which), answers)
        done = pc.replace_with_mask(done, pa.array(~which), pa.array(stripped, texts.type))
        return done, {int(others[at]): error for at, error in errors.items()}

    def _one_by_one(
        self, texts: list[str | None], calls: Sequence[bool]
    ) -> tuple[list[str | None], dict[int, ReasoningError]]:
        errors: dict[int, ReasoningError] = {}
        for index, text in enumerate(texts):
            try:
                if text is None or calls[index]:
                    texts[index] = strip_content(text, self.rules, calls_tool=calls[index])  # type: ignore[assignment]
                else:
                    texts[index] = strip(text, self.rules)
            except ReasoningError as error:
                errors[index] = error
                texts[index] = None
        return texts, errors


def unmarked(value: object) -> bool:
    """Whether a cell holds an assistant's text with neither reasoning nor marks of an answer in it."""
    try:
        said = [value] if isinstance(value, str) and not looks_encoded(value) else assistant_texts(value)
    except ReasoningError:
        return False
    return any(text is not None and not text.isspace() and not has_marks(text) for text in said)


def _calls(turns: pa.StructArray, said: np.ndarray) -> list[bool]:
    """Whether each of these turns asks for a tool."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = [name for name in CALL_FIELDS if turns.type.get_field_index(name) >= 0]
    if not fields:
        return [False] * len(said)
    found = {name: pc.struct_field(turns, name).take(pa.array(said)).to_pylist() for name in fields}
    return [calls_tool({name: values[index] for name, values in found.items()}) for index in range(len(said))]


def _row_errors(values: pa.Array, speakers: pa.Array, rows: np.ndarray, said: np.ndarray) -> list[MaybeError]:
    """What is wrong with the rows apart from their texts: no messages, messages without a role, nobody who answers."""
    import numpy as np
    import pyarrow.compute as pc

    answered = np.zeros(len(values), dtype=bool)
    answered[rows[said]] = True
    nameless = np.zeros(len(values), dtype=bool)
    nameless[rows[pc.is_null(speakers).to_numpy(zero_copy_only=False)]] = True
    null = values.is_null().to_numpy(zero_copy_only=False)
    errors: list[MaybeError] = [None] * len(values)
    for row in np.flatnonzero(~answered | nameless):
        kind: Kind = "null-value" if null[row] else "not-messages" if nameless[row] else "no-assistant-turn"
        errors[row] = ReasoningError(kind)
    return errors


def _turns_again(
    values: pa.Array, turns: pa.StructArray, replaced: Mapping[str, pa.Array], offsets: np.ndarray
) -> pa.Array:
    """The lists put together again, with other contents and without fields of reasoning."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = _turns_type(values.type)
    fields = [field.name for field in kind.value_type]
    arrays = [replaced[name] if name in replaced else pc.struct_field(turns, name) for name in fields]
    structs = pa.StructArray.from_arrays(arrays, names=fields, mask=turns.is_null())
    make = pa.LargeListArray if pa.types.is_large_list(kind) else pa.ListArray
    index = pa.int64() if pa.types.is_large_list(kind) else pa.int32()
    return make.from_arrays(pa.array(offsets, index), structs, mask=values.is_null())


def _turns_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    kept = without_reasoning({field.name: _parts(field) for field in kind.value_type})
    struct = pa.struct(
        [
            pa.field(name, pa.struct(list(part.values()))) if isinstance(part, dict) else part
            for name, part in kept.items()
        ]
    )
    return pa.large_list(struct) if pa.types.is_large_list(kind) else pa.list_(struct)


def _parts(field: pa.Field) -> pa.Field | dict[str, pa.Field]:
    """The fields within a field that wraps others; else itself."""
    import pyarrow.types as pt

    return {part.name: part for part in field.type} if field.name in WRAPPERS and pt.is_struct(field.type) else field


def replaced_feature(features: Mapping[str, Any], path: str, feature: object) -> dict[str, object]:
    """The features with another one at a path."""
    if path in features:
        return {**features, path: feature}
    name, _, rest = path.partition(".")
    return {**features, name: replaced_feature(features[name], rest, feature)}


def with_values(table: pa.Table, path: str, values: pa.Array) -> pa.Table:
    """The table with other values at a path, or with a new column of that name."""
    names = table.column_names
    if path in names:
        return table.set_column(names.index(path), path, values)
    name, _, rest = path.partition(".")
    if name not in names:
        return table.append_column(path, values)
    return table.set_column(names.index(name), name, _with_field(table.column(name).combine_chunks(), rest, values))


def _with_field(structs: pa.StructArray, path: str, values: pa.Array) -> pa.StructArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    name, _, rest = path.partition(".")
    fields = {field.name: pc.struct_field(structs, field.name) for field in structs.type}
    fields[name] = _with_field(fields[name], rest, values) if rest else values
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=structs.is_null())
