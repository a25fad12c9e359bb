"""Reading ahead: order, errors in their place, no more than was said, and an end when nobody asks any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kbtools.data.io.ahead import ahead


def test_items_come_in_their_order() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter([]))) == []
    assert list(ahead(iter([None, 0, ""]))) == [None, 0, ""]


def test_an_error_comes_behind_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)


def test_no_more_is_made_than_was_said() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = ahead(counting(), most=3)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert made == [0, 1, 2, 3]
