"""What a code is but for comments, docstrings and formatting: a digest of the shape of its syntax tree."""

from __future__ import annotations

import ast
import hashlib
import json
import warnings

AS_TEXT = "text:"
"""What the digest of a text begins with that does not parse."""
_MARKED = frozenset({"ctx", "type_comment", "type_ignores"})
"""Fields that say nothing: where a name is written tells whether it is read or set."""
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def code_digest(code: str) -> str:
    """What stays the same when comments, docstrings and formatting change; begins with `text:` if nothing parses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return AS_TEXT + hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.sha256("\0".join(_shape(tree)).encode("utf-8", "surrogatepass")).hexdigest()


def digests(codes: str) -> str:
    """The digest of each code; both lists are JSON, as workers of an engine take and give them."""
    return json.dumps([code_digest(code) for code in json.loads(codes)])


def _shape(tree: ast.Module) -> list[str]:
    """Types, fields and values of a tree in the order of one walk that needs no recursion."""
    found: list[str] = []
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.AST):
            found.append(type(item).__name__)
            _drop_docstring(item)
            stack += [item.__dict__.get(name) for name in _fields(type(item))]
        elif isinstance(item, list):
            found.append(f"[{len(item)}")
            stack += item
        else:
            found.append(repr(item))
    return found


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(name for name in kind._fields if name not in _MARKED)
    return _FIELDS[kind]


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        if node.body and isinstance(node.body[0], ast.Expr) and _is_text(node.body[0].value):
            del node.body[0]
        if not node.body and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
