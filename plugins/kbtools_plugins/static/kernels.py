"""Facts about Triton kernels, read from their function definitions.

A *block value* is one computed from `tl.arange` or a block pointer: only accesses through such values need a
mask.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from .families import words
from .flow import Function, derived, has_docstring, loop_depths, postorder
from .names import ModuleAliases

REDUCTIONS = words("""sum max min argmax argmin xor_sum reduce reduce_or max2 min2 any welford welford_reduce""")
SCANS = frozenset(["cumsum", "cumprod", "associative_scan", "sort", "histogram", "topk"])
MATH = words(
    """exp exp2 log log2 log1p expm1 sin cos tan sqrt sqrt_rn rsqrt tanh sigmoid erf abs maximum
    minimum where fma pow floor ceil softmax clamp div_rn asin acos atan atan2 sinh cosh umulhi rand
    randn"""
)
# Nodes for which Triton's code generator has no translation (checked against triton 3.9).
_UNTRANSLATABLE = frozenset((
    ast.Break, ast.Continue, ast.Try, ast.Raise, ast.Lambda, ast.Dict, ast.Set, ast.DictComp, ast.SetComp,
    ast.GeneratorExp, ast.Yield, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Delete,
    ast.ClassDef, ast.FunctionDef,
))  # fmt: skip
_GENERATED_NAME = re.compile(r"(tmp|x|r|in_ptr|out_ptr|in_out_ptr|buf|rindex|roffset)\d+$")
_BLOCK_PARAMETER = re.compile(r"BLOCK|TILE|CHUNK", re.IGNORECASE)
_LAST_GRID_AXIS = 2


@dataclass(frozen=True, slots=True)
class MemoryAccess:
    """One `tl.load` or `tl.store`; `block` if it moves a block, `guarded` by a mask or a boundary check."""

    kind: Literal["load", "store"]
    line: int
    block: bool
    guarded: bool
    fill: bool
    loop_depth: int


@dataclass(frozen=True, slots=True)
class TritonKernel:
    """One `@triton.jit` function; counts are of places in the code, not of executions."""

    name: str
    line: int
    lines: int
    parameters: tuple[str, ...]
    constexprs: tuple[str, ...]
    accesses: tuple[MemoryAccess, ...]
    reductions: tuple[str, ...]
    scans: tuple[str, ...]
    math: tuple[str, ...]
    arithmetic: int
    index_divisions: int
    dots: int
    atomics: int
    block_pointers: int
    loops: int
    loop_depth: int
    branches: int
    literal_blocks: int
    hints: tuple[str, ...]
    calls: tuple[str, ...]
    local_names: int
    generated_names: int
    autotuned: bool
    heuristics: bool
    inductor: bool
    docstring: bool
    unsupported: tuple[str, ...]

    @property
    def loads(self) -> tuple[MemoryAccess, ...]:
        return tuple(access for access in self.accesses if access.kind == "load")

    @property
    def stores(self) -> tuple[MemoryAccess, ...]:
        return tuple(access for access in self.accesses if access.kind == "store")

    @property
    def block_sizes(self) -> tuple[str, ...]:
        """The constexpr parameters that name a block or tile."""
        return tuple(name for name in self.constexprs if _BLOCK_PARAMETER.search(name))

    @property
    def unguarded(self) -> tuple[MemoryAccess, ...]:
        """Block accesses without mask or boundary check."""
        return tuple(access for access in self.accesses if access.block and not access.guarded)


def is_kernel(node: ast.AST, names: ModuleAliases) -> bool:
    """Whether `node` defines a function decorated with `triton.jit`, under whatever alias."""
    return isinstance(node, Function) and any(_is_jit(path) for path in _decorators(node, names))


def read_kernel(node: Function, names: ModuleAliases) -> TritonKernel:
    """Facts of one kernel, in time linear in its size."""
    body = [inner for statement in node.body for inner in postorder(statement)]
    kinds, depth = Counter(map(type, body)), loop_depths(body)
    calls = [call for call in body if isinstance(call, ast.Call)]
    paths = {id(call): _language_path(call, names) for call in calls}
    used = Counter(path for path in paths.values() if path)
    blocks = derived(
        body, set(), lambda n: paths.get(id(n)) in _BLOCK_SOURCES, lambda n: paths.get(id(n)) in REDUCTIONS
    )
    locals_ = {n.id for n in body if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    decorators = _decorators(node, names)
    return TritonKernel(
        name=node.name,
        line=node.lineno,
        lines=(node.end_lineno or node.lineno) - node.lineno + 1,
        parameters=tuple(argument.arg for argument in _arguments(node)),
        constexprs=tuple(argument.arg for argument in _arguments(node) if _is_constexpr(argument)),
        accesses=tuple(
            _access(call, path, names, blocks, depth) for call in calls if (path := paths[id(call)]) in _POSITIONS
        ),
        reductions=_among(used, REDUCTIONS),
        scans=_among(used, SCANS),
        math=tuple(sorted(set(_among(used, MATH)))),
        arithmetic=kinds[ast.BinOp] + kinds[ast.AugAssign],
        index_divisions=sum(type(n.op) in _DIVISIONS for n in body if isinstance(n, ast.BinOp)),
        dots=used["dot"] + used["dot_scaled"],
        atomics=sum(count for path, count in used.items() if path.startswith("atomic_")),
        block_pointers=used["make_block_ptr"] + used["make_tensor_descriptor"],
        loops=kinds[ast.For] + kinds[ast.While],
        loop_depth=max((depth[id(n)] + 1 for n in body if type(n) in _LOOPS), default=0),
        branches=kinds[ast.If],
        literal_blocks=sum(paths[id(c)] == "arange" and isinstance(c.args[-1], ast.Constant) for c in calls if c.args),
        hints=_hints(calls, used),
        calls=tuple(sorted({c.func.id for c in calls if isinstance(c.func, ast.Name)})),
        local_names=len(locals_),
        generated_names=sum(bool(_GENERATED_NAME.match(name)) for name in locals_),
        autotuned="triton.autotune" in decorators,
        heuristics="triton.heuristics" in decorators,
        inductor=any("triton_heuristics" in path for path in decorators) or node.name.startswith("triton_"),
        docstring=has_docstring(node),
        unsupported=_unsupported(body, paths, blocks, names),
    )


_POSITIONS = {"load": 1, "store": 2}  # where the mask is among the positional arguments
_BLOCK_SOURCES = frozenset({"arange", "make_block_ptr", "make_tensor_descriptor"})
_METHODS = frozenset({"sum", "max", "min", "argmax", "argmin", "cumsum", "load", "store", "atomic_add"})
_HINTED = frozenset({"multiple_of", "max_contiguous", "max_constancy", "assume", "debug_barrier"})
_HINT_KEYWORDS = frozenset({"eviction_policy", "cache_modifier"})


def _is_jit(path: str) -> bool:
    return path in {
        "triton.jit",
        "triton.runtime.jit",
        "triton.runtime.jit.jit",
        "triton.experimental.gluon.jit",
    }


def _decorators(node: Function, names: ModuleAliases) -> tuple[str, ...]:
    called = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return tuple(path for item in called if (path := names.resolve(item)))


def _arguments(node: Function) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _is_constexpr(argument: ast.arg) -> bool:
    note = argument.annotation
    if isinstance(note, ast.Constant):
        return "constexpr" in str(note.value)
    return (
        isinstance(note, ast.Attribute | ast.Name)
        and (getattr(note, "attr", None) or getattr(note, "id", "")) == "constexpr"
    )


def _language_path(call: ast.Call, names: ModuleAliases) -> str | None:
    """`load` of `tl.load(...)`, also where it is a method of a block value or of a tensor descriptor."""
    path = names.resolve(call.func)
    if path is not None and path.startswith(("triton.language", "torch._inductor", "triton.experimental")):
        return path.rsplit(".", 1)[-1]
    if path is None and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return call.func.attr
    return None


def _access(call: ast.Call, path: str, names: ModuleAliases, blocks: set[int], depth: Counter[int]) -> MemoryAccess:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    position = _POSITIONS[path]
    mask = keywords.get("mask", call.args[position] if len(call.args) > position else None)
    checked = "boundary_check" in keywords or names.resolve(call.func) is None  # descriptors check their bounds
    return MemoryAccess(
        kind="load" if path == "load" else "store",
        line=call.lineno,
        block=any(id(argument) in blocks for argument in [*call.args, *call.keywords]),
        guarded=not (mask is None or (isinstance(mask, ast.Constant) and mask.value is None)) or checked,
        fill="other" in keywords or "padding_option" in keywords or len(call.args) > position + 1,
        loop_depth=depth[id(call)],
    )


def _among(used: Counter[str], group: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(used_name for used_name in used.elements() if used_name in group))


def _hints(calls: list[ast.Call], used: Counter[str]) -> tuple[str, ...]:
    keywords = {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}
    return tuple(sorted({*_HINTED & used.keys(), *_HINT_KEYWORDS & keywords}))


_DIVISIONS = frozenset({ast.Mod, ast.FloorDiv})
_LOOPS = frozenset({ast.For, ast.While})


def _unsupported(
    body: list[ast.AST], paths: dict[int, str | None], blocks: set[int], names: ModuleAliases
) -> tuple[str, ...]:
    """What Triton's compiler refuses, each as `what (line n)`."""
    found: list[str] = []
    for node in body:
        if type(node) in _LOOKED_AT and (what := _refused(node, paths, blocks, names)):
            found.append(f"{what} (line {getattr(node, 'lineno', '?')})")
    return tuple(found)


_LOOKED_AT = _UNTRANSLATABLE | {ast.Subscript, ast.Call}


def _refused(node: ast.AST, paths: dict[int, str | None], blocks: set[int], names: ModuleAliases) -> str | None:
    if type(node) in _UNTRANSLATABLE:
        return f"`{type(node).__name__.lower()}` in a kernel"
    if isinstance(node, ast.Subscript) and id(node.value) in blocks and not _is_view_index(node.slice):
        return "a block indexed element by element"
    if isinstance(node, ast.Call):
        return _refused_call(node, paths, names)
    return None


def _refused_call(call: ast.Call, paths: dict[int, str | None], names: ModuleAliases) -> str | None:
    if paths[id(call)] == "program_id" and (axis := _axis(call)) is not None and axis > _LAST_GRID_AXIS:
        return f"program_id axis {axis}, grids have 3"
    path = names.resolve(call.func) or ""
    if path.startswith("torch.") and "_inductor" not in path:
        return f"a call of {path}"
    return None


def _axis(call: ast.Call) -> int | None:
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "axis")]
    value = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return value if isinstance(value, int) else None


def _is_view_index(index: ast.expr) -> bool:
    """Whether an index only adds axes, as in `x[:, None]`."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(
        (isinstance(part, ast.Constant) and part.value in (None, Ellipsis))
        or (isinstance(part, ast.Slice) and part.lower is part.upper is part.step is None)
        for part in parts
    )
