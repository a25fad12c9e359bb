"""What a worker is told and what it answers: a function by name, texts in and out, and errors as data.

Texts cross processes and hosts of any kind, and say what they are; pickled objects are only as good as the other side's
modules.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict

from kbtools.errors import KbError, rebuilt

Kind = Literal["cpu", "gpu"]
"""What a job needs a worker of its own for."""


class Job(BaseModel):
    """A function of one text, as `module:name`, and the text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function: str
    payload: str


class JobFault(BaseModel):
    """An error that a job ended with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module: str
    name: str
    message: str
    trace: str = ""
    """Where it came from, unless it is an error that kbtools raises on purpose."""

    @classmethod
    def of(cls, error: BaseException) -> JobFault:
        """The error as data."""
        kind = type(error)
        trace = "" if isinstance(error, KbError) else "".join(traceback.format_exception(error))
        return cls(module=kind.__module__, name=kind.__qualname__, message=str(error), trace=trace)

    def error(self, where: str) -> KbError:
        """The error again, of its own class where that is one of kbtools'; `where` names who met with it."""
        kind = self._class()
        if kind is None:
            return KbError(f"{where}: {self.name}: {self.message}, a defect of the code that ran there.\n{self.trace}")
        return rebuilt(kind, (self.message,), {})

    def _class(self) -> type[KbError] | None:
        try:
            found = getattr(importlib.import_module(self.module), self.name, None)
        except ImportError:
            return None
        return found if isinstance(found, type) and issubclass(found, KbError) else None


class JobAnswer(BaseModel):
    """What came of a job: a text or a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    fault: JobFault | None = None


def called(function: str) -> Callable[[str], str]:
    """The function that goes by this name, as module:name."""
    module, _, name = function.partition(":")
    return cast("Callable[[str], str]", getattr(importlib.import_module(module), name))


def perform(job: Job) -> JobAnswer:
    """Call the function of a job; whatever it raises is the answer."""
    try:
        return JobAnswer(text=called(job.function)(job.payload))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it travels to the driver, which raises it
        return JobAnswer(fault=JobFault.of(error))
