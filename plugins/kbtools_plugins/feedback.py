"""What a model may be told of its wrong kernel: where it is off and by how much, never what would be right.

Used by whatever shows findings of `verify` to the writer of a candidate: the turns of `synthesize`, repairs, and the
service.
"""

from __future__ import annotations

import re

from kbtools.data.conversations.messages import Message
from kbtools.errors import UsageError
from kbtools.prompts import Prompt
from kbtools.wording import counted

LONGEST = 2_000
"""Characters of a finding: a compiler may write pages, and says last what is wrong."""
_HEAD = 500
_LEFT_OUT = (
    (re.compile(r": \S+ instead of \S+"), ""),
    (re.compile(r" \(the [a-z' ]*scale is [^)]*\)"), ""),
    (re.compile(r"\d[\d,]* bytes (?=past|before)"), ""),
    (re.compile(r"\bindex -?\d+ is out of bounds"), "an index is out of bounds"),
)
"""What in a finding is a value: of an output, the size of one, or a place that a kernel has computed from an input."""
_ABOUT_THE_REFERENCE = ("reference_error", "reference_unfit")


def finding(verdict: str, error: str) -> str:
    """The finding without values; empty where it would be about the reference, whose code it may quote."""
    if verdict.partition(":")[0] in _ABOUT_THE_REFERENCE:
        return ""
    for value, instead in _LEFT_OUT:
        error = value.sub(instead, error)
    return shortened(error)


def shortened(text: str) -> str:
    """A long text without its middle; it says how much is left out."""
    if len(text) <= LONGEST:
        return text
    tail = LONGEST - _HEAD
    return f"{text[:_HEAD]}\n[... {counted(len(text) - LONGEST, 'character')} left out ...]\n{text[-tail:]}"


def message(prompt: Prompt, verdict: str, found: str) -> Message:
    """The user's message that tells a model what was found; UsageError for a prompt that is another conversation."""
    messages = prompt.render({"verdict": verdict, "finding": found})
    if [each["role"] for each in messages] != ["user"]:
        raise UsageError(f"prompt {prompt.spec} must be one user message to be feedback.")
    return dict(messages[0])
