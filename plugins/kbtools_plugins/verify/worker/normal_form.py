"""One form for the code that Triton parses: equal for two modules that say the same."""

from __future__ import annotations

import hashlib
import re

FAILED = "failed: "
_PLACE = re.compile(r'\s*loc\((?:[^()"]|"[^"]*"|\((?:[^()"]|"[^"]*"|\([^()]*\))*\))*\)')
_SYMBOL = re.compile(r'@(?:"[^"]*"|[\w.$]+)')


def normal_form(text: str) -> str:
    """A digest of the code without places in a source, its symbols numbered as they come."""
    numbers: dict[str, str] = {}
    lines = (line for line in text.splitlines() if not line.startswith("#loc"))
    plain = _PLACE.sub("", "\n".join(lines))
    plain = _SYMBOL.sub(lambda found: numbers.setdefault(found[0], f"@{len(numbers)}"), plain)
    return hashlib.sha256(plain.encode()).hexdigest()
