"""Messages as those write who read them: an option of the command line is a keyword in Python.

Messages are written once, with options (`--on-error drop`). What goes out through a door of Python passes through
`as_python`, which knows the fields of the stages and what the words behind an option can be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from types import UnionType
from typing import Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from kbtools.errors import KbError, Missing, keyword, on_command_line, option
from kbtools.plugins import registry

_SPAN = re.compile(
    r"`(?:kbtools|vllm|pip|ray) [^`]*`"  # a command stays one
    r"|(?<![\w-])--(?P<name>[a-z][a-z0-9-]*[a-z0-9])"
    r"(?P<value>[ =](?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"`(][^\s'\"`]*(?<![.,:;)])))?"
)
_ELSEWHERE = {
    "--split": "split", "--config": "config", "--revision": "revision", "--limit": "limit", "--out": "path",
    "--engine": "engine",
}  # fmt: skip
"""Options of a run, and the keywords of `load`, `save` and `apply` that are the same."""
_VARIABLES = {"--offline": "HF_HUB_OFFLINE=1", "--store": "KBTOOLS_STORE"}
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_,:=.]*(\.[a-z]+)?")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_SIGNS = re.compile(r"[^A-Za-z-]")


def as_python(text: str, classes: Iterable[type[BaseModel]] = ()) -> str:
    """The text with options as keywords: fields of these classes first, then those of every stage."""
    return _SPAN.sub(partial(_respelled, _known(classes)), text) if "--" in text else text


P = ParamSpec("P")
T = TypeVar("T")


def door(call: Callable[P, T]) -> Callable[P, T]:
    """A function that people call from Python: what its errors say is spelled for them, by the stages it was given."""

    @wraps(call)
    def spelled(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except KbError as error:
            if not on_command_line.get():
                _respell(error, [type(arg) for arg in _flat(args) if isinstance(arg, BaseModel)])
            raise

    return spelled


def _flat(things: Iterable[object]) -> Iterator[object]:
    """The things, and the stages of those that are chains."""
    for thing in things:
        yield thing
        yield from _flat(getattr(thing, "stages", ()))


def _respell(error: KbError, known: Sequence[type[BaseModel]]) -> None:
    if isinstance(error, Missing):
        error.needs = tuple(as_python(need, known) for need in error.needs)
    error.args = tuple(as_python(arg, known) if isinstance(arg, str) else arg for arg in error.args)


def _known(classes: Iterable[type[BaseModel]]) -> Mapping[str, tuple[str, object]]:
    """Name and type of each field by its option."""
    found: dict[str, tuple[str, object]] = {}
    for cls in _all(classes):
        for name, field in cls.model_fields.items():
            found.setdefault(option(name), (name, field.annotation))
    return {**{written: (name, str) for written, name in _ELSEWHERE.items()}, **found}


def _all(classes: Iterable[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    yield from classes
    yield from registry().stages().values()
    yield from registry().judges().values()


def _respelled(known: Mapping[str, tuple[str, object]], found: re.Match[str]) -> str:
    if found["name"] is None:
        return found[0]
    written, value = f"--{found['name']}", (found["value"] or "")[1:]
    told = found.string[found.end() : found.end() + 1] in tuple(".,:;`)")
    if written in _VARIABLES:
        return found[0].replace(written, _VARIABLES[written])
    negated = f"--{found['name'].removeprefix('no-')}"
    if written not in known and negated in known and found["name"].startswith("no-"):
        return f"{keyword(known[negated][0])}False{found['value'] or ''}"
    if written not in known:
        return found[0]
    name, annotation = known[written]
    if bool in _types(annotation):
        return f"{keyword(name)}True{found['value'] or ''}"
    said = _value(value, annotation, told=told)
    return f"{keyword(name)}{said}" if said else f"{keyword(name)}{found['value'] or ''}"


def _value(value: str, annotation: object, *, told: bool) -> str:
    """A value as Python writes it; empty for a word of the sentence, which has no sign behind it (`told`)."""
    if not value or value[0] in "'\"" or _PLACEHOLDER.fullmatch(value) or _NUMBER.fullmatch(value):
        return value
    if not told and value not in _choices(annotation) and not _SIGNS.search(value):
        return ""
    if dict in _types(annotation) and "=" in value:
        name, _, what = value.partition("=")
        return f"{{{name!r}: {what if _PLACEHOLDER.fullmatch(what) else repr(what)}}}"
    return repr(tuple(value.split(",")) if tuple in _types(annotation) else value)


def _types(annotation: object) -> list[object]:
    """The types that an annotation allows, without their parameters."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [kind for inner in get_args(annotation) for kind in _types(inner)]
    return [origin or annotation]


def _choices(annotation: object) -> list[object]:
    """The words that an annotation allows."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [word for inner in get_args(annotation) for word in _choices(inner)]
