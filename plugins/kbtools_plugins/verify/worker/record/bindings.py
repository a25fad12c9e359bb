"""What the names in a kernel stand for when it is launched: the text alone cannot say which assignment was the last."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

from triton.runtime.jit import ConstexprFunction, JITFunction

from kbtools_plugins.verify.protocol.source import Binding

_PLAIN = (bool, int, float, str, type(None))


class Bindings:
    """The names of all kernels that were launched, and of the kernels that these call."""

    def __init__(self, candidate_path: str) -> None:
        self._path = candidate_path
        self._seen: set[int] = set()
        self.found: list[Binding] = []

    def note(self, kernel: Any) -> None:
        """Look up the names of a kernel, unless that was done."""
        function: Any = kernel.fn
        code = function.__code__
        if code.co_filename != self._path:
            return
        if id(code) in self._seen:
            self._require_same(function)
            return
        self._seen.add(id(code))
        held = {name: cell.cell_contents for name, cell in _cells(function)}
        for name in sorted({*_names(code), *held}):
            if name in held or name in function.__globals__:
                self._add(function, name, held.get(name, function.__globals__.get(name)))
            elif not hasattr(builtins, name):
                self._add(function, name, None, kind="missing")

    def _require_same(self, function: Any) -> None:
        """RuntimeError where a number that a kernel was compiled with is another one now, as Triton has it."""
        line = function.__code__.co_firstlineno
        for known in self.found:
            if known.kind == "value" and (known.kernel, known.line) == (function.__name__, line):
                now = function.__globals__.get(known.name, known.value)
                now = now.value if type(now).__name__ == "constexpr" else now
                if known.name not in function.__code__.co_freevars and repr(now) != repr(known.value):
                    text = f"has changed since we compiled this kernel, from {known.value} to {now}"
                    raise RuntimeError(f"Global variable {known.name} {text}")

    def _add(self, function: Any, name: str, value: Any, kind: str = "") -> None:
        constexpr = type(value).__name__ == "constexpr"
        plain = value.value if constexpr else value
        known: dict[str, Any] = {"kind": kind}
        if maker := _maker(value):
            made = SimpleNamespace(fn=plain) if constexpr else value
            first = made.fn.__code__.co_firstlineno
            known = {"kind": "function", "target": made.fn.__name__, "target_line": first, "maker": maker}
            self.note(made)
        elif not kind and isinstance(plain, _PLAIN):
            known = {"kind": "value", "value": plain, "constexpr": constexpr}
        if known["kind"]:
            line = function.__code__.co_firstlineno
            self.found.append(Binding(kernel=function.__name__, line=line, name=name, **known))


def _maker(value: Any) -> str:
    """What has made a function that kernels can call; empty for all else."""
    if isinstance(value, JITFunction):
        return "triton.jit"
    if isinstance(value, ConstexprFunction):
        return "triton.constexpr_function"
    return "tl.constexpr" if isinstance(getattr(value, "value", None), FunctionType) else ""


def _cells(function: Any) -> Iterator[tuple[str, Any]]:
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
