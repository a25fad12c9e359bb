"""What servers say of how a reply ended: a closed list, so that a word nobody knows is never taken for the end."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """How a reply ended."""

    COMPLETE = "complete"
    LIMIT = "limit"
    FILTERED = "filtered"
    CALL = "call"
    BROKEN = "broken"
    UNKNOWN = "unknown"


WORDS = {
    Ending.COMPLETE: (
        "stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "end", "completed", "complete", "finish",
        "finished", "done", "normal", "success",
    ),
    Ending.LIMIT: (
        "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_new_tokens", "model_length",
        "max_length", "token_limit", "model_context_window_exceeded", "context_length_exceeded", "repetition",
        "time_limit", "timeout", "deadline",
    ),
    Ending.FILTERED: (
        "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content",
        "spii",
    ),
    Ending.CALL: ("tool_calls", "tool_call", "tool_use", "function_call"),
    Ending.BROKEN: ("error", "abort", "aborted", "cancelled", "canceled", "failed", "insufficient_system_resource"),
}  # fmt: skip
_ENDINGS = {word: ending for ending, words in WORDS.items() for word in words}


def ending_of(finish_reason: str | None) -> Ending:
    """The ending that a finish reason means; servers that give none send whole replies."""
    if not finish_reason:
        return Ending.COMPLETE
    return _ENDINGS.get(finish_reason.lower(), Ending.UNKNOWN)
