"""PyTorch operations in host code: calls, tensor methods, operators and the submodules a module runs.

A submodule counts where it is used, not where it is built; code that only prepares inputs or runs tests does
not count.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .families import FAMILY, OPERATORS, WEIGHTED, family_of, op_key, words
from .flow import SCOPES, Function, children, derived, postorder
from .names import ModuleAliases

_BUILDERS = frozenset({"__init__", "reset_parameters", "init_weights", "_init_weights", "initialize", "setup"})
_ASIDE = frozenset({"get_inputs", "get_init_inputs", "main", "benchmark", "backward"})
_NOT_TENSORS = words(
    """shape size dim ndim ndimension numel stride device dtype is_cuda is_contiguous requires_grad
    data_ptr item tolist element_size nelement get_device storage_offset layout type"""
)
_PLAIN_NAMES = words("""len range int float bool isinstance str math print enumerate zip tuple list""")
_REGISTERS = frozenset({"register_buffer", "register_parameter"})
_PLAIN_TYPES = frozenset({"int", "float", "bool", "str", "tuple", "list"})
# torch functions that compute nothing worth naming
_ADMINISTRATION = words(
    """torch.empty torch.empty_like torch.empty_strided torch.device torch.Size torch.no_grad
    torch.enable_grad torch.is_tensor torch.manual_seed torch.as_tensor torch.from_numpy
    torch.compile torch.Generator torch.finfo torch.iinfo torch.numel torch.promote_types
    torch.result_type torch.is_floating_point torch.is_complex torch.allclose torch.load torch.save
    torch.get_default_dtype torch.Tensor torch.set_grad_enabled torch.broadcast_shapes
    torch.inference_mode torch.is_grad_enabled torch.can_cast torch.set_default_dtype
    torch.get_default_device torch.dtype"""
)


@dataclass(frozen=True, slots=True)
class Op:
    """One place where an operation is done; `name` is the key of `families.FAMILY`."""

    name: str
    family: str
    line: int


@dataclass(frozen=True, slots=True)
class HostCode:
    """What the code outside kernels does."""

    ops: tuple[Op, ...]
    unplaced: tuple[str, ...]
    parameters: int
    branches: int
    loops: int


@dataclass(frozen=True, slots=True)
class CodeScope:
    """The module, a class or a function, and its nodes in postorder without those of scopes inside it."""

    node: ast.AST
    nodes: list[ast.AST]


@dataclass(slots=True)
class _Submodules:
    """Ops that `self.<name>` stands for, and which attributes hold tensors of their own."""

    ops: dict[str, list[Op]]
    tensors: set[str]
    built: set[int]


def read_host(scopes: list[CodeScope], names: ModuleAliases, complete: bool) -> HostCode:
    """Operations of the functions, class bodies and module level in `scopes`; `complete` is that of `read_code`."""
    submodules = _submodules([node for scope in scopes for node in scope.nodes], names, complete)
    ops: list[Op] = []
    unplaced: set[str] = set()
    parameters = branches = loops = 0
    for scope, nodes in ((one.node, one.nodes) for one in scopes):
        building = isinstance(scope, Function) and scope.name in _BUILDERS
        ops.extend(_ops(scope, nodes, names, submodules, building, complete))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        parameters += sum(_owns_weights(call, names) for call in calls)
        if not building:
            kinds = Counter(map(type, nodes))
            branches += sum(kinds[kind] for kind in _BRANCHES)
            loops += sum(kinds[kind] for kind in _LOOPS)
            unplaced.update(path for call in calls for path in _unplaced(call, names))
    return HostCode(tuple(ops), tuple(sorted(unplaced)), parameters, branches, loops)


_BRANCHES = frozenset({ast.If, ast.IfExp, ast.Match})
_LOOPS = frozenset({ast.For, ast.While, ast.comprehension})
_OPERATORS = frozenset({ast.BinOp, ast.UnaryOp, ast.AugAssign})


def is_aside(node: ast.AST) -> bool:
    """Whether `node` is not part of the computation: makers of inputs, tests, the main block."""
    if isinstance(node, Function):
        return node.name in _ASIDE or node.name.startswith("test_")
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare)):
        return False
    return isinstance(node.test.left, ast.Name) and node.test.left.id == "__name__"


def own_nodes(scope: ast.AST) -> list[ast.AST]:
    """Nodes of a scope in postorder, without those of the functions and classes inside it."""
    return postorder(scope, lambda node: type(node) in SCOPES or (type(node) is ast.If and is_aside(node)))


def _ops(
    scope: ast.AST, nodes: list[ast.AST], names: ModuleAliases, submodules: _Submodules, building: bool, complete: bool
) -> Iterator[Op]:
    """Ops of one scope; while a module is built only its layers count."""
    tensors = _tensors(scope, nodes, names, submodules)
    inside = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr != "forward"}
    callees = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Call):
            op = _called(node, names, tensors)
            if op and id(node) not in submodules.built and not (building and not _is_layer(node, names)):
                yield op
        elif building:
            continue
        elif type(node) in _OPERATORS:
            if complete or id(node) not in inside:
                yield from _operator(node, tensors)  # type: ignore[arg-type]  # one of the three
        elif isinstance(node, ast.Attribute) and id(node) not in inside:
            if _is_self(node):
                yield from submodules.ops.get(node.attr, ())
            elif id(node) not in callees and (placed := _placed(node, names)):
                yield Op(*placed, node.lineno)  # handed on as a value, or a base class


def _tensors(scope: ast.AST, nodes: list[ast.AST], names: ModuleAliases, submodules: _Submodules) -> set[int]:
    """Ids of the expressions that (as far as can be told) are tensors."""

    def seed(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return _is_self(node) and node.attr in submodules.tensors
        return isinstance(node, ast.Call) and _placed(node.func, names) is not None

    def barrier(node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id in _PLAIN_NAMES
        return isinstance(node, ast.Attribute) and node.attr in _NOT_TENSORS

    return derived(nodes, _tensor_parameters(scope), seed, barrier)


def _tensor_parameters(scope: ast.AST) -> set[str]:
    """Parameters that may be tensors: neither annotated nor defaulted as a plain value."""
    if not isinstance(scope, Function):
        return set()
    arguments = scope.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {a.arg for a, default in pairs if a.arg not in {"self", "ctx", "cls"} and not _is_plain(a, default)}


def _is_plain(argument: ast.arg, default: ast.expr | None) -> bool:
    if isinstance(argument.annotation, ast.Name) and argument.annotation.id in _PLAIN_TYPES:
        return True
    return isinstance(default, ast.Constant) and default.value is not None


def _called(call: ast.Call, names: ModuleAliases, tensors: set[int]) -> Op | None:
    placed = _placed(call.func, names)
    if placed is None and isinstance(call.func, ast.Attribute) and id(call.func.value) in tensors:
        key = op_key(call.func.attr)
        if key in FAMILY:
            placed = key, FAMILY[key]
    return Op(*placed, call.lineno) if placed else None


def _placed(node: ast.expr, names: ModuleAliases) -> tuple[str, str] | None:
    """(operation, family) of a torch function or layer."""
    path = names.resolve(node)
    for candidate in [path] if path else names.star_paths(node):
        if candidate.startswith("torch.") and ".init." not in candidate and (family := family_of(candidate)):
            return op_key(candidate), family
    return None


def _operator(node: ast.BinOp | ast.UnaryOp | ast.AugAssign, tensors: set[int]) -> Iterator[Op]:
    operands = [child for child in children(node) if isinstance(child, ast.expr)]
    name = OPERATORS.get(type(node.op).__name__)
    if name and (name == "matmul" or any(id(operand) in tensors for operand in operands)):
        yield Op(name, FAMILY[name], node.lineno)


def _submodules(nodes: list[ast.AST], names: ModuleAliases, complete: bool) -> _Submodules:
    found = _Submodules({}, set(), set())
    for node in nodes:
        if complete and isinstance(node, ast.Call) and (name := _registered(node)):
            found.tensors.add(name)
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for attribute in (target for target in targets if isinstance(target, ast.Attribute) and _is_self(target)):
            _read_attribute(found, attribute.attr, node.value, names)
    return found


def _registered(call: ast.Call) -> str | None:
    """The attribute of `self` that a call makes a tensor."""
    function, first = call.func, call.args[0] if call.args else None
    if not (isinstance(function, ast.Attribute) and _is_self(function) and function.attr in _REGISTERS):
        return None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _read_attribute(found: _Submodules, attribute: str, value: ast.expr, names: ModuleAliases) -> None:
    if isinstance(value, ast.Attribute | ast.Name) and (function := _placed(value, names)):
        found.ops.setdefault(attribute, []).append(Op(*function, value.lineno))
    for call in postorder(value):
        if not isinstance(call, ast.Call):
            continue
        path = names.resolve(call.func) or ""
        if path.endswith("nn.Parameter") or (path and not _is_layer(call, names)):
            found.tensors.add(attribute)
        placed = _placed(call.func, names)
        if placed and _is_layer(call, names):
            found.ops.setdefault(attribute, []).append(Op(*placed, call.lineno))
            found.built.add(id(call))


def _is_layer(call: ast.Call, names: ModuleAliases) -> bool:
    """Whether the call builds an `nn.Module` (classes of torch.nn are capitalised, functions are not)."""
    path = names.resolve(call.func) or next(iter(names.star_paths(call.func)), "")
    return path.startswith("torch.nn.") and path.rsplit(".", 1)[-1][:1].isupper()


def _owns_weights(call: ast.Call, names: ModuleAliases) -> bool:
    return _is_layer(call, names) and op_key(names.resolve(call.func) or "") in WEIGHTED


def _unplaced(call: ast.Call, names: ModuleAliases) -> Iterator[str]:
    """The call of one of torch's operation namespaces that no family knows."""
    path = names.resolve(call.func)
    if path is None or not path.startswith("torch.") or family_of(path) or path in _ADMINISTRATION:
        return
    namespace, _, last = path.rpartition(".")
    if namespace in {"torch", "torch.nn.functional", "torch.special", "torch.linalg", "torch.fft"} and last.islower():
        yield path


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"
