"""What a stage that asks a model has to say of itself: its options, and per row its requests and what they come to.

How that is carried out is in `kbtools.llm.stage`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from kbtools.errors import ConfigError
from kbtools.llm.parts import Material
from kbtools.models.backends.wire import Structure
from kbtools.models.contract import Contract, ParsedReply, Repairing
from kbtools.models.options import Options
from kbtools.models.request import Request, Sampling
from kbtools.models.spec import with_configured_limits, with_dialect
from kbtools.models.store import ResponseStore
from kbtools.plugins import default_model, model_backend, prompt
from kbtools.stage import Placement, Scope, Stage

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

    from kbtools.models.backend import ModelBackend, Review


class Inquiry(Stage):
    """What is asked about every row, of which model, within which limits, and what the replies mean."""

    scope: ClassVar[Scope] = "row"
    placement: ClassVar[Placement] = "driver"
    without_model: ClassVar[str] = ""
    """A sentence on what does a similar thing without any model, for those who have none."""

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

    @abstractmethod
    def new_features(self, features: Features) -> Features:
        """Features of the result where every row got one, with all faults of the fields raised."""

    @abstractmethod
    def paths(self, features: Features) -> dict[str, str]:
        """Column path of each role that goes into the material of a row."""

    @abstractmethod
    def requests(self, material: Material, model: str) -> Sequence[Request]:
        """What to ask about one row; RowFailure when nothing can be asked."""

    @abstractmethod
    def contract(self) -> Contract:
        """What a usable reply is."""

    @abstractmethod
    def conclude(self, material: Material, replies: Sequence[ParsedReply]) -> Mapping[str, Any]:
        """The values of the new columns for one row, from its settled requests in order; RowFailure for none."""

    @abstractmethod
    def assemble(self, table: pa.Table, values: Sequence[Mapping[str, Any] | None], features: Features) -> pa.Table:
        """The output of a batch, from its rows and their values (None for a row that failed); one row for each."""

    @abstractmethod
    def main_column(self) -> str:
        """Column after which the error column is called."""

    def review(self) -> Review | None:
        """What the engine does with each first reply: one repair request for a reply that does not fit."""
        return Repairing(self.contract())

    def in_two_rounds(self) -> bool:
        """Whether `further` may ask something."""
        return False

    def further(self, material: Material, model: str, store: ResponseStore) -> Sequence[Request]:
        """What to ask about a row once its first replies are there; nothing by default."""
        return ()

    def probes(self, ds: Dataset) -> Iterable[Material]:
        """What is asked about beside the rows, for the facts alone; its failures are no failures of rows."""
        return ()

    def contract_of(self, request: Request) -> Contract:
        """The contract of one of the row's requests, where they differ."""
        return self.contract()

    def facts(self, ds: Dataset, done: Dataset, model: str, store: ResponseStore) -> dict[str, Any]:
        """Figures for the lineage beyond the model's name, from the rows, the result and the stored replies."""
        return {}

    def notes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What people are told of these figures."""
        return ()

    def sampling(self, defaults: Mapping[str, Any]) -> Sampling:
        """The prompt's sampling, overridden by the fields that were given."""
        own = {
            "temperature": self.temperature,
            "max_tokens": self.max_reply_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        merged = {**defaults, **{name: value for name, value in own.items() if value is not None}}
        return Sampling(**{name: value for name, value in merged.items() if value != "omit"})

    def pinned(self, spec: str) -> str:
        """A prompt's spec with its version spelled out, so that a recorded run asks the same again."""
        return spec if spec.endswith(".j2") else f"{spec.partition('@')[0]}@v{prompt(spec).version}"

    def config(self) -> dict[str, Any]:
        """The fields that differ from their defaults, and the model that was asked."""
        found = super().config()
        return {**found, "model": self.spec()} if self.model or default_model() else found

    def output_features(self, features: Features) -> Features:
        """The new features, and `<column>_error` where failed rows stay as nulls."""
        import datasets

        self.paths(features)
        after = self.new_features(features)
        if self.on_error != "null":
            return after
        return type(features)({**after, f"{self.main_column()}_error": datasets.Value("string")})

    def repeats(self) -> int:
        """How many rows of the result each row becomes; the material then holds which one under `REPEAT`."""
        return 1

    def keeps_rows(self) -> bool:
        """Whether the result has a row for each row, apart from those that failed."""
        return self.repeats() == 1

    def calls_per_row(self) -> int:
        """Requests of the first round for each row, for the estimate of the time to go."""
        return 1

    def backend(self) -> ModelBackend:
        """The backend of the model spec; ConfigError says how to name one."""
        return with_dialect(model_backend(self.spec()), self.response_format, self.max_tokens_field)

    def spec(self) -> str:
        """The model spec of this stage or the default of the environment."""
        spec = self.model or default_model()
        if not spec:
            raise ConfigError(
                f"stage {self.name!r} asks a model, and none is configured. Give --model SPEC (openai:gpt-5.2, "
                "prime:openai/gpt-5.2, http://localhost:8000/v1#NAME, serve:PATH, vllm:PATH, hf:PATH), or set "
                f"KBTOOLS_MODEL, DATA_MODEL, or [model] default in kbtools.toml. {self.without_model}".rstrip()
            )
        return spec

    def options(self) -> Options:
        """Limits of the run, completed by what the configuration says of the model."""
        names = ("max_in_flight", "timeout", "deadline", "max_attempts", "rpm", "tpm")
        budget = ("max_requests", "max_tokens", "max_cost")
        spec = self.spec()
        prices = with_configured_limits(Options(), spec).prices
        given = {name: getattr(self, name) for name in (*names, *budget)}
        return with_configured_limits(Options(**given, prices=prices), spec)
