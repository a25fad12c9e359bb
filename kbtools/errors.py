"""Every error that kbtools raises on purpose, each with the exit code of the command line.

A message says what was being done, on what, what was found and what to do. Anything else that escapes is a
defect of kbtools and is shown with its traceback.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Union, get_args, get_origin

if TYPE_CHECKING:  # pydantic takes longer to import than `kbtools --help` may take
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails


_SHARE = re.compile(r"less than (or equal to )?1$")
E = TypeVar("E", bound=BaseException)
on_command_line: ContextVar[bool] = ContextVar("on_command_line", default=False)
"""Whether the one who reads errors has written options, rather than keywords of Python."""


class KbError(Exception):
    """Base of all expected failures."""

    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the message: a subclass may take other arguments, which pickle would fill with it."""
        return rebuilt, (type(self), self.args, self.__dict__)


class RowError(KbError):
    """Some rows could not be processed; the message names them."""


class UsageError(KbError):
    """The call cannot be run as written: an unknown name, option, column or value."""

    exit_code = 2


class SchemaError(UsageError):
    """The columns of the dataset do not fit what a stage needs."""

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing
        """Columns of which one was looked for and not found."""


class DataError(UsageError):
    """A dataset or file cannot be read as what it claims to be."""


class ConfigError(KbError):
    """Configuration, credentials or an optional dependency is missing."""

    exit_code = 3


class Missing(ConfigError):
    """What only the user can give is not there: each need says what it is and how to give it."""

    def __init__(self, *needs: str) -> None:
        self.needs = tuple(dict.fromkeys(needs))
        several = f"this run lacks {len(self.needs)} things:\n  - " + "\n  - ".join(self.needs)
        super().__init__(self.needs[0] if len(self.needs) == 1 else several)


class MissingExtra(ConfigError):
    """A heavy dependency is not installed; the message gives the command that installs it."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs packages that are not installed: pip install 'kbtools[{extra}]'")


def rebuilt(kind: type[E], args: tuple[Any, ...], state: dict[str, object]) -> E:
    """An exception as it was before it was pickled, without a call of its own `__init__`."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def reason(error: OSError) -> str:
    """Why the system refused, in its own words; pyarrow puts words of its own around them."""
    return os.strerror(error.errno) if error.errno else str(error)


def did_you_mean(word: str, choices: Iterable[str], *, all_if_none_near: bool = True) -> str:
    """A sentence naming the nearest choice; when none is near all of them, or nothing where they may be thousands."""
    known = sorted(set(choices))
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not all_if_none_near:
        return ""
    return f"Choices: {', '.join(known)}." if known else "There are none."


def option(field: str) -> str:
    """A field as the command line writes it."""
    return "--" + field.replace("_", "-")


def keyword(field: str) -> str:
    """A field as Python writes it."""
    return f"{field}="


def explain(error: ValidationError, model: type[BaseModel], spell: Callable[[str], str] | None = None) -> str:
    """A pydantic error as one line: each fault with its field, and the nearest field for an unknown one.

    `spell` writes fields as the user did, who wrote keys of a file where it is not given.
    """
    faults: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for item in error.errors():
        faults.setdefault(_without_choice(item["loc"], model), []).append(item)
    return "; ".join(_any_of(place, items, model, spell) for place, items in faults.items())


def _any_of(
    place: tuple[int | str, ...],
    items: Sequence[ErrorDetails],
    model: type[BaseModel],
    spell: Callable[[str], str] | None,
) -> str:
    """The fault of a place; where a value may be of several types, what each of them asks for."""
    first, *others = items
    asked = " or ".join([first["msg"], *(item["msg"].removeprefix("Input should be ") for item in others)])
    path = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        return f"unknown key {path!r}. {did_you_mean(str(place[-1]), _fields(model, place[:-1]))}"
    if first["type"] == "missing":
        return f"{(spell or repr)(path)} is required and was not given{_meaning(path, model)}"
    said = asked.removeprefix("Value error, ")
    if _SHARE.search(said):
        said += ", a share such as 0.1 or 10%"
    return f"{(spell or str)(path)}: {said[0].lower()}{said[1:]} (given: {first['input']!r})" if path else said


def _without_choice(where: tuple[int | str, ...], model: type[BaseModel]) -> tuple[int | str, ...]:
    """A place without the name that pydantic gives to one of several types of a field, as in `temperature.float`."""
    field = model.model_fields.get(str(where[0])) if len(where) == 2 else None
    several = field is not None and get_origin(field.annotation) in (Union, UnionType)
    return where[:1] if several and field is not None and _model_in(field.annotation) is None else where


def _meaning(path: str, model: type[BaseModel]) -> str:
    """What a field is for, by the first sentence of its help."""
    field = model.model_fields.get(path)
    text = " ".join((field.description or "").split()) if field else ""
    return f": {text[0].lower()}{text[1:].partition('. ')[0].rstrip('.')}" if text else ""


def _fields(model: type[BaseModel], where: Sequence[int | str]) -> list[str]:
    """The fields of the model that is at a place; keys of dictionaries and numbers of items are passed over."""
    for part in where:
        if (field := model.model_fields.get(str(part))) is not None:
            model = _model_in(field.annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation such as `dict[str, Profile]` or `Source | None` holds."""
    if hasattr(annotation, "model_fields"):
        return annotation  # type: ignore[no-any-return]  # only models have fields
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)
