"""One stage of a chain, in whichever process: what it gives is checked, and its errors say which stage it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kbtools.errors import KbError
from kbtools.plugins import registry
from kbtools.result import Result
from kbtools.stage import Stage

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def checked(position: int, stage: Stage, data: Dataset | DatasetDict) -> Result:
    """What a stage gives, once it is known to be a result; its errors say which stage of the chain it was."""
    with _located(position, stage):
        result = stage.run(data)
        if not isinstance(result, Result):
            raise KbError(f"it gave {type(result).__name__} instead of a kb.Result, which is a defect of the stage.")
    return result


@contextmanager
def _located(position: int, stage: Stage) -> Iterator[None]:
    """Errors of a stage say which stage of the chain it was."""
    try:
        yield
    except KbError as error:
        if error.args and not str(error).startswith("stage "):
            error.args = (f"stage {position} ({stage.name}): {error}",)
        raise
    except SystemExit as error:  # would end the run as if it were done
        told = f"stage {position} ({stage.name}): it ended the program (SystemExit: {error}), a defect of the stage."
        raise KbError(told) from error
    except Exception as error:  # not one that was foreseen: the trace says what, the note where it came from
        origin = registry().origin(type(stage))
        by = f" by {origin.distribution} {origin.version}" if origin else ""
        error.add_note(f"raised in stage {position} ({stage.name}{by})")
        raise
