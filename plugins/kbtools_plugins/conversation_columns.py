"""Which columns a conversation is in, and what its messages have beside role and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kbtools as kb
from kbtools.data.columns import column_type, is_message_list
from kbtools.data.conversations.fields import without_reasoning
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools_plugins.conversations import Turn

if TYPE_CHECKING:
    from datasets import Features

_ROLE_AND_TEXT = ("role", "content", "from", "value")


@dataclass(frozen=True)
class ConversationColumns:
    """Columns of the parts of a conversation."""

    prompt: str | None
    """None where the whole conversation is in one column."""
    completion: str
    reasoning: str | None
    """Column of the reasoning beside a completion of plain text."""
    system: Mapping[str, str]
    """Column of each value that the system prompt needs."""
    extra: Mapping[str, object]
    """Features of fields that messages have beside role, content and reasoning."""

    @property
    def used(self) -> set[str]:
        """Columns that the conversation was made from."""
        return {path for path in (self.prompt, self.completion, self.reasoning) if path}

    @classmethod
    def of(cls, features: Features, named: Mapping[str, str], system_prompt: str) -> ConversationColumns:
        schema = kb.Schema(features, named)
        completion = schema.require(schema.find("completion"), "messages")
        prompt: str | None = schema.require(schema.find("prompt"), "messages")
        if prompt == completion:
            prompt = None
        is_text = not is_message_list(column_type(features, completion))
        beside = schema.find("reasoning") if is_text and prompt and schema.has("reasoning") else None
        extra: dict[str, object] = {}
        for path in (prompt, completion):
            for name, feature in _extra(column_type(features, path or completion)).items():
                if extra.setdefault(name, feature) != feature:
                    raise kb.errors.SchemaError(f"field {name!r} has one type in {prompt} and another in {completion}.")
        wanted = kb.prompt(system_prompt).front.columns if system_prompt else ()
        return cls(prompt, completion, beside, {name: schema.locate(name) for name in wanted}, extra)

    def refuse_other_fields(self, turns: list[Turn]) -> None:
        """Messages that came as JSON may have fields for which the columns of the result have no place."""
        known = {"role", *self.extra}
        if any(value is not None and name not in known for turn in turns for name, value in turn.fields.items()):
            raise ReasoningError("other-fields")


def _extra(feature: Any) -> dict[str, object]:
    if not is_message_list(feature):
        return {}
    return {name: kind for name, kind in without_reasoning(feature.feature).items() if name not in _ROLE_AND_TEXT}
