"""The stages `to-messages` and `to-prompt-completion`: rows in the forms that trainers take.

What a turn says is read and written in `conversations`, its columns are found in `conversation_columns`, and chat
templates are tried in `template_check`; here are the system prompt and what becomes of failed rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import kbtools as kb
from kbtools.data import texts
from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.data.conversations.messages import Message
from kbtools.data.conversations.reasoning import AnswerRule, ReasoningError, Rules, TagRule
from kbtools.data.made_columns import map_columns
from kbtools.data.table import column, field_of, rows_text, top_column
from kbtools.failed_rows import ERROR, resolve_failures, with_error
from kbtools.result import merge
from kbtools_plugins.conversation_columns import ConversationColumns
from kbtools_plugins.conversations import ReasoningForm, Turn, split_last, turns_of, with_system, write, write_sharegpt
from kbtools_plugins.template_check import Lossy, template

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

_EMPTY_THINK = "__kbtools_empty_think__"
_HIDDEN = "__kbtools_hidden__"
_FACTS = {_EMPTY_THINK: "empty_thinks", _HIDDEN: "hidden_reasoning"}


class _ToChat(kb.Stage):
    """What the stages that write conversations have in common."""

    scope: ClassVar[kb.stage.Scope] = "row"

    reasoning: ReasoningForm = "think"
    """Where reasoning goes: into the content as <think> text, into a field of that name, or nowhere."""
    system_prompt: str = ""
    """Versioned prompt that every conversation begins with, instead of a system message of its own."""
    tag: TagRule = "optional"
    """Whether an answer that follows reasoning needs <answer> tags."""
    answer: AnswerRule = "only"
    """Which of several different answers counts; with `only` they are an error."""
    unwrap: bool = False
    """Drop the <answer> tags around answers."""
    tools: str = ""
    """Column of the tools as JSON text (`oai_tools` in rollouts), which becomes `tools`, as trainers call it."""
    check_template: str = ""
    """Tokenizer (Hub id or folder) whose chat template must leave every answer whole."""
    on_error: Literal["raise", "drop"] = "raise"
    """What becomes of rows without a certain answer, or that the chat template does not leave whole."""

    @abstractmethod
    def _outputs(self) -> tuple[str, ...]:
        """Names of the columns that hold the conversation afterwards."""

    @abstractmethod
    def _written(self, prompt: list[Turn], completion: list[Turn]) -> dict[str, list[Message]]:
        """The columns of one conversation; `prompt` is empty where it is in one column."""

    def _turn_feature(self, extra: Mapping[str, object]) -> dict[str, object]:
        import datasets

        fields = {"role": datasets.Value("string"), "content": datasets.Value("string")}
        if self.reasoning in REASONING_FIELDS:
            fields[self.reasoning] = datasets.Value("string")
        return {**fields, **extra}

    def prompts(self) -> Mapping[str, str]:
        """The system prompt, and the text of the chat template that is tried."""
        found = {}
        if self.system_prompt:
            system = kb.prompt(self.system_prompt)
            found[system.spec] = system.text
        if self.check_template:
            found[f"chat template of {self.check_template}"] = template(self.check_template).text
        return found

    def output_features(self, features: Features) -> Features:
        """The columns of the conversation first, then all that it was not made from."""
        import datasets

        places = ConversationColumns.of(features, self.columns, self.system_prompt)
        turn = self._turn_feature(places.extra)
        outputs = (*self._outputs(), *(["tools"] if self.tools else []))
        taken = [name for name in outputs if name in features and name not in (*places.used, self.tools)]
        if taken:
            raise kb.errors.SchemaError(f"column {taken[0]!r} is there already and holds something else.")
        if self.tools:
            kb.Schema(features, self.columns).require(self.tools, "text")
        others = {
            {self.tools: "tools"}.get(name, name): kind for name, kind in features.items() if name not in places.used
        }
        return datasets.Features({**{name: datasets.List(turn) for name in self._outputs()}, **others})

    def transform(self, ds: Dataset) -> kb.Result:
        """Write every conversation anew, then deal with the failed rows as `on_error` says."""
        import datasets

        features = self.output_features(ds.features)
        places = ConversationColumns.of(ds.features, self.columns, self.system_prompt)
        read = [*places.used, *places.system.values(), *([self.tools] if self.tools else [])]
        marked = datasets.Features({**with_error(features), **dict.fromkeys(_FACTS, datasets.Value("bool"))})
        done = map_columns(
            ds,
            partial(self._converted, places),
            sorted({top_column(ds.features, path) for path in read}),
            features=marked,
            fingerprint=self.fingerprint(ds),
            replaced=self._outputs(),
            rows=500,
        )
        counts = {fact: column(done, mark).to_pylist().count(True) for mark, fact in _FACTS.items()}
        done = done.select_columns([*features, ERROR])
        return self._noted(resolve_failures(self, ds, done, self.on_error, "cannot be made a conversation"), counts)

    def joined(self, parts: Sequence[kb.Result]) -> kb.Result:
        """The rows that notes tell of are counted together."""
        counts = {fact: sum(int(str(part.facts.get(fact, 0))) for part in parts) for fact in _FACTS.values()}
        return self._noted(merge(parts), counts)

    def _noted(self, result: kb.Result, counts: Mapping[str, int]) -> kb.Result:
        facts = {fact: count for fact, count in counts.items() if count}
        return replace(result, notes=tuple(self._notes(counts)), facts=facts) if facts else result

    def _notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        if count := counts[_FACTS[_EMPTY_THINK]]:
            what = f"puts an empty think block into {rows_text(count)} without reasoning"
            yield f"the chat template of {self.check_template} {what}"
        if count := counts[_FACTS[_HIDDEN]]:
            yield f"{rows_text(count)} with reasoning that is encrypted or redacted: what cannot be read is not kept"

    def _converted(self, places: ConversationColumns, table: pa.Table) -> pa.Table:
        """The columns of the conversations, and what is to be said of each row."""
        import datasets
        import pyarrow as pa

        turn = datasets.Features({"turn": datasets.List(self._turn_feature(places.extra))}).arrow_schema.field(0).type
        rows = [self._row(conversation, places) for conversation in self._conversations(table, places)]
        columns = {name: pa.array([row.columns.get(name) for row in rows], turn) for name in self._outputs()}
        tools = {"tools": table.column(self.tools)} if self.tools else {}
        return pa.table(
            {
                **columns,
                **tools,
                ERROR: pa.array([row.error for row in rows], pa.string()),
                _EMPTY_THINK: pa.array([row.empty_think for row in rows], pa.bool_()),
                _HIDDEN: pa.array([row.hidden for row in rows], pa.bool_()),
            }
        )

    def _conversations(self, table: pa.Table, places: ConversationColumns) -> Iterator[_ChatCells]:
        count = table.num_rows
        prompts = field_of(table, places.prompt).to_pylist() if places.prompt else [None] * count
        completions = field_of(table, places.completion).to_pylist()
        beside = field_of(table, places.reasoning).to_pylist() if places.reasoning else [None] * count
        systems = self._systems(table, places)
        for cells in zip(prompts, completions, beside, systems, strict=True):
            yield _ChatCells(*cells)

    def _systems(self, table: pa.Table, places: ConversationColumns) -> list[str | None]:
        """The system prompt of every row, which may depend on its columns."""
        if not self.system_prompt:
            return [None] * table.num_rows
        prompt = kb.prompt(self.system_prompt)
        values = {name: texts.of_column(table, path) for name, path in places.system.items()}
        rendered: list[str | None] = []
        for index in range(table.num_rows):
            messages = prompt.render({name: column[index] for name, column in values.items()})
            if [message["role"] for message in messages] != ["system"]:
                raise kb.errors.UsageError(f"prompt {prompt.spec} must be one system message to be a system prompt.")
            rendered.append(messages[0]["content"])
        return rendered

    def _row(self, cells: _ChatCells, places: ConversationColumns) -> _ChatRow:
        rules = Rules(self.tag, self.answer, self.unwrap)
        try:
            prompt = turns_of(cells.prompt, "user", rules) if places.prompt else []
            completion = turns_of(cells.completion, "assistant", rules, cells.reasoning)
            places.refuse_other_fields([*prompt, *completion])
            if not any(turn.role == "assistant" for turn in completion):
                raise ReasoningError("no-assistant-turn")
            if cells.system is not None and places.prompt:
                prompt = with_system(prompt, cells.system)
            elif cells.system is not None:
                completion = with_system(completion, cells.system)
            added = bool(self.check_template) and template(self.check_template).check(
                [*prompt, *completion], self.reasoning
            )
            hidden = self.reasoning != "drop" and any(turn.hidden for turn in [*prompt, *completion])
            return _ChatRow(self._written(prompt, completion), None, added, hidden)
        except (ReasoningError, Lossy) as error:
            return _ChatRow({}, str(error))


class ToMessages(_ToChat):
    """Write each row as one conversation in `messages`, or in `conversations` for ShareGPT."""

    name: ClassVar[str] = "to-messages"
    suffix: ClassVar[str] = "messages"
    scope: ClassVar[kb.stage.Scope] = "row"

    format: Literal["messages", "sharegpt"] = "messages"
    """`messages` for {role, content}, `sharegpt` for {from, value}."""

    def _outputs(self) -> tuple[str, ...]:
        return ("messages",) if self.format == "messages" else ("conversations",)

    def _turn_feature(self, extra: Mapping[str, object]) -> dict[str, object]:
        import datasets

        if self.format == "messages":
            return super()._turn_feature(extra)
        if self.reasoning in REASONING_FIELDS:
            raise kb.errors.UsageError(
                "ShareGPT has no field for reasoning: use --reasoning think or --reasoning drop."
            )
        return dict.fromkeys(("from", "value"), datasets.Value("string"))

    def _written(self, prompt: list[Turn], completion: list[Turn]) -> dict[str, list[Message]]:
        if self.format == "messages":
            return {"messages": write([*prompt, *completion], self.reasoning)}
        return {"conversations": write_sharegpt([*prompt, *completion], self.reasoning)}


class ToPromptCompletion(_ToChat):
    """Write each row as `prompt` and `completion`; of one conversation, the last turn is the completion."""

    name: ClassVar[str] = "to-prompt-completion"
    suffix: ClassVar[str] = "sft"
    scope: ClassVar[kb.stage.Scope] = "row"

    def _outputs(self) -> tuple[str, ...]:
        return ("prompt", "completion")

    def _written(self, prompt: list[Turn], completion: list[Turn]) -> dict[str, list[Message]]:
        if not prompt:
            prompt, completion = split_last(completion)
        return {"prompt": write(prompt, self.reasoning), "completion": write(completion, self.reasoning)}


@dataclass(frozen=True)
class _ChatCells:
    """What one row says."""

    prompt: object
    completion: object
    reasoning: str | None
    system: str | None


@dataclass(frozen=True)
class _ChatRow:
    """What became of it."""

    columns: dict[str, list[Message]]
    error: str | None
    empty_think: bool = False
    hidden: bool = False
