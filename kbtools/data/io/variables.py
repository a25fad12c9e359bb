"""Environment variables in recipes: `${NAME}` and `${NAME:-otherwise}`."""

from __future__ import annotations

import os
import re
from typing import Any

from kbtools.errors import UsageError

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(:-(?P<otherwise>[^}]*))?\}")


def filled_in(data: object, where: str) -> Any:
    """Texts of a recipe with variables replaced by their values; UsageError that names all that have none."""
    missing: dict[str, None] = {}
    filled = _replaced(data, missing)
    if missing:
        names = ", ".join(missing)
        raise UsageError(f"{where} needs the environment variables {names}: set them, or write them into .env.")
    return filled


def _replaced(data: object, missing: dict[str, None]) -> object:
    """As `filled_in`; names that have no value are noted in `missing`."""
    if isinstance(data, dict):
        return {key: _replaced(value, missing) for key, value in data.items()}
    if isinstance(data, list):
        return [_replaced(value, missing) for value in data]
    return _VARIABLE.sub(lambda match: _variable(match, missing), data) if isinstance(data, str) else data


def _variable(match: re.Match[str], missing: dict[str, None]) -> str:
    value = os.environ.get(match["name"]) or match["otherwise"]
    if value is None:
        missing[match["name"]] = None
    return value or ""
