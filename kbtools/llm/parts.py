"""What stages that ask a model are put together from: the inputs of a row, its faults, and checks of both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kbtools.data.columns import Schema
from kbtools.errors import rebuilt
from kbtools.models.contract import Contract, JsonContract
from kbtools.models.request import Request, Sampling, Terms, turns_of
from kbtools.models.settled import ParsedReply
from kbtools.prompts import Prompt
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset, Features

    from kbtools.models.store import ResponseStore

REPEAT = "__kbtools_repeat__"
"""Name among the inputs of the number of the repetition."""
RowInputs = Mapping[str, str | None]
"""The texts of a row by their role."""
RowValues = Mapping[str, Any]
"""The values of a row's new columns by their names."""


@dataclass(frozen=True)
class Further:
    """What a stage asks beyond one round of requests for each row."""

    times: int = 1
    """How often each row is asked about: the result has a row for each, whose inputs hold its number under `REPEAT`."""
    follow_up: Callable[[RowInputs, str, ResponseStore], Sequence[Request]] | None = None
    """What to ask about a row, with which model, once its first replies are stored."""
    beside: Callable[[Dataset], Iterable[RowInputs]] | None = None
    """What is asked about beside the rows, for the facts alone: its failures are not failures of rows."""


class RowFailure(Exception):
    """A row for which there is no result; `kind` is counted, the message is kept with the row."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the message and the kind, not from the message alone."""
        return rebuilt, (type(self), self.args, self.__dict__)


@dataclass(frozen=True)
class Question:
    """What all requests by one prompt have in common; a stage makes it once, for a file may change while it runs."""

    prompt: Prompt
    sampling: Sampling
    contract: Contract
    _known: dict[str, Terms] = field(default_factory=dict, init=False, repr=False, compare=False)

    def about(self, values: Mapping[str, object], model: str, sample: int = 0) -> Request:
        """The request for the values that the prompt needs."""
        return Request(self._terms(model), turns_of(self.prompt.render(values)), sample)

    def _terms(self, model: str) -> Terms:
        if model not in self._known:
            shape = self.contract.response_format(self.prompt.name) if isinstance(self.contract, JsonContract) else None
            self._known[model] = Terms(model, self.sampling, shape)
        return self._known[model]


@dataclass(frozen=True)
class TextContract:
    """Any text at all."""

    @property
    def shape(self) -> str:
        """The form in words."""
        return "text"

    def parse(self, text: str) -> dict[str, object]:
        """The text without the white space around it."""
        return {"text": text.strip()}


def found_paths(stage: Stage, features: Features, roles: Sequence[str]) -> dict[str, str]:
    """Path of each role; SchemaError for the first that no column provides as text or messages."""
    schema = Schema(features, stage.columns)
    return {role: schema.require(schema.find(role), "messages") for role in roles}


def refuse_nulls(inputs: RowInputs) -> None:
    """RowFailure for a row that lacks a text which the prompt needs."""
    for role, text in inputs.items():
        if text is None or not text.strip():
            raise RowFailure("no-text", f"its {role} is {'null' if text is None else 'empty'}")


def refuse_failures(replies: Sequence[ParsedReply]) -> None:
    """RowFailure for the first reply that is not usable, with the raw text."""
    for reply in replies:
        if reply.failure is not None:
            raw = f"; the reply was: {reply.raw!r}" if reply.raw is not None else ""
            raise RowFailure(reply.failure.kind.value, reply.failure.error + raw)
