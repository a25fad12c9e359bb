"""Pairs of codes that stages found alike, as their facts record them under `code_pairs`: to be shown side by side.

Any stage may record such pairs. What has another form is left out: the record is the stage's, the page must not fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from kbtools.figures import CodePair
from kbtools.lineage import Lineage


@dataclass(frozen=True)
class Found:
    """The pairs of one stage."""

    position: int
    stage: str
    pairs: tuple[CodePair, ...]


_PAIRS = TypeAdapter(tuple[CodePair, ...])


def recorded(lineage: Lineage) -> Iterator[Found]:
    """The pairs of every stage that recorded some."""
    for position, record in enumerate(lineage.records, start=1):
        try:
            pairs = _PAIRS.validate_python(record.facts.get("code_pairs", ()))
        except ValidationError:
            continue
        if pairs:
            yield Found(position, record.stage, pairs)
