"""Two codes that were found alike, as people look at them: in the record, and side by side in the report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from kbtools.wording import counted

_LONGEST = 2_000


class Code(BaseModel):
    """A code and where it is."""

    model_config = ConfigDict(frozen=True)

    name: str
    text: str


class Pair(BaseModel):
    """Two codes and how alike they are."""

    model_config = ConfigDict(frozen=True)

    left: Code
    right: Code
    kind: str
    score: float


def shown(name: str, text: str) -> Code:
    """As much of a code as a record holds."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... ({counted(len(text), 'character')})"
    return Code(name=name, text=cut.encode("utf-8", "replace").decode())
