"""The stage `strip-reasoning`: of every assistant turn the answer stays and the reasoning goes.

What counts as the answer is decided text by text in `kbtools.data.conversations.reasoning`, and `message_arrays` takes
the columns apart; here are the choice of the column and what becomes of rows whose answer is not certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import kbtools as kb
from kbtools.data.columns import PLAIN, column_type, is_message_list
from kbtools.data.conversations.fields import without_reasoning
from kbtools.data.conversations.reasoning import AnswerRule, Rules, TagRule
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column, field_of, top_column
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.result import merge
from kbtools_plugins.message_arrays import Stripping, replaced_feature, unmarked, with_values

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features


_UNMARKED = "__kbtools_unmarked__"
_FACT = "unmarked"
_BARE = "rows with neither reasoning nor marks of an answer, whose text stays as it is"


class StripReasoning(kb.Stage):
    """Keep the answer, drop the reasoning."""

    name: ClassVar[str] = "strip-reasoning"
    suffix: ClassVar[str] = "no-reasoning"
    scope: ClassVar[kb.stage.Scope] = "row"

    column: str = ""
    """Column of messages, of messages as JSON text, or of plain text; the layout's completion when not given."""
    tag: TagRule = "required"
    """Whether an answer needs <answer> tags or marker lines; with `optional` the text behind the reasoning will do."""
    answer: AnswerRule = "only"
    """Which of several different answers counts; with `only` they are an error."""
    unwrap: bool = False
    """Drop the <answer> tags too; a later stage that reads answers may then take code that quotes tags for marks."""
    on_error: Literal["raise", "null", "keep", "drop"] = "raise"
    """What becomes of a row without a certain answer; `null` empties it and says why in <column>_error."""

    def preflight(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        """Say when rows were chosen among others before it was known which have a certain answer."""
        chosen = [str(fields["stage"]) for fields in before["stages"] if fields["stage"] in ("dedup", "near-dedup")]
        return tuple(
            f"note: {name} comes before {self.name}: it may keep a row whose answer is not certain and leave out "
            f"another whose answer is. Put {self.name} first."
            for name in chosen
        )

    def output_features(self, features: Features) -> Features:
        """The same columns, without reasoning beside the content; SchemaError where the column holds no messages."""
        import datasets

        place = _Column.of(self, features)
        after = replaced_feature(features, place.path, place.feature)
        after = {name: feature for name, feature in after.items() if name not in place.beside}
        if self.on_error == "null":
            after[place.error_column] = datasets.Value("string")
        return type(features)(after)

    def transform(self, ds: Dataset) -> kb.Result:
        """Strip batch by batch, then deal with the failed rows as `on_error` says."""
        import datasets
        import pyarrow.compute as pc

        place, features = _Column.of(self, ds.features), self.output_features(ds.features)
        marked = datasets.Features({**with_error(features), _UNMARKED: datasets.Value("bool")})
        done = map_columns(
            ds,
            partial(self._stripped, place),
            [place.top],
            features=marked,
            fingerprint=self.fingerprint(ds),
            replaced=[place.top, place.error_column],
        )
        bare = pc.sum(column(done, _UNMARKED)).as_py() or 0
        done = done.remove_columns(_UNMARKED)
        result = resolve_failures(self, ds, done, self.on_error, f"have no certain answer in {place.path!r}")
        notes = tuple(f"column {name!r} holds reasoning and was dropped" for name in place.beside)
        return _noted(replace(result, notes=notes), bare)

    def joined(self, parts: Sequence[kb.Result]) -> kb.Result:
        """Rows without any marks are counted together."""
        joined = merge([replace(part, notes=tuple(note for note in part.notes if _BARE not in note)) for part in parts])
        return _noted(joined, sum(int(str(part.facts.get(_FACT, 0))) for part in parts))

    def _stripped(self, place: _Column, table: pa.Table) -> pa.Table:
        """A batch with its answers alone, and beside them what was wrong with a row, if anything."""
        import pyarrow as pa

        values = field_of(table, place.path).combine_chunks()
        stripping = Stripping(Rules(self.tag, self.answer, self.unwrap), keep=self.on_error == "keep")
        stripped, errors = stripping.of_column(values)
        result = with_values(table, place.path, stripped)
        if self.on_error == "null":
            kinds = pa.array([error and error.kind for error in errors], pa.string())
            result = with_values(result, place.error_column, kinds)
        lenient = self.tag == "optional"
        bare = [unmarked(value) for value in values.to_pylist()] if lenient else [False] * len(values)
        texts = pa.array([error and str(error) for error in errors], pa.string())
        return result.append_column(ERROR, texts).append_column(_UNMARKED, pa.array(bare, pa.bool_()))


@dataclass(frozen=True)
class _Column:
    """The column that is stripped, and what becomes of it and of its neighbours."""

    path: str
    feature: object
    """The column's feature afterwards."""
    beside: tuple[str, ...]
    """Columns that hold the reasoning of a plain text."""
    top: str
    """The column that the path goes through."""

    @property
    def error_column(self) -> str:
        return f"{self.path.replace('.', '_')}_error"

    @classmethod
    def of(cls, stage: StripReasoning, features: Features) -> _Column:
        schema = kb.Schema(features, stage.columns)
        found = schema.locate(stage.column) if stage.column else schema.find("completion")
        path = schema.require(found, "messages")
        top = top_column(features, path)
        feature: Any = column_type(features, path)
        if is_message_list(feature):
            place = cls(path, type(feature)(without_reasoning(feature.feature)), (), top)
        else:
            beside = [name for name in PLAIN["reasoning"] if name in features and name != path]
            place = cls(path, feature, tuple(name for name in beside if _is_text(features[name])), top)
        taken = features.get(place.error_column) if stage.on_error == "null" else None
        if taken is not None and not _is_text(taken):
            raise kb.errors.SchemaError(
                f"column {place.error_column!r} is to hold the kinds of errors, but holds {taken}."
            )
        return place


def _noted(result: kb.Result, bare: int) -> kb.Result:
    if not bare:
        return result
    return replace(result, notes=(*result.notes, f"{_BARE}: {bare:,}"), facts={_FACT: bare})


def _is_text(feature: object) -> bool:
    return getattr(feature, "dtype", "") in ("string", "large_string", "string_view", "null")
