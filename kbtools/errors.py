"""Every error that kbtools raises on purpose, each with the exit code of the command line.

A message says what was being done, on what, what was found and what to do. Anything else that escapes is a
defect of kbtools and is shown with its traceback.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import ClassVar


class KbError(Exception):
    """Base of all expected failures."""

    exit_code: ClassVar[int] = 1


class RowError(KbError):
    """Some rows could not be processed; the message names them."""


class UsageError(KbError):
    """The call cannot be run as written: an unknown name, option, column or value."""

    exit_code = 2


class SchemaError(UsageError):
    """The columns of the dataset do not fit what a stage needs."""


class DataError(UsageError):
    """A dataset or file cannot be read as what it claims to be."""


class ConfigError(KbError):
    """Configuration, credentials or an optional dependency is missing."""

    exit_code = 3


class MissingExtra(ConfigError):
    """A heavy dependency is not installed; the message gives the command that installs it."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs packages that are not installed: pip install 'kbtools[{extra}]'")


def reason(error: OSError) -> str:
    """Why the system refused, in its own words; pyarrow puts words of its own around them."""
    return os.strerror(error.errno) if error.errno else str(error)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A sentence naming the nearest choice, or all of them when none is near."""
    known = sorted(set(choices))
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Choices: {', '.join(known)}." if known else "There are none."
