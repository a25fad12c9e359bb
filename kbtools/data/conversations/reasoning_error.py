"""The kinds of trouble a text can be in when its answer is to be told from its reasoning.

The kinds are part of the output (`<column>_error`, the counts of a run), so a name, once released, stays.
"""

from __future__ import annotations

from typing import Literal

from kbtools.errors import RowError

Kind = Literal[
    "unclosed-think",
    "unclosed-answer",
    "unopened-answer",
    "nested-answer",
    "answers-differ",
    "no-answer",
    "no-answer-tag",
    "reasoning-in-answer",
    "unread-reasoning",
    "reasoning-turn",
    "half-surrogate",
    "empty-answer",
    "split-answer",
    "marker-in-answer",
    "no-final-channel",
    "several-final-channels",
    "text-after-final",
    "null-content",
    "null-value",
    "no-assistant-turn",
    "not-messages",
    "not-text",
    "other-fields",
]

EXPLANATIONS: dict[Kind, str] = {
    "unclosed-think": "a <think> is never closed, or a mark like it, so nothing says where the answer begins",
    "unclosed-answer": "an answer is opened and never closed, as in a truncated generation",
    "unopened-answer": "an answer is closed that was never opened",
    "nested-answer": "an answer is opened inside another, and either could be the real one",
    "answers-differ": "there are several answers and they differ; --answer last takes the last one",
    "no-answer": "what its tags hold may all be drafts of the reasoning, and no answer follows it",
    "no-answer-tag": "no answer in <answer> tags or between marker lines follows the reasoning, if there is any; "
    "--tag optional takes the text behind the reasoning as it is",
    "reasoning-in-answer": "reasoning is inside of the answer, and would be kept with it",
    "half-surrogate": "a text holds half a surrogate pair, which no column can hold",
    "reasoning-turn": "a turn is reasoning alone, by its role or its channel: put its text into the field "
    "reasoning_content of the answer that it led to",
    "unread-reasoning": "a field of reasoning holds neither text nor parts with text",
    "empty-answer": "the answer is empty or only white space",
    "split-answer": "untagged text is before and after reasoning; --answer last takes what comes after",
    "marker-in-answer": "the answer has no tags and itself contains marks of reasoning or answers, so that a "
    "reader would take it apart again; --unwrap keeps it as it is",
    "no-final-channel": "the text has harmony channels and none of them is `final`",
    "several-final-channels": "several `final` channels differ; --answer last takes the last one",
    "text-after-final": "text follows the end token of the `final` channel",
    "null-content": "the assistant's content is null and it calls no tool",
    "null-value": "the value is null",
    "no-assistant-turn": "the conversation has no assistant turn",
    "not-messages": "the value is not a list of messages with a role",
    "not-text": "the content has parts that are not text",
    "other-fields": "a message that came as JSON has fields for which the columns of the result have no place",
}


class ReasoningError(RowError):
    """A text whose answer cannot be told from its reasoning.

    `kind` says why, `at` at which character of the text, `turn` in which message where it came from a
    conversation.
    """

    def __init__(self, kind: Kind, at: int | None = None, turn: int | None = None) -> None:
        self.kind: Kind = kind
        self.at = at
        self.turn = turn
        found = {"message": turn, "character": at}
        places = [f"{name} {place}" for name, place in found.items() if place is not None]
        super().__init__(f"{kind}: {EXPLANATIONS[kind]}" + (f" (at {', '.join(places)})" if places else ""))
