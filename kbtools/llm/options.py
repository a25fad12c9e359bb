"""How a stage asks its model: which one, how replies are drawn, and the limits of the run.

One class of fields, which every stage that asks a model inherits; so they are flat as Python keywords, options of the
command line and keys of a recipe. What the engine makes of the limits is in `kbtools.models.options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kbtools.models.backends.wire import Structure
from kbtools.models.options import Options
from kbtools.models.request import Sampling
from kbtools.models.spec import with_configured_limits

_OF_THE_ENGINE = ("max_in_flight", "timeout", "deadline", "max_attempts", "rpm", "tpm")
_OF_THE_BUDGET = ("max_requests", "max_tokens", "max_cost")


class CallOptions(BaseModel):
    """The options of model calls."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = ""
    """Model spec, such as openai:gpt-5.2, http://localhost:8000/v1#name, serve:PATH or hf:PATH."""
    temperature: float | Literal["omit"] | None = None
    """Sampling temperature; the prompt's own when not given, and `omit` sends none, for models that take none."""
    max_reply_tokens: int | None = None
    """Most tokens of one reply, reasoning included; the prompt's own when not given."""
    response_format: Structure | None = None
    """The strictest response format that the server takes, as in a profile; replies are checked whatever was sent."""
    max_tokens_field: str | None = None
    """What the server calls the bound of a reply, as in a profile: max_tokens or max_completion_tokens."""
    reasoning_effort: str | None = None
    """Passed on to models that reason."""
    on_error: Literal["raise", "null", "drop"] = "raise"
    """What becomes of rows without a usable reply, once all other rows are done."""
    store: str | None = Field(default=None, exclude=True)
    """Response store; one file per user when not given."""
    max_in_flight: int = Field(default=64, exclude=True)
    """Most calls at once; the limit adapts below it."""
    timeout: float = Field(default=600.0, exclude=True)
    """Seconds for one attempt."""
    deadline: float = Field(default=3600.0, exclude=True)
    """Seconds for one row, all attempts and waits together."""
    max_attempts: int = Field(default=8, exclude=True)
    """Attempts that may fail before a row counts as failed."""
    rpm: int | None = Field(default=None, exclude=True)
    """Most requests per minute."""
    tpm: int | None = Field(default=None, exclude=True)
    """Most tokens per minute."""
    max_requests: int | None = Field(default=None, exclude=True)
    """Stop before more calls than this, retries included; a further run goes on."""
    max_tokens: int | None = Field(default=None, exclude=True)
    """Stop before prompts and replies together take more tokens than this."""
    max_cost: float | None = Field(default=None, exclude=True)
    """Stop before spending more than this; needs [prices] in kbtools.toml."""

    def sampling(self, defaults: Mapping[str, object]) -> Sampling:
        """The prompt's sampling, overridden by the fields that were given."""
        own = {
            "temperature": self.temperature,
            "max_tokens": self.max_reply_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        merged = {**defaults, **{name: value for name, value in own.items() if value is not None}}
        return Sampling(**{name: value for name, value in merged.items() if value != "omit"})

    def limits(self, spec: str) -> Options:
        """Limits of the run, completed by what the configuration says of this model."""
        prices = with_configured_limits(Options(), spec).prices
        given = {name: getattr(self, name) for name in (*_OF_THE_ENGINE, *_OF_THE_BUDGET)}
        return with_configured_limits(Options(**given, prices=prices), spec)
