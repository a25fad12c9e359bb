"""References from the tasks of TritonBench-T as its rows have them: code or torch's name, a signature, an example.

A reference is a whole function: the one that the example defines, torch's own of that name, or the task's lines under
its signature. Each call of it in the example is one pair.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from pathlib import Path

from tritonbench_files import Call, calls_among

from kbtools_plugins.verify.candidate.text import extract


class Unbuildable(Exception):
    """The task's text does not give a reference with inputs."""


def calls_in_example(task: dict[str, str]) -> list[Call]:
    """The calls that a task's example makes, each with the task's function as the reference."""
    name = Path(task["file"]).stem
    statements = _statements(task["example"])
    functions = {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}
    body = [node for node in statements if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom)]
    function = functions.pop(name, None) or _function(task, name)
    calls = list(calls_among(body, name, [*ast.parse(_IMPORTS).body, *functions.values(), function]))
    if not calls:
        raise Unbuildable("the example never calls the function")
    return calls


_IMPORTS = """import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from typing import *
"""


def _statements(example: str) -> list[ast.stmt]:
    """The statements of an example: a session's input lines, or code with what does not parse left out."""
    text = extract(example)
    if ">>>" in text:
        text = re.sub(r"\n\s*\.\.\. ?", "\n    ", text)
        pieces = [piece.strip() for piece in text.split(">>> ")[1:]]
    else:
        try:
            return ast.parse(text).body
        except SyntaxError:
            pieces = text.splitlines()
    return [node for piece in pieces for node in _longest_start(piece)]


def _longest_start(piece: str) -> list[ast.stmt]:
    """What parses of a piece: all of its lines, or as many of the first ones as do."""
    lines = piece.splitlines()
    for count in range(len(lines), 0, -1):
        try:
            return ast.parse("\n".join(lines[:count]).strip()).body
        except SyntaxError:
            continue
    return []


def _function(task: dict[str, str], name: str) -> ast.FunctionDef:
    """The reference function: torch's own of that name, or the task's lines under the task's signature."""
    code = inspect.cleandoc(task["torch_code"])
    own = re.match(rf"((?:torch|F)(?:\.\w+)*\.{re.escape(name)})\(", code)
    if own:
        return _made(f"{name}(*given, **named)", [f"return {own.group(1)}(*given, **named)"])
    return _made(_signature(task, name), re.split(r"\n(?! )|; |(?<=\)) (?=\w[\w, ]* = |torch\.)", code))


def _signature(task: dict[str, str], name: str) -> str:
    """The task's `name(parameters)` without annotations, so that names that only a stub knows do no harm."""
    text = task["func_inputs"].replace("\n", " ")
    start = max(0, text.find(f"{name}("))
    ends = (end.end() for end in re.finditer(r"\)", text[start:]))
    for end in ends:
        try:
            function = ast.parse(f"def {text[start : start + end]}: pass").body[0]
        except SyntaxError:
            continue
        return re.sub(r"^def|:\s+pass$", "", ast.unparse(_Bare().visit(function))).strip()
    return f"{name}()"


class _Bare(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        """A parameter without its annotation."""
        return ast.arg(node.arg)


def _made(signature: str, lines: list[str]) -> ast.FunctionDef:
    """The function of some lines: a name that nothing binds is the result of the line before, the last is returned."""
    try:
        made = ast.parse(
            f"def {signature}:\n" + "\n".join(textwrap.indent(line.rstrip("; "), "    ") for line in lines)
        ).body[0]
    except SyntaxError:
        raise Unbuildable("the task's code under the task's signature does not parse") from None
    assert isinstance(made, ast.FunctionDef)
    _name_results(made)
    last = made.body[-1]
    if isinstance(last, ast.Expr) and any(map(_is_function, getattr(last.value, "elts", [last.value]))):
        raise Unbuildable("the task's code names functions without what they are given")
    if isinstance(last, ast.Expr):
        made.body[-1] = ast.Return(last.value)
    elif isinstance(last, ast.Assign | ast.AugAssign):
        made.body.append(ast.Return(_target(last)))
    return ast.fix_missing_locations(made)


def _is_function(value: ast.expr) -> bool:
    """Whether it is one of torch's functions by itself, as `torch.mm`."""
    return isinstance(value, ast.Attribute) and ast.unparse(value).startswith(("torch.", "F."))


def _target(last: ast.Assign | ast.AugAssign) -> ast.expr:
    written = last.targets[0] if isinstance(last, ast.Assign) else last.target
    return ast.parse(ast.unparse(written), mode="eval").body


def _name_results(made: ast.FunctionDef) -> None:
    known = {*dir(builtins), "torch", "math", "nn", "F", "Tensor"} | {
        part.arg for part in ast.walk(made.args) if isinstance(part, ast.arg)
    }
    for place, statement in enumerate(made.body):
        names = [part for part in ast.walk(statement) if isinstance(part, ast.Name)]
        loads = [part.id for part in names if isinstance(part.ctx, ast.Load) and part.id not in known]
        unbound = list(dict.fromkeys(loads))
        for name, index in zip(unbound, range(place - len(unbound), place), strict=True):
            before = made.body[index] if index >= 0 else None
            if isinstance(before, ast.Expr):
                made.body[index] = ast.Assign([ast.Name(name, ast.Store())], before.value)
        known |= {*unbound, *(part.id for part in names if isinstance(part.ctx, ast.Store))}
    if any(isinstance(statement, ast.Expr) for statement in made.body[:-1]):
        raise Unbuildable("the task's code has lines whose results nothing uses")
