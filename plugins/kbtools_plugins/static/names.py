"""What a name in the judged code means: import aliases and simple assignments resolved to dotted paths.

Only names of the torch and triton families are resolved; everything else stays unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

# Snippets often come without their imports; these names then mean what they customarily mean.
CUSTOMARY = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "triton": "triton",
    "tl": "triton.language",
    "libdevice": "triton.language.libdevice",
    "tl_math": "triton.language.math",
    "triton_helpers": "torch._inductor.runtime.triton_helpers",
    "triton_heuristics": "torch._inductor.runtime.triton_heuristics",
    "extern_kernels": "torch.extern_kernels",
}
_ROOTS = ("torch", "triton")


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of a chain of attributes on a name, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


@dataclass(slots=True)
class ModuleAliases:
    """The aliases of one module; scopes are not told apart, because judged modules do not rebind torch."""

    aliases: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    resolved: dict[int, str | None] | None = None
    """What nodes of the module's tree mean, by their ids; None while aliases are still read."""

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted path of a torch or triton object, or None for anything else."""
        if self.resolved is None:
            return self._path(node)
        if id(node) not in self.resolved:
            self.resolved[id(node)] = self._path(node)
        return self.resolved[id(node)]

    def _path(self, node: ast.expr) -> str | None:
        name = dotted(node)
        if name is None:
            return None
        head, _, rest = name.partition(".")
        base = self.aliases.get(head)
        if base is None:
            return None
        path = f"{base}.{rest}" if rest else base
        return path if path.split(".", 1)[0] in _ROOTS else None

    def star_paths(self, node: ast.expr) -> list[str]:
        """What a bare, otherwise unknown name would be if it came from one of the star imports."""
        if not isinstance(node, ast.Name) or node.id in self.aliases:
            return []
        return [f"{module}.{node.id}" for module in self.stars]


def names_of(nodes: Iterable[ast.AST]) -> ModuleAliases:
    """Read imports and `F = torch.nn.functional` assignments among `nodes` (source order)."""
    names = ModuleAliases(dict(CUSTOMARY))
    for node in nodes:
        if type(node) not in _BINDING:
            continue
        if isinstance(node, ast.Import):
            _bind_import(names, node)
        elif isinstance(node, ast.ImportFrom):
            _bind_import_from(names, node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            _bind_assignment(names, node)
    return ModuleAliases(names.aliases, names.stars, {})


_BINDING = frozenset({ast.Import, ast.ImportFrom, ast.Assign})


def _bind_import(names: ModuleAliases, node: ast.Import) -> None:
    for alias in node.names:
        root = alias.name.split(".", 1)[0]
        names.aliases[alias.asname or root] = alias.name if alias.asname else root


def _bind_import_from(names: ModuleAliases, node: ast.ImportFrom) -> None:
    for alias in node.names:
        if alias.name == "*":
            names.stars.append(node.module or "")
        elif alias.name in {"extern_kernels", "libdevice"}:  # they have moved between modules
            names.aliases[alias.asname or alias.name] = CUSTOMARY[alias.name]
        else:
            names.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"


def _bind_assignment(names: ModuleAliases, node: ast.Assign) -> None:
    path = names.resolve(node.value)
    for target in node.targets:
        if isinstance(target, ast.Name) and path is not None:
            names.aliases[target.id] = path
