"""How a stage's class takes its fields: of which types, shares as numbers or percentages, wrong calls from Python."""

from __future__ import annotations

import inspect
import os
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from kbtools.errors import UsageError, explain, keyword
from kbtools.spelling import as_python

_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def as_in_commands(cls: type[BaseModel], given: object) -> object:
    """What a class is made of, in Python and recipes too: `10%` is the number 0.1, and `a,b` are two names."""
    if not isinstance(given, dict):
        return given
    texts = {name: value for name, value in given.items() if isinstance(value, str) and name in cls.model_fields}
    return {**given, **{name: _read(value, cls.model_fields[name].annotation) for name, value in texts.items()}}


def _read(text: str, annotation: object) -> object:
    if get_origin(annotation) is tuple and get_args(annotation)[:1] == (str,):
        return tuple(text.split(","))
    share = _PERCENTAGE.fullmatch(text)
    return float(share[1]) / 100 if share and {float, str} & set(_plain(annotation)) == {float} else text


def _plain(annotation: object) -> Iterator[object]:
    """The types that are anywhere in an annotation."""
    yield annotation
    for inner in get_args(annotation):
        yield from _plain(inner)


def without_none(annotation: object) -> Any:
    """The type that a value has when it is there, without constraints."""
    if get_origin(annotation) is Annotated:
        return without_none(get_args(annotation)[0])
    some = [arg for arg in get_args(annotation) if arg is not type(None)]
    return without_none(some[0]) if is_union(annotation) and len(some) == 1 else annotation


def is_union(annotation: object) -> bool:
    """Whether a value may be of several types, None among them."""
    return get_origin(annotation) in (Union, types.UnionType)


_BUILDERS = (
    __name__,
    *(f"pydantic._internal.{name}" for name in ("_docs_extraction", "_fields", "_model_construction")),
)


def _note_file(module: str) -> None:
    """Tell `inspect` of which file a module is.

    Pydantic asks it for the modules of all callers to find the docstrings of fields, and it would go through every
    module that there is, several times for each class.
    """
    if file := getattr(sys.modules.get(module), "__file__", None):
        inspect.modulesbyfile.setdefault(os.path.normcase(Path(file).absolute()), module)


if TYPE_CHECKING:

    class CheckedModel(BaseModel):  # for a checker the call is that of the class that is written
        """A model whose wrong call from Python is an error of kbtools."""

else:

    class _CheckedCall(type(BaseModel)):
        """Calls the class that the fields choose, and names the nearest keyword for an unknown one."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> type:
            for module in (*_BUILDERS, namespace["__module__"]):
                _note_file(module)
            return super().__new__(mcs, name, bases, namespace, **options)

        def __call__(cls, *values: object, **fields: object) -> Any:  # a metaclass is called on a class
            chosen = cls.chosen(fields)
            if values:
                names = ", ".join(map(keyword, chosen.model_fields))
                raise UsageError(f"{chosen.__name__}: {values[0]!r:.80} has no name. Write it behind one of {names}")
            try:
                return super(_CheckedCall, chosen).__call__(**fields)
            except ValidationError as error:
                said = as_python(explain(error, chosen, keyword), [chosen])
                raise UsageError(f"{chosen.__name__}: {said}") from error

    class CheckedModel(BaseModel, metaclass=_CheckedCall):
        """A model whose wrong call from Python is an error of kbtools."""

        @classmethod
        def chosen(cls, fields: Mapping[str, object]) -> type[CheckedModel]:
            """The class that these fields ask for."""
            return cls
