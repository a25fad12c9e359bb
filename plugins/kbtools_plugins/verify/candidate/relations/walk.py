"""Follows a launch's numbers through the text of its kernel: each statement in turn, loops twice, helpers in place."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from kbtools_plugins.verify.candidate.kernel_language import dotted
from kbtools_plugins.verify.candidate.relations.arithmetic import Relations, negated
from kbtools_plugins.verify.candidate.relations.calls import LanguageCall, called
from kbtools_plugins.verify.candidate.relations.values import (
    ABSENT,
    NOTHING,
    KernelValue,
    Measure,
    Thing,
    either,
    extents_of,
    forgotten,
    joined,
)

_MOST_CALLS, _MOST_NODES = 8, 200_000
_RANGES = ("range", "static_range")

Names = dict[str, Thing]


class TooMuch(Exception):
    """A text that takes too long to be followed."""


class Walk:
    """One launch's way through its kernel."""

    def __init__(
        self, functions: Mapping[str, ast.FunctionDef], constants: Names, grid: Sequence[int], relations: Relations
    ) -> None:
        self._functions = functions
        self._constants = constants
        self._grid = grid
        self._relations = relations
        self._calls: list[str] = []
        self._nodes = 0

    def call(self, function: ast.FunctionDef, names: Names) -> Thing:
        """What a function returns with these arguments."""
        returned: list[Thing] = []
        self._block(function.body, names, returned)
        result = returned[0] if returned else NOTHING
        for number, other in enumerate(returned[1:]):
            result = either(result, other, self._key(function, f"return {number}"))
        return result

    def _key(self, node: ast.stmt | ast.expr, what: str = "") -> str:
        return f"{''.join(self._calls)}{node.lineno}:{node.col_offset}{what}"

    def _block(self, body: list[ast.stmt], names: Names, returned: list[Thing]) -> None:
        for statement in body:
            self._statement(statement, names, returned)

    def _statement(self, node: ast.stmt, names: Names, returned: list[Thing]) -> None:
        self._count()
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assign(node, names)
        elif isinstance(node, ast.If):
            self._if(node, names, returned)
        elif isinstance(node, ast.For):
            self._for(node, names, returned)
        elif isinstance(node, ast.While):
            self._forget(node, names)
            for _ in range(2):
                self.value(node.test, names)
                self._block(node.body, names, returned)
        elif isinstance(node, ast.Return):
            returned.append(self.value(node.value, names) if node.value else NOTHING)
        elif isinstance(node, ast.Expr | ast.Assert):
            self.value(node.value if isinstance(node, ast.Expr) else node.test, names)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise TooMuch

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, names: Names) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value, names)
            for target in node.targets:
                self._bind(target, value, names)
        elif isinstance(node, ast.AugAssign):
            self._bind(node.target, self._advanced(node, names), names)
        elif node.value is not None:
            self._bind(node.target, self.value(node.value, names), names)

    def _advanced(self, node: ast.AugAssign, names: Names) -> KernelValue:
        """What goes on by a constant in each round goes through something in blocks of it."""
        before, by = self._single(_loaded(node.target), names), self._single(node.value, names)
        after = self._relations.computed(type(node.op), before, by, self._key(node))
        step = by.constant if isinstance(node.op, ast.Add | ast.Sub) and before.number is None else None
        return replace(after, blocks=after.blocks | {step}) if step and step > 1 else after

    def _bind(self, target: ast.expr, value: Thing, names: Names) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            several = isinstance(value, tuple) and len(value) == len(target.elts)
            found = value if several and isinstance(value, tuple) else (joined([value]),) * len(target.elts)
            for part, one in zip(target.elts, found, strict=True):
                self._bind(part, one, names)

    def _if(self, node: ast.If, names: Names, returned: list[Thing]) -> None:
        test = self.value(node.test, names)
        if isinstance(test, KernelValue) and (test.number is not None or test.absent):
            self._block(node.body if test.number else node.orelse, names, returned)
            return
        one, other = dict(names), dict(names)
        self._block(node.body, one, returned)
        self._block(node.orelse, other, returned)
        for name in one.keys() | other.keys():
            key = self._key(node, f" {name}")
            names[name] = either(one.get(name, other.get(name, NOTHING)), other.get(name, one.get(name, NOTHING)), key)

    def _forget(self, loop: ast.For | ast.While, names: Names) -> None:
        stored = {part.id for part in ast.walk(loop) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        for name in stored & names.keys():
            names[name] = forgotten(names[name], self._key(loop, f" {name}"))

    def _for(self, node: ast.For, names: Names, returned: list[Thing]) -> None:
        self._forget(node, names)
        counter = self._counter(node, names)
        for _ in range(2):
            self._bind(node.target, counter, names)
            self._block(node.body, names, returned)

    def _counter(self, node: ast.For, names: Names) -> KernelValue:
        """What a loop counts with; how often it goes round is a relation."""
        call = node.iter
        if not (isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in _RANGES and call.args):
            return joined([self.value(call, names)])
        given = [joined_if_several(self.value(argument, names)) for argument in call.args[:3]]
        for word in call.keywords:
            self.value(word.value, names)
        start, stop = (KernelValue(number=0), given[0]) if len(given) == 1 else (given[0], given[1])
        step = given[2] if len(given) > 2 else KernelValue(number=1)
        self._rounds(start, stop, step, self._key(node))
        found = joined([start, KernelValue(blocks=stop.blocks)])
        own = frozenset([step.constant]) if step.constant and step.constant > 1 else frozenset[int]()
        return KernelValue(
            blocks=found.blocks | own, extents=extents_of(start, self._key(node, " from")), loaded=found.loaded
        )

    def _rounds(self, start: KernelValue, stop: KernelValue, step: KernelValue, key: str) -> None:
        if type(step.number) is not int or step.number == 0:
            self._relations.of_unknown(key, step.blocks)
            return
        width = abs(step.number)
        if type(stop.number) is int and start.number is None and not start.loaded:
            self._relations.note(key, stop.number, width, stop.of | step.of)
        elif type(stop.number) is int and type(start.number) is int:
            of = start.of | stop.of | step.of
            if of:
                self._relations.note(key, abs(stop.number - start.number), width, of)
        else:
            extents: frozenset[Measure] = extents_of(start, f"{key} start") | extents_of(stop, f"{key} stop")
            self._relations.all_pairs(key, extents, start.blocks | stop.blocks | {width})
            if start.loaded or stop.loaded:
                self._relations.of_unknown(key, {width})

    def value(self, node: ast.expr, names: Names) -> Thing:
        """What an expression stands for."""
        self._count()
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.Name):
            return names.get(node.id, self._constants.get(node.id, NOTHING))
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.value(part, names) for part in node.elts)
        if isinstance(node, ast.Call):
            return self._called(node, names)
        if isinstance(node, ast.Subscript):
            return self._part(node, names)
        return self._chosen(node, names) if isinstance(node, ast.IfExp) else self._operated(node, names)

    def _operated(self, node: ast.expr, names: Names) -> Thing:
        single = partial(self._single, names=names)
        if isinstance(node, ast.BinOp):
            return self._relations.computed(type(node.op), single(node.left), single(node.right), self._key(node))
        if isinstance(node, ast.UnaryOp):
            return negated(single(node.operand), node.op)
        if isinstance(node, ast.Compare):
            return self._compared(node, names)
        return self._other(node, names)

    def _single(self, node: ast.expr, names: Names) -> KernelValue:
        return joined_if_several(self.value(node, names))

    def _other(self, node: ast.expr, names: Names) -> Thing:
        if isinstance(node, ast.BoolOp):
            return _all_or_any(node.op, [self._single(part, names) for part in node.values])
        if isinstance(node, ast.Attribute):
            found = self._single(node.value, names)
            return found if node.attr in ("T", "value") else joined([found])
        return NOTHING

    def _part(self, node: ast.Subscript, names: Names) -> Thing:
        whole, place = self.value(node.value, names), self._slice(node.slice, names)
        if isinstance(whole, KernelValue):
            return whole
        at = place.constant if isinstance(place, KernelValue) else None
        return whole[at] if at is not None and -len(whole) <= at < len(whole) else joined([whole])

    def _slice(self, node: ast.expr, names: Names) -> Thing:
        return NOTHING if isinstance(node, ast.Slice | ast.Tuple) else self.value(node, names)

    def _chosen(self, node: ast.IfExp, names: Names) -> Thing:
        test = self.value(node.test, names)
        if isinstance(test, KernelValue) and (test.number is not None or test.absent):
            return self.value(node.body if test.number else node.orelse, names)
        return either(self.value(node.body, names), self.value(node.orelse, names), self._key(node))

    def _compared(self, node: ast.Compare, names: Names) -> KernelValue:
        sides = [self._single(part, names) for part in [node.left, *node.comparators]]
        found = [
            self._relations.compared(type(kind), left, right, self._key(node, f" {number}"))
            for number, (kind, left, right) in enumerate(zip(node.ops, sides[:-1], sides[1:], strict=True))
        ]
        return found[0] if len(found) == 1 else _all_or_any(ast.And(), found)

    def _called(self, node: ast.Call, names: Names) -> Thing:
        path = dotted(node.func)
        arguments = [self.value(part.value if isinstance(part, ast.Starred) else part, names) for part in node.args]
        words = {word.arg or "": self.value(word.value, names) for word in node.keywords}
        function = self._functions.get(path)
        if function is not None and len(self._calls) < _MOST_CALLS:
            self._calls.append(f"{node.lineno}:{node.col_offset}>")
            found = self.call(function, self._bound(function, arguments, words))
            self._calls.pop()
            return found
        receiver = self.value(node.func.value, names) if isinstance(node.func, ast.Attribute) else NOTHING
        name = path.rpartition(".")[2] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        is_function = isinstance(node.func, ast.Name) or dotted(node.func).startswith(("tl.", "triton."))
        own = [] if is_function else [receiver]
        return called(
            LanguageCall(name, [*own, *arguments], words, is_function), self._grid, self._relations, self._key(node)
        )

    def _bound(self, function: ast.FunctionDef, arguments: list[Thing], words: dict[str, Thing]) -> Names:
        parameters = [item.arg for item in [*function.args.posonlyargs, *function.args.args]]
        names: Names = dict(zip(parameters, arguments, strict=False))
        for parameter, default in zip(parameters[::-1], function.args.defaults[::-1], strict=False):
            if parameter not in names:
                names[parameter] = self.value(default, {})
        return names | words


def joined_if_several(thing: Thing) -> KernelValue:
    """One value for several."""
    return thing if isinstance(thing, KernelValue) else joined([thing])


def _constant(value: object) -> KernelValue:
    if value is None:
        return ABSENT
    return KernelValue(number=value) if isinstance(value, bool | int | float) else NOTHING


def _all_or_any(kind: ast.boolop, values: list[KernelValue]) -> KernelValue:
    if all(value.number is not None for value in values):
        number = (all if isinstance(kind, ast.And) else any)(value.number for value in values)
        return KernelValue(number=number, of=frozenset().union(*(value.of for value in values)))
    return joined(values)


def _loaded(target: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Name(target.id, ast.Load()), target) if isinstance(target, ast.Name) else target
