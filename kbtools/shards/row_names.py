"""How a shard calls its rows: it does not know how many there are before it, so it leaves marks for the driver to fill.

A mark holds the shard's key, which no text of a row can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kbtools.data.table import row_numbers


@contextmanager
def marked(key: str, stage: int) -> Iterator[None]:
    """In the body, the rows that go into this stage of a shard are called by marks."""
    token = row_numbers.set(lambda index: f"<{key}:{stage}:{index}>")
    try:
        yield
    finally:
        row_numbers.reset(token)


def filled(text: str, key: str, before: Sequence[int]) -> str:
    """The text with every mark of this shard replaced by the row's number; `before` is the rows before it, by stage."""
    mark = re.compile(rf"<{re.escape(key)}:(\d+):(\d+)>")
    return mark.sub(lambda found: str(before[int(found[1])] + int(found[2])), text)
