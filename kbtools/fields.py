"""How a stage's class takes its fields when it is called from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic._internal._model_construction import ModelMetaclass  # the metaclass of BaseModel has no public name

from kbtools.errors import UsageError, explain, keyword

if TYPE_CHECKING:
    CheckedCall = ModelMetaclass  # for a checker the call is that of the class that is written
else:

    class CheckedCall(ModelMetaclass):
        """Makes a wrong call of a stage's class an error of kbtools, with the nearest keyword for an unknown one."""

        def __call__(cls, **fields: object) -> Any:  # noqa: N805  # a class is what a metaclass is called on
            try:
                return super().__call__(**fields)
            except ValidationError as error:
                raise UsageError(f"{cls.__name__}: {explain(error, cls, keyword)}") from error
