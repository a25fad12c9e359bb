"""How a stage's class takes its fields: shares as numbers or percentages, and wrong calls from Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic._internal._model_construction import ModelMetaclass  # the metaclass of BaseModel has no public name

from kbtools.errors import UsageError, explain, keyword
from kbtools.spelling import as_python

_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def without_percentages(cls: type[BaseModel], given: object) -> object:
    """What a class is made of, with `10%` as 0.1 wherever it takes a number: in Python and recipes as in commands."""
    if not isinstance(given, dict):
        return given
    shares = {
        name: float(found[1]) / 100
        for name, value in given.items()
        if isinstance(value, str) and name in cls.model_fields and (found := _PERCENTAGE.fullmatch(value))
        if {float, str} & set(_plain(cls.model_fields[name].annotation)) == {float}
    }
    return {**given, **shares}


def _plain(annotation: object) -> Iterator[object]:
    """The types that are anywhere in an annotation."""
    yield annotation
    for inner in get_args(annotation):
        yield from _plain(inner)


if TYPE_CHECKING:
    CheckedCall = ModelMetaclass  # for a checker the call is that of the class that is written
else:

    class CheckedCall(ModelMetaclass):
        """Makes a wrong call of a stage's class an error of kbtools, with the nearest keyword for an unknown one."""

        def __call__(cls, **fields: object) -> Any:  # noqa: N805  # a class is what a metaclass is called on
            try:
                return super().__call__(**fields)
            except ValidationError as error:
                raise UsageError(f"{cls.__name__}: {as_python(explain(error, cls, keyword), [cls])}") from error
