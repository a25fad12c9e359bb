"""A stream of tokens for a text of code, the same for code that differs only in what does not matter.

Imports, docstrings, annotations and the harness are left out; names that the code binds are numbered. Text that does
not parse becomes its raw words and signs. The walk keeps a stack of its own and is linear, however deep a tree is.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from kbtools_plugins.leaks.harness import without_harness
from kbtools_plugins.leaks.scopes import ATTRIBUTES, KEYWORDS, MODULE, Scopes
from kbtools_plugins.static.source import ParsedCode, parse

if TYPE_CHECKING:
    import numpy as np

Normalise = Literal["names", "ast", "raw"]
WORD, CONSTANT = -1, -2
WIDTH = 5
"""Tokens of a shingle."""
_END = ("",) * (WIDTH - 1)
"""Ends each definition: no shingle spans two, so that their order does not count."""
_WORDS = re.compile(r"\w+|[^\w\s]")
_LEFT_OUT = frozenset({"annotation", "returns", "type_comment", "ctx", "kind", "type_params", "type_ignores"})
_STATE = frozenset({"register_buffer", "register_parameter", "add_module"})
"""Methods of modules whose first argument is the name of an attribute."""


@dataclass(frozen=True, slots=True)
class TokenStream:
    """Tokens as 64-bit digests, and for each token the number of the bound name that it is, or what else it is."""

    tokens: np.ndarray
    names: np.ndarray
    """`WORD` or `CONSTANT` where the token is not a bound name."""
    parsed: bool

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def words(self) -> np.ndarray:
        """The tokens that are neither bound names nor constants, in ascending order: what code does, in pieces."""
        import numpy as np

        return np.sort(self.tokens[self.names == WORD])

    @property
    def digest(self) -> bytes:
        """Equal for code that is equal up to what the stream leaves out."""
        return hashlib.blake2b(self.tokens.tobytes() + self.names.tobytes(), digest_size=16).digest()


def stream(text: str, normalise: Normalise = "names") -> TokenStream:
    """The stream of a whole text, which may be code or an answer with code in it."""
    found = parse(text) if normalise != "raw" else None
    if not isinstance(found, ParsedCode):
        return raw_stream(text)
    return stream_of(found.tree, found.tree.body, normalise)


def stream_of(tree: ast.Module, body: Sequence[ast.stmt], normalise: Normalise = "names") -> TokenStream:
    """The stream of some statements of a module."""
    walk = _Walk(rename=normalise == "names")
    walk.imports(tree)
    walk.go(without_harness(body))
    return _packed(walk.resolved(), parsed=True)


def raw_stream(text: str) -> TokenStream:
    """Words and signs as they are written; white space does not count."""
    return _packed([(token, WORD) for token in _WORDS.findall(text)], parsed=False)


def _packed(pairs: list[tuple[str, int]], *, parsed: bool) -> TokenStream:
    import numpy as np

    tokens = np.array([_digest(token) for token, _ in pairs], np.uint64)
    return TokenStream(tokens, np.array([name for _, name in pairs], np.int32), parsed)


@lru_cache(maxsize=1 << 17)
def _digest(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class _Bound:
    """A token that is resolved when all scopes are known: a name with the attributes that follow it."""

    scope: int
    name: str
    attributes: tuple[str, ...] = ()


class _Constant(str):
    """A token that is a value."""


_Item = str | _Bound


class _Walk:
    """One preorder walk over statements that writes tokens, some of them still to be resolved."""

    def __init__(self, *, rename: bool) -> None:
        self._rename = rename
        self._scopes = Scopes()
        self._found: list[_Item] = []
        self._stack: list[tuple[ast.AST | _Item, int]] = []

    def imports(self, tree: ast.Module) -> None:
        """Read the module's imports first: they may come after what uses them."""
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._scopes.bind_import(node)

    def go(self, body: Sequence[ast.stmt]) -> None:
        """Walk the statements in order."""
        self._push(body, MODULE)
        stack, found, visits = self._stack, self._found, _VISITS
        while stack:
            item, scope = stack.pop()
            if not isinstance(item, ast.AST):
                found.append(item)
            elif visit := visits.get(type(item)):
                visit(self, item, scope)
            else:
                found.append(type(item).__name__)
                self._push(self._parts(item, scope), scope)

    def _push(self, items: Sequence[ast.AST | _Item], scope: int) -> None:
        """Put items on the stack, so that the first comes off first."""
        self._stack += [(item, scope) for item in reversed(items)]

    # ---- tokens when all names are known

    def resolved(self) -> list[tuple[str, int]]:
        """Every token with the number of its bound name, or what else it is."""
        done: list[tuple[str, int]] = []
        for item in self._found:
            if isinstance(item, str):
                done.append((item, CONSTANT if isinstance(item, _Constant) else WORD))
            elif item.scope < 0:
                done.append(self._special(item.scope, item.name))
            else:
                done += self._chain(item)
        return done

    def _chain(self, item: _Bound) -> Iterator[tuple[str, int]]:
        owner = self._scopes.owner(item.scope, item.name)
        if owner is None:
            path = self._scopes.imports.get(item.name, item.name)
            yield ".".join([path, *item.attributes]), WORD
            return
        yield self._numbered("name", owner, item.name)
        for attribute in item.attributes:
            yield self._special(ATTRIBUTES, attribute) if item.name == "self" else (f".{attribute}", WORD)

    def _special(self, kind: int, name: str) -> tuple[str, int]:
        known, mark = (self._scopes.attributes, ".") if kind == ATTRIBUTES else (self._scopes.keywords, "=")
        return self._numbered(mark, kind, name) if name in known else (f"{mark}{name}", WORD)

    def _numbered(self, mark: str, owner: int, name: str) -> tuple[str, int]:
        return (mark, self._scopes.number(owner, name)) if self._rename else (f"{mark} {name}", WORD)

    # ---- nodes

    def _parts(self, node: ast.AST, scope: int) -> list[ast.AST | _Item]:
        """What is below a node of no special kind."""
        parts: list[ast.AST | _Item] = []
        for field in node._fields:
            value = getattr(node, field, None)
            if field in _LEFT_OUT or value is None:
                continue
            for part in value if isinstance(value, list) else (value,):
                if isinstance(part, ast.AST):
                    parts.append(part)
                elif isinstance(part, str):  # the name of an exception or of a pattern
                    parts.append(_Bound(self._scopes.bind(scope, part), part))
                else:
                    parts.append(str(part))
        return parts

    def _name(self, node: ast.Name, scope: int) -> None:
        owner = scope if isinstance(node.ctx, ast.Load) else self._scopes.bind(scope, node.id)
        self._found.append(_Bound(owner, node.id))

    def _attribute(self, node: ast.Attribute, scope: int) -> None:
        attributes: list[str] = []
        value: ast.expr = node
        while isinstance(value, ast.Attribute):
            attributes.append(value.attr)
            value = value.value
        attributes.reverse()
        if not isinstance(value, ast.Name):
            self._push([*(f".{name}" for name in attributes), value], scope)
            return
        if value.id == "self" and not isinstance(node.ctx, ast.Load):
            self._scopes.attributes.add(attributes[0])
        self._found.append(_Bound(scope, value.id, tuple(attributes)))

    def _constant(self, node: ast.Constant, scope: int) -> None:
        value = node.value
        text = hex(value) if type(value) is int else repr(value)  # decimals of huge numbers are refused
        self._found.append(_Constant(text))

    def _expression(self, node: ast.Expr, scope: int) -> None:
        if not isinstance(node.value, ast.Constant):
            self._push([node.value], scope)

    def _annotated(self, node: ast.AnnAssign, scope: int) -> None:
        if node.value is not None:
            self._push(["Assign", node.target, node.value], scope)

    def _argument(self, node: ast.arg, scope: int) -> None:
        self._scopes.keywords.add(node.arg)
        self._found.append(_Bound(self._scopes.bind(scope, node.arg), node.arg))

    def _keyword(self, node: ast.keyword, scope: int) -> None:
        self._push([f"={node.arg}", node.value], scope)

    def _call(self, node: ast.Call, scope: int) -> None:
        arguments: list[ast.AST | _Item] = [*node.args]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _STATE and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._scopes.attributes.add(first.value)
                arguments[0] = _Bound(ATTRIBUTES, first.value)
        own = self._is_own(node.func)
        for keyword in sorted(node.keywords, key=lambda keyword: keyword.arg or ""):
            arguments += [_Bound(KEYWORDS, keyword.arg) if own and keyword.arg else f"={keyword.arg}", keyword.value]
        self._push(["Call", node.func, *arguments], scope)

    def _is_own(self, function: ast.expr) -> bool:
        """Whether a call may be one of the code's own functions, whose parameters can be renamed."""
        if isinstance(function, ast.Attribute):
            return isinstance(function.value, ast.Name) and function.value.id == "self"
        return isinstance(function, ast.Name) and function.id not in self._scopes.imports

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: int) -> None:
        name = _Bound(self._scopes.bind(scope, node.name), node.name)
        self._push([node.args, *node.body, *_END], self._scopes.open(scope))
        self._push(["def", *node.decorator_list, name], scope)

    def _class(self, node: ast.ClassDef, scope: int) -> None:
        name = _Bound(self._scopes.bind(scope, node.name), node.name)
        self._push([*node.body, *_END], self._scopes.open(scope, of_class=True))
        self._push(["class", *node.decorator_list, name, *node.bases, *node.keywords], scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: int) -> None:
        self._scopes.bind_import(node)


_VISITS: dict[type[ast.AST], Callable[[_Walk, Any, int], None]] = {
    ast.Name: _Walk._name,
    ast.Attribute: _Walk._attribute,
    ast.Constant: _Walk._constant,
    ast.Expr: _Walk._expression,
    ast.AnnAssign: _Walk._annotated,
    ast.arg: _Walk._argument,
    ast.keyword: _Walk._keyword,
    ast.Call: _Walk._call,
    ast.FunctionDef: _Walk._function,
    ast.AsyncFunctionDef: _Walk._function,
    ast.ClassDef: _Walk._class,
    ast.Import: _Walk._import,
    ast.ImportFrom: _Walk._import,
}
