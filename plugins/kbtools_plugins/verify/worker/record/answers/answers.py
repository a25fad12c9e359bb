"""Notes which answers a candidate gets that are no facts of its inputs, and gives others in their place.

A candidate that does its work only where an answer is the one of a machine without a device would be caught in it:
whatever is answered, its forward has to launch what is right. Nobody has to know what a device would have said.
"""

from __future__ import annotations

import ast
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch

from kbtools_plugins.verify.worker.record.answers import listening
from kbtools_plugins.verify.worker.record.answers.compared import OwnComparisons
from kbtools_plugins.verify.worker.record.answers.known import Knowledge
from kbtools_plugins.verify.worker.record.answers.literals import Literals
from kbtools_plugins.verify.worker.record.answers.otherwise import (
    VARIANTS,
    Permissive,
    end_it,
    has_other,
    ordered,
    other,
    variants,
)

_MOST = 32
"""Times that a candidate is recorded with other answers."""
_SECONDS = 5.0
"""Of the processor for a forward with one of them: a number may have become the length of a loop."""
_DRAWN = -1
"""The site of random numbers: a device has others than the host for the same seed."""
_RAISES, _GIVES = -1, -2
"""Variants of a call in a try block: that it raises, and that it gives something where it has raised."""


@dataclass(frozen=True, order=True)
class Doubt:
    """One answer that could be another one."""

    site: int
    variant: int


DRAWN = frozenset([Doubt(_DRAWN, 0)])


_READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default}
_ANOTHER = "ANOTHER"
"""A variable of the environment that no text asks for."""
_ELSEWHERE = (0x5555_5555_5550, 0xAAAA_AAAA_AAA0)
"""What the numbers of objects are changed by: of each bit one of both has the other value, but for an alignment."""


class Answers:
    """All that a candidate was told, by the number of the place in its text."""

    def __init__(self, module: str, path: str) -> None:
        self._knowledge = Knowledge(module, path)
        self._path = path
        self._sites: list[listening.Site] = []
        self._unknown: set[int] = set()
        self._addresses: set[int] = set()
        """Sites at which it is asked where an object lies."""
        self._of_callers: dict[int, bool] = {}
        """Sites at which it is asked for what a caller may have chosen; whether that may change what is computed."""
        self._open: dict[int, int] = {}
        self._doubts: dict[Doubt, None] = {}
        self._given: frozenset[Doubt] = frozenset()
        self._known: set[Doubt] = set()
        self._catches = False
        self._has_drawn = False
        self._code: CodeType | None = None
        self._literals = Literals()
        self._placeless: dict[str, int] = {}
        """What is asked at no certain place of the text, by what it is."""
        self.compared = OwnComparisons(
            self._is_given, lambda: {doubt.site for doubt in self._given}, lambda value: self._literals.like(value)
        )

    def compiled(self, text: str) -> CodeType:
        """The candidate's code, so that it tells what it is told."""
        if self._code is not None:
            return self._code
        self._literals = Literals.of(ast.parse(text))
        tree, self._sites = listening.listen(text, self._path)
        self._catches = "suppress" in text or any(isinstance(node, ast.Try) for node in ast.walk(tree))
        self._code = compile(tree, self._path, "exec")
        return self._code

    def hooks(self) -> dict[str, object]:
        """What the code calls, as built-in names."""
        return {
            listening.ASK: self._ask,
            listening.ASKED: self._asked,
            listening.SAID: self._said,
            listening.MADE: self._made,
            listening.SHOWN: self._shown,
            listening.TOLD: self._of_module,
            listening.IMPORT: self._import,
            **self.compared.hooks(),
        }

    @property
    def trying(self) -> bool:
        """Whether an answer is another one now: then nothing that happens is held against the candidate."""
        return bool(self._given)

    def tries(self) -> Iterator[tuple[frozenset[Doubt], str]]:
        """What is to be answered otherwise: each answer alone, all at once, with those asked for only then.

        Every one has to be tried before the next is taken.
        """
        found = [frozenset([doubt]) for doubt in self._found(frozenset())]
        waiting = [given for given in found if not any(doubt.variant >= VARIANTS for doubt in given)]
        together = [given for given in waiting if not self.are_of_callers(given)]
        every = [frozenset().union(*(one for one in together if _is_of(one, variant))) for variant in (0, 1)]
        waiting += [given for given in dict.fromkeys(every) if len(given) > 1]
        waiting += [given for given in found if given not in waiting]
        for _ in range(_MOST):
            if not waiting:
                return
            given = waiting.pop(0)
            yield given, self._text(given)
            chosen = self.are_of_callers(given)
            further = [doubt for doubt in self._found(given) if self.are_of_callers(frozenset([doubt])) == chosen]
            waiting += [given | {doubt} for doubt in further if given | {doubt} not in waiting]

    @contextlib.contextmanager
    def otherwise(self, given: frozenset[Doubt]) -> Iterator[None]:
        """Inside, these answers are others; TookTooLong where that makes the candidate endless."""
        self._known |= set(self._doubts)
        self._doubts, self._open = {}, {}
        former = signal.signal(signal.SIGVTALRM, end_it)
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
        self._given = given
        try:
            yield
        finally:
            self._given = frozenset()
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, former)

    def _found(self, given: frozenset[Doubt]) -> list[Doubt]:
        """What has been asked for the first time, and calls that have raised."""
        raised = {Doubt(site, _GIVES) for site, count in self._open.items() if count > 0}
        found = sorted((set(self._doubts) | raised) - self._known)
        self._known |= set(found)
        return found

    def are_of_callers(self, given: frozenset[Doubt]) -> bool:
        """Whether callers choose these answers: who computes may be another one there."""
        return all(doubt.site in self._of_callers for doubt in given)

    def are_of_values(self, given: frozenset[Doubt]) -> bool:
        """Whether what is computed may be another thing there, too."""
        return any(self._of_callers.get(doubt.site) for doubt in given)

    def perform(self, operator: torch._ops.OpOverload, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """What an operator gives; one that draws random numbers may give others."""
        if operator in _READS:
            self.looked()
        draws = torch.Tag.nondeterministic_seeded in operator.tags
        self._has_drawn |= draws
        if not draws or self._given != DRAWN:
            return operator(*args, **kwargs)
        asked = kwargs.get("generator")
        generator = asked if isinstance(asked, torch.Generator) else torch.default_generator
        state = generator.get_state()
        generator.manual_seed(int(state.sum()))
        try:
            return operator(*args, **kwargs)
        finally:
            generator.set_state(state)
            torch.rand((), generator=generator)

    def looked(self) -> None:
        """A value of a tensor was read, which may be one that was drawn."""
        if self._has_drawn:
            self._doubts[next(iter(DRAWN))] = None

    def _text(self, given: frozenset[Doubt]) -> str:
        if given == DRAWN:
            return "a draw of random numbers"
        sites = [self._sites[number] for number in sorted({doubt.site for doubt in given - DRAWN})]
        return " and ".join(f"line {site.line}: {site.text}" if site.line else site.text for site in sites[:3])

    def variable(self, name: str, value: str | None) -> str | None:
        """What a variable of the environment is said to be."""
        number = self._site_of(f"the variable {name}")
        if value is None and self._knowledge.is_switch(name):
            self._of_callers[number] = True
        if name in self.more_variables():
            return "1"
        others = ["1"] if value is None else [None, str(2**20) if value.isdigit() else ""]
        literals = [one for one in self._literals.like("") if one != value]
        for variant, one in [*enumerate(others), *enumerate(literals, VARIANTS)]:
            if self._is_given(number, variant):
                return str(one) if one is not None else None
        return value

    def more_variables(self) -> tuple[str, ...]:
        """All that the text has names of, where others are said to be there."""
        named = [str(one) for one in self._literals.like("") if one not in os.environ]
        names = [name for name in named if not self._knowledge.is_switch(name)]
        return (*names, _ANOTHER) if self._is_given(self._site_of("the variables"), 0) else ()

    def _site_of(self, text: str) -> int:
        """The number of what is asked at no certain place."""
        if text not in self._placeless:
            self._placeless[text] = len(self._sites)
            self._sites.append(listening.Site(0, text, "", used=True))
        return self._placeless[text]

    def _of_module(self, number: int, value: object) -> object:
        self._unknown.add(number)
        return self._told(number, value)

    def _import(self, name: str, *args: Any) -> object:
        """As the built-in function does; what is not there may be there."""
        try:
            return __import__(name, *args)
        except ImportError:
            if self._is_given(self._site_of(f"an import of {name}"), 0):
                return Permissive()
            raise

    def _ask(self, number: int, target: object) -> object:
        name = self._sites[number].attribute
        known = self._knowledge.knows_attribute(target, name) if name else self._knowledge.knows(target)
        if known:
            return target
        self._unknown.add(number)
        if self._knowledge.is_of_callers(target, name):
            self._of_callers[number] = self._knowledge.is_of_precision(target)
        if target is id:
            self._addresses.add(number)
        self._open[number] = self._open.get(number, 0) + 1
        return Permissive() if Doubt(number, _GIVES) in self._given else target

    def _asked(self, number: int, function: object, *values: object) -> tuple[object, ...]:
        if not self._knowledge.knows_arguments(function, values):
            self._unknown.add(number)
        return values

    def _said(self, number: int, value: object) -> object:
        if number not in self._unknown:
            return self._made(number, value)
        self._open[number] = self._open.get(number, 1) - 1
        answers = not isinstance(value, torch.Tensor | type) and not self._sites[number].attribute
        if answers and self._catches and self._is_given(number, _RAISES):
            raise RuntimeError("this operation failed")
        return self._told(number, value)

    def _told(self, number: int, value: object) -> object:
        if not has_other(value) or not self._sites[number].used:
            return value
        for variant in range(variants(value)):
            if self._is_given(number, variant):
                if number in self._addresses and isinstance(value, int):
                    return value ^ _ELSEWHERE[variant]
                return other(value, variant, self._literals.like(""))
        for variant, literal in enumerate(self._literals.like(value), VARIANTS):
            if self._is_given(number, variant):
                return literal
        return value

    def _is_given(self, number: int, variant: int) -> bool:
        doubt = Doubt(number, variant)
        self._doubts[doubt] = None
        return doubt in self._given

    def _made(self, number: int, value: object) -> object:
        for kind in (set, frozenset):
            if type(value) is kind:
                return ordered(kind, lambda: self._is_given(number, 0))(value)
        return value

    def _shown(self, number: int, value: object) -> object:
        if self._knowledge.shows_facts(value):
            return value
        text = str(value)
        told = self._told(number, text)
        return value if told == text else told


def _is_of(given: frozenset[Doubt], variant: int) -> bool:
    return all(doubt.variant in (0, variant) for doubt in given)
