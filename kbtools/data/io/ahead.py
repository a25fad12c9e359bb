"""Items made in a thread of their own while those before them are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item], most: int = 2) -> Iterator[Item]:
    """The items in their order, of which up to `most` are made before they are asked for; errors come in their place.

    It gains where making one leaves the interpreter to others, as Arrow's readers and compression do.
    """
    with ThreadPoolExecutor(1) as maker:
        coming = deque(maker.submit(_one, items) for _ in range(most))
        while one := coming.popleft().result():
            coming.append(maker.submit(_one, items))
            yield from one


def _one(items: Iterator[Item]) -> list[Item]:
    """The next item, alone; nothing at the end."""
    return list(islice(items, 1))
