"""Small text files that users write and edit: UTF-8 whatever the locale, and what cannot be read is named."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from kbtools.errors import DataError, UsageError


def read_text(path: Path | Traversable, what: str) -> str:
    """The text of a file; `what` it should be is for the message when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no {what} {str(path)!r}.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, where a {what} should be.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"the {what} {path} is not UTF-8 text ({error}): save it as UTF-8.") from error


def read_json(path: Path, what: str) -> Any:
    """What a JSON file holds."""
    return parsed(read_text(path, what), path)


def parsed(text: str, where: Path | str) -> object:
    """What a JSON text holds; `where` it is goes into the message when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON: {error}") from error
