"""What of a row is held against problems: its reference code, the code blocks of its prompt, those of its completion.

Each text is read into two streams, that of Triton kernels and that of the rest: a kernel is compared with kernels.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kbtools as kb
from kbtools.data.conversations.messages import decode, looks_encoded, text_of
from kbtools.data.conversations.reasoning import ReasoningError
from kbtools_plugins.leaks.contamination.operators import NOTHING, Signature, signature
from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import TokenStream, raw_stream, stream_of
from kbtools_plugins.static.source import ParsedCode, code_of, fences, parse

if TYPE_CHECKING:
    import numpy as np
    from datasets import Features

PLACES = ("reference_code", "prompt", "completion")
_PYTHON = frozenset({"", "python", "py", "python3", "triton"})


@dataclass(frozen=True)
class CodePart:
    """One stream of a code."""

    digest: bytes
    shingles: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class ComparableCode:
    """What is compared of one text of code."""

    parts: dict[str, CodePart]
    """By `host` and `kernel`; a text that does not parse is `host`."""
    signature: Signature
    parsed: bool


def read_code(text: str) -> ComparableCode:
    """The streams and the operators of a text."""
    found = parse(text)
    if not isinstance(found, ParsedCode):
        return ComparableCode({"host": _part(raw_stream(text))}, NOTHING, parsed=False)
    tree = found.tree
    kernels = [node for node in tree.body if _is_kernel(node)]
    host = [node for node in tree.body if not _is_kernel(node)]
    bodies = {"host": host, "kernel": kernels}
    parts = {name: _part(made) for name, body in bodies.items() if len(made := stream_of(tree, body))}
    return ComparableCode(parts, signature(found.code, tree), parsed=True)


def _part(made: TokenStream) -> CodePart:
    return CodePart(made.digest, shingles(made), made.words)


def _is_kernel(node: ast.stmt) -> bool:
    """Whether a statement defines a function for Triton: one of its decorators ends in `jit`."""
    if not isinstance(node, ast.FunctionDef):
        return False
    decorators = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(isinstance(mark, ast.Attribute) and mark.attr == "jit" for mark in decorators) or any(
        isinstance(mark, ast.Name) and mark.id == "jit" for mark in decorators
    )


def places(features: Features, columns: dict[str, str]) -> dict[str, str]:
    """Where code is looked for, {role: path}; SchemaError where there is no such column."""
    schema = kb.Schema(features, columns)
    found = {role: schema.readable(role) for role in PLACES if schema.has(role)}
    if not found:
        schema.find("reference_code")  # names the columns that there are
    return found


def blocks(role: str, cell: object) -> Iterator[str]:
    """The texts of code in one cell."""
    for said in _said(cell):
        if role == "reference_code":
            yield said
            continue
        fenced = [body for language, body in fences(said) if language.lower() in _PYTHON and body.strip()]
        yield from fenced or ([code_of(said)] if role == "completion" else [])


def _said(cell: object) -> list[str]:
    """The texts of a cell: of messages those of every turn."""
    if cell is None:
        return []
    if isinstance(cell, list) or (isinstance(cell, str) and looks_encoded(cell)):
        try:
            return [text_of(message.get("content")) or "" for message in decode(cell)]
        except ReasoningError:  # a list of something else, or text that only looked like messages
            pass
    return [cell if isinstance(cell, str) else str(cell)]
