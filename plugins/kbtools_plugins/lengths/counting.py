"""From rows to counts: every row is read as a conversation, rendered, taken apart, and its texts are counted.

What cannot be counted is an error with the row's id. What cannot be told apart (reasoning from answer) or is not in the
rendered text is kept as a remark beside the counts, so that it is known again when the counts come from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kbtools as kb
from kbtools.data.conversations.reasoning import ReasoningError, Rules, parse
from kbtools.data.table import batches, map_batches, row_name, top_column
from kbtools_plugins.lengths.conversation import Conversation, ConversationError, CountedColumns, spoken
from kbtools_plugins.lengths.counters import Counter
from kbtools_plugins.lengths.template import ChatTemplate, Message

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

UNSPLIT, LEFT_OUT = "unsplit", "left_out"
"""Columns of remarks: why reasoning and answer could not be told apart, and what the template does not render."""
_BATCH_ROWS = 128
_LENIENT = Rules(tag="optional")
"""Completions need no answer tags to be counted."""


@dataclass(frozen=True)
class Texts:
    """The texts of one row that are counted."""

    conversation: str
    prompt: str | None
    reasoning: tuple[str, ...] | None
    """One for each turn; None when it cannot be told from the answer."""
    answer: tuple[str, ...] | None
    unsplit: str | None
    left_out: str | None

    def all(self) -> list[str]:
        """Every text, in a fixed order."""
        prompt = [] if self.prompt is None else [self.prompt]
        return [self.conversation, *prompt, *(self.reasoning or ()), *(self.answer or ())]

    def counts(self, tokens: Mapping[str, int]) -> dict[str, object]:
        """Tokens of each part, and the remarks."""
        whole = tokens[self.conversation]
        prompt = None if self.prompt is None else tokens[self.prompt]
        apart = self.prompt is None or self.conversation.startswith(self.prompt)
        return {
            "conversation": whole,
            "prompt": prompt,
            "completion": whole - (prompt or 0) if apart else None,
            "reasoning": None if self.reasoning is None else sum(tokens[text] for text in self.reasoning),
            "answer": None if self.answer is None else sum(tokens[text] for text in self.answer),
            UNSPLIT: self.unsplit,
            LEFT_OUT: self.left_out,
        }


def texts_of(conversation: Conversation, template: ChatTemplate) -> Texts:
    """Render a conversation and take its completion apart."""
    whole = _render(template, [*conversation.prompt, *conversation.completion], conversation)
    prompt = None
    if conversation.prompt:
        prompt = _render(template, conversation.prompt, conversation, generation=bool(conversation.completion))
    try:
        reasoning, answer = _apart(conversation)
    except ReasoningError as error:
        return Texts(whole, prompt, None, None, unsplit=error.kind, left_out=None)
    return Texts(whole, prompt, reasoning, answer, None, _left_out(whole, reasoning, answer))


def _render(
    template: ChatTemplate, messages: Sequence[Message], conversation: Conversation, *, generation: bool = False
) -> str:
    try:
        return template.render(messages, conversation.tools, generation=generation)
    except Exception as error:  # templates are programs, which may fail in any way on messages they do not expect
        raise ConversationError(f"the chat template fails on it ({type(error).__name__}: {error})") from error


def _apart(conversation: Conversation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    reasoning: list[str] = []
    answer: list[str] = []
    for field, content in spoken(conversation.completion):
        parsed = parse(content, _LENIENT) if content else None
        reasoning.extend(text for text in (field, parsed and parsed.reasoning) if text)
        answer.extend([parsed.content] if parsed else [])
    return tuple(reasoning), tuple(answer)


def _left_out(whole: str, reasoning: Sequence[str], answer: Sequence[str]) -> str | None:
    """Chat templates may leave out what they were given, and then nobody learns from it."""
    if any(text.strip() not in whole for text in answer):
        return "answer"
    return "reasoning" if any(text.strip() not in whole for text in reasoning) else None


@dataclass(frozen=True)
class RowCounter:
    """The rows of one dataset, to be counted through one template."""

    ds: Dataset
    places: CountedColumns
    template: ChatTemplate
    columns: dict[str, str]

    def sample(self, rows: int) -> list[str]:
        """The texts of some rows from beginning to end, to try a fast counter on."""
        step = max(self.ds.num_rows // rows, 1)
        chosen = range(0, self.ds.num_rows, step)
        found: list[str] = []
        for table in batches(self.ds.select(chosen), self.places.paths):
            for number, row in enumerate(self.places.rows(table)):
                found.extend(self._texts(chosen[number], row).all())
        return found

    def count(self, counter: Counter, fingerprint: str) -> Dataset:
        """A dataset of counts and remarks, a row for each row, from the cache if they are there."""
        features = count_features()
        paths = [top_column(self.ds.features, path) for path in self.places.paths]
        position = 0

        def counted(table: pa.Table) -> pa.Table:
            nonlocal position
            start, position = position, position + table.num_rows
            return self._batch(table, start, counter, features)

        narrow = self.ds.select_columns(list(dict.fromkeys(paths)))
        return map_batches(narrow, counted, features=features, fingerprint=fingerprint, rows=_BATCH_ROWS)

    def _batch(self, table: pa.Table, start: int, counter: Counter, features: Features) -> pa.Table:
        import pyarrow as pa

        rows = [self._texts(start + number, row) for number, row in enumerate(self.places.rows(table))]
        distinct = list(dict.fromkeys(text for row in rows for text in row.all()))
        try:
            tokens = dict(zip(distinct, counter.count(distinct), strict=True))
        except Exception as error:  # tokenizers raises what it likes, and not which text it was
            raise self._uncountable(rows, start, counter) from error
        return pa.Table.from_pylist([row.counts(tokens) for row in rows], schema=features.arrow_schema)

    def _texts(self, index: int, row: dict[str, Any]) -> Texts:
        try:
            return texts_of(self.places.read(row), self.template)
        except ConversationError as error:
            raise self._error(index, error) from error

    def _uncountable(self, rows: Sequence[Texts], start: int, counter: Counter) -> Exception:
        for number, row in enumerate(rows):
            try:
                counter.count(row.all())
            except Exception as error:  # noqa: BLE001  # as above
                return self._error(start + number, error)
        return RuntimeError(f"{counter.name} failed on rows {start} to {start + len(rows) - 1}, but on none alone")

    def _error(self, index: int, error: Exception) -> kb.errors.RowError:
        name = row_name(self.ds, index, self.columns)
        return kb.errors.RowError(
            f"{name} cannot be tokenized: {error}. Mend the row, or leave it out with a filter before this stage."
        )


def count_features() -> Features:
    """Features of the counts."""
    import datasets

    parts = ("conversation", "prompt", "completion", "reasoning", "answer")
    values = {part: datasets.Value("int64") for part in parts}
    return datasets.Features({**values, UNSPLIT: datasets.Value("string"), LEFT_OUT: datasets.Value("string")})
