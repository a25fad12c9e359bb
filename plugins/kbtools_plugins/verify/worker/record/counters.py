"""What a candidate may count its calls by, and the same as if there had been many.

Of what its module and its instance keep, the numbers, containers and iterators that each call changes. Nobody knows
what a candidate waits for: a number becomes a large one, and each that the text names; a container or an iterator goes
far ahead.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import FunctionType, GeneratorType, ModuleType
from typing import Any, Protocol

import numpy as np
import torch

from kbtools_plugins.verify.worker.record.own_state import is_iterator, of_iterator, reached

_MANY = 2**20
_AHEAD = 2**14
"""Steps of an iterator, and items of a container."""
_SECONDS = 0.1
"""Processor time for the steps of one iterator."""


class CallCounter(Protocol):
    """One thing that calls may be counted by."""

    def state(self) -> object:
        """Equal as long as nothing was counted."""

    def go(self, number: int) -> None:
        """As if there had been so many calls."""

    def back(self) -> None:
        """As it was before, where that is possible."""


def counters(module: ModuleType, instance: object, call: Callable[[], object]) -> list[CallCounter]:
    """What is another one after a `call`."""
    before = [(counter, counter.state()) for counter in _kept(reached(module, instance))]
    call()
    return [counter for counter, state in before if counter.state() != state]


def late(found: list[CallCounter], literals: Iterable[int]) -> Iterator[None]:
    """After each step they stand as after many calls; at the end where they were."""
    near = [number for literal in literals for number in (literal - 1, literal)]
    try:
        for number in dict.fromkeys([_MANY, *near]):
            for counter in found:
                with contextlib.suppress(OverflowError, RuntimeError):  # a small type, or one that cannot be changed
                    counter.go(number)
            yield
    finally:
        for counter in found:
            counter.back()


class _Value:
    def __init__(self, read: Callable[[], Any], write: Callable[[Any], object]) -> None:
        self._read, self._write = read, write
        self._first = read()

    def state(self) -> object:
        return self._read()

    def go(self, number: int) -> None:
        value = self._first
        self._write(type(value)(number) if isinstance(value, int | float) else value + value[-1:] * _AHEAD)

    def back(self) -> None:
        self._write(self._first)


class _Container:
    """One that grows is made long; one that shrinks, empty."""

    def __init__(self, items: Any) -> None:
        self._items = items
        self._first = len(items)
        self._before: Any = None

    def state(self) -> object:
        return len(self._items)

    def go(self, number: int) -> None:
        if self._before is not None:
            return
        self._before = self._items.copy()
        new = range(_MANY, _MANY + _AHEAD)
        match self._items:
            case _ if len(self._items) < self._first:
                self._items.clear()
            case dict():
                self._items.update(dict.fromkeys(new))
            case set():
                self._items.update(new)
            case list() | deque() | bytearray() if self._items:
                last = self._items[-1]
                self._items.extend(last for _ in new)

    def back(self) -> None:
        if self._before is None:
            return
        self._items.clear()
        if isinstance(self._items, dict | set):
            self._items.update(self._before)
        else:
            self._items.extend(self._before)


class _Steps:
    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator
        self._gone = False

    def state(self) -> object:
        return of_iterator(self._iterator)

    def go(self, number: int) -> None:
        until = time.process_time() + _SECONDS
        for _ in islice(self._iterator, 0 if self._gone else _AHEAD):
            if time.process_time() > until:
                break
        self._gone = True

    def back(self) -> None:
        """An iterator goes in one direction."""


def _kept(values: list[object]) -> Iterator[CallCounter]:
    for value in values:
        if isinstance(value, dict | set | list | deque | bytearray):
            yield _Container(value)
        if isinstance(value, GeneratorType) or is_iterator(value):
            yield _Steps(value)  # type: ignore[arg-type]  # has `__next__`
        yield from _numbers_in(value)


def _numbers_in(value: Any) -> Iterator[_Value]:
    match value:
        case dict() | list():
            keys = list(value) if isinstance(value, dict) else range(len(value))
            yield from (_item(value, key) for key in keys if _is_counter(value[key]))
        case type():
            names = [name for name, kept in vars(value).items() if _is_counter(kept)]
            yield from (_attribute(value, name) for name in names)
        case FunctionType():
            for cell in value.__closure__ or ():
                with contextlib.suppress(ValueError):  # an empty one
                    if _is_counter(cell.cell_contents):
                        yield _attribute(cell, "cell_contents")
        case torch.Tensor() if value.numel() == 1 and not isinstance(value, torch.nn.Parameter):
            yield _Value(value.item, value.fill_)
        case np.ndarray() if value.size == 1:
            yield _Value(value.item, value.fill)


def _is_counter(value: object) -> bool:
    """Whether it may tell of calls by how large or how long it is."""
    return type(value) in (int, float, str, bytes, tuple)


def _item(holder: Any, key: Any) -> _Value:
    return _Value(lambda: holder[key], lambda number: holder.__setitem__(key, number))


def _attribute(holder: Any, name: str) -> _Value:
    return _Value(lambda: getattr(holder, name), lambda number: setattr(holder, name, number))
