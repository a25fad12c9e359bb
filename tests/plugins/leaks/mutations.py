"""Versions of any Python code, made on its syntax tree: renamed, reformatted, reordered, changed, wrapped, rewritten.

What `variants` does for problems of its own making is done here for code that others wrote: modules of the sample and
functions and classes of Python's library.
"""

from __future__ import annotations

import ast
import builtins
import random
from collections.abc import Callable

INTERFACE = frozenset({"self", "cls", "super", "forward", "get_inputs", "get_init_inputs", *dir(builtins)})
"""Names that others know."""
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_FUNCTIONS = [
    "relu",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "abs",
    "sqrt",
    "sum",
    "mean",
    "softmax",
    "clamp",
    "pow",
    "matmul",
    "square",
    "rsqrt",
    "cumsum",
    "amax",
    "amin",
    "logsumexp",
    "var",
]
_LAYERS = {
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "GELU": "gelu",
    "Softmax": "softmax",
    "SiLU": "silu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "Softplus": "softplus",
    "Hardswish": "hardswish",
    "Mish": "mish",
    "LogSoftmax": "log_softmax",
    "MaxPool2d": "max_pool2d",
    "AvgPool2d": "avg_pool2d",
}
_OTHERS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}
_OTHER_NAMES = {
    "relu": "tanh",
    "ReLU": "Tanh",
    "sigmoid": "sin",
    "Sigmoid": "Softplus",
    "tanh": "cos",
    "Tanh": "ReLU",
    "gelu": "silu",
    "GELU": "SiLU",
    "softmax": "log_softmax",
    "Softmax": "LogSoftmax",
    "sum": "prod",
    "mean": "sum",
    "exp": "expm1",
    "log": "log1p",
    "abs": "neg",
    "sqrt": "rsqrt",
    "amax": "amin",
    "max": "min",
    "min": "max",
    "matmul": "add",
    "mse_loss": "l1_loss",
    "MSELoss": "L1Loss",
    "MaxPool2d": "AvgPool2d",
    "AvgPool2d": "MaxPool2d",
    "cumsum": "cumprod",
    "clamp": "fmod",
    "silu": "gelu",
    "SiLU": "GELU",
    "leaky_relu": "elu",
    "std": "var",
    "var": "std",
}


def renamed(code: str) -> str:
    """Every name that the code binds is another one."""
    tree = ast.parse(code)
    names = _bound(tree) - INTERFACE
    other = {name: f"v{place}_{name[::-1]}" for place, name in enumerate(sorted(names))}
    return ast.unparse(_Renamer(other, _attributes(tree)).visit(tree))


def _bound(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found |= {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    inner = {part for node in nodes if isinstance(node, ast.ClassDef) for part in node.body}
    found |= {node.name for node in nodes if isinstance(node, functions) and node not in inner}
    found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {name for name in found - imported if not name.startswith("__")}


def _attributes(tree: ast.Module) -> set[str]:
    """Attributes that the code gives to `self`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], attributes: set[str]) -> None:
        self._names, self._attributes = names, attributes

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr in self._attributes:
            node.attr = f"own_{node.attr[::-1]}"
        return self.generic_visit(node)

    def _named(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.name = self._names.get(node.name, node.name)
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _named  # noqa: N815 - the names are ast's

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self._names.get(name, name) for name in node.names]
        return node

    visit_Nonlocal = visit_Global  # noqa: N815

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in self._names:
            for keyword in node.keywords:
                keyword.arg = self._names.get(keyword.arg or "", keyword.arg or "") or None
        return self.generic_visit(node)


def reformatted(code: str) -> str:
    """Other white space and quotes, with comments and docstrings."""
    lines = []
    for line in ast.unparse(ast.parse(code)).splitlines():
        lines += [line if line.lstrip().startswith(("'", '"')) or '"""' in line else f"{line}  # {len(line)}"]
        if line.lstrip().startswith(("class ", "def ")) and line.endswith(":"):
            indent = " " * (len(line) - len(line.lstrip()) + 4)
            lines.append(f'{indent}"""What it does, in words."""')
    text = "\n\n".join(lines)
    return text if _parses(text) else ast.unparse(ast.parse(code))


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def reordered(code: str) -> str:
    """Definitions of the module and methods of its classes in reverse order."""
    tree = ast.parse(code)
    _reverse(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            _reverse(node.body)
    return ast.unparse(tree)


def _reverse(body: list[ast.stmt]) -> None:
    """Definitions change places; classes that are bases of later ones stay before them."""
    bases = {
        base.id for node in body if isinstance(node, ast.ClassDef) for base in node.bases if isinstance(base, ast.Name)
    }
    places = [
        place
        for place, node in enumerate(body)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name not in bases
    ]
    for place, node in zip(places, [body[place] for place in places][::-1], strict=True):
        body[place] = node


def constant_changed(code: str, seed: int = 0) -> str | None:
    """Another number somewhere in a function; None without any."""
    tree = ast.parse(code)
    found = [
        node
        for function in _functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]
    if not found:
        return None
    chosen = random.Random(seed).choice(found)
    chosen.value = chosen.value * 2 + 3
    return ast.unparse(tree)


def operator_replaced(code: str, seed: int = 0) -> str | None:
    """Another operator or function somewhere in a function: another computation; None without any."""
    tree = ast.parse(code)
    nodes, sizes = [node for function in _functions(tree) for node in ast.walk(function)], _sizes(tree)
    found: list[ast.BinOp | ast.Attribute] = [
        node
        for node in nodes
        if (isinstance(node, ast.BinOp) and type(node.op) in _OTHERS and not _is_number(node, sizes))
        or (isinstance(node, ast.Attribute) and node.attr in _OTHER_NAMES)
    ]
    if not found:
        return None
    chosen = random.Random(seed).choice(found)
    if isinstance(chosen, ast.BinOp):
        chosen.op = _OTHERS[type(chosen.op)]()
    else:
        chosen.attr = _OTHER_NAMES[chosen.attr]
    return ast.unparse(tree)


def _functions(tree: ast.Module) -> list[ast.AST]:
    """Functions that compute: no harness and no constructor."""
    aside = ("get_", "__init__")
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not node.name.startswith(aside)]


def _sizes(tree: ast.Module) -> set[str]:
    """Names that hold sizes of tensors."""
    return {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_size(node.value)
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }


def _is_size(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Attribute) and inner.attr in ("shape", "size") for inner in ast.walk(node))


def _is_number(node: ast.expr, sizes: set[str]) -> bool:
    """Whether arithmetic is only of constants and sizes."""
    names = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    return _is_size(node) or all(name in sizes or name == "math" for name in names)


def wrapped(code: str) -> str:
    """The last class inside another module, or the last function inside another function."""
    tree = ast.parse(code)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if not classes or "Module" not in ast.unparse(classes[-1]).partition("\n")[0]:
        name = next(node.name for node in reversed(tree.body) if hasattr(node, "name"))
        return f"{code}\n\ndef outer(*given, **named):\n    return {name}(*given, **named)\n"
    inner, module = classes[-1].name, ast.unparse(classes[-1].bases[0])
    wrapper = ast.parse(
        f"class Outer({module}):\n    def __init__(self, *given, **named):\n        super().__init__()\n"
        f"        self.inner = {inner}(*given, **named)\n\n    def forward(self, *inputs):\n"
        "        return self.inner(*inputs)\n"
    ).body
    tree.body[tree.body.index(classes[-1]) + 1 : tree.body.index(classes[-1]) + 1] = wrapper
    return ast.unparse(tree)


def functional(code: str) -> str:
    """Functions in place of operators, methods and layers without parameters."""
    tree = ast.parse(code)
    torch = "torch" in code
    rewritten = _Functional(_stateless(tree) if torch else {}, _sizes(tree), "torch" if torch else "operator").visit(
        tree
    )
    return ast.unparse(ast.fix_missing_locations(rewritten))


def _stateless(tree: ast.Module) -> dict[str, tuple[str, ast.Call]]:
    """Attributes that hold layers without parameters, with the function that does the same."""
    found: dict[str, tuple[str, ast.Call]] = {}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Attribute)
            and isinstance(node.value, ast.Call)
        ):
            function = node.value.func
            if isinstance(function, ast.Attribute) and function.attr in _LAYERS:
                found[node.targets[0].attr] = (_LAYERS[function.attr], node.value)
    return found


class _Functional(ast.NodeTransformer):
    def __init__(self, layers: dict[str, tuple[str, ast.Call]], sizes: set[str], module: str) -> None:
        self._layers, self._sizes, self._module = layers, sizes, module

    def _function(self, name: str) -> ast.expr:
        return ast.parse(f"{self._module}.{name}", mode="eval").body

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node if node.name.startswith(("get_", "__init__")) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _OPERATORS.get(type(node.op))
        if name is None or _is_number(node.left, self._sizes):
            return node
        return ast.Call(
            self._function("truediv" if self._module == "operator" and name == "div" else name),
            [node.left, node.right],
            [],
        )

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if not isinstance(function, ast.Attribute) or self._module == "operator":
            return node
        if isinstance(function.value, ast.Name) and function.value.id == "self" and function.attr in self._layers:
            name, built = self._layers[function.attr]
            return ast.Call(self._function(f"nn.functional.{name}"), [*node.args, *built.args], built.keywords)
        owned = isinstance(function.value, ast.Name) and function.value.id in ("torch", "F", "nn", "self", "math")
        if function.attr in _FUNCTIONS and not owned and not isinstance(function.value, ast.Attribute):
            return ast.Call(self._function(function.attr), [function.value, *node.args], node.keywords)
        return node


def combined(code: str) -> str:
    """Renamed, reordered and reformatted."""
    return reformatted(reordered(renamed(code)))


def other_harness(code: str) -> str:
    """Inputs made in another way, and a script that runs the module; only the order of what makes them is another."""
    test = "\n\ndef test_module():\n    print(len(get_inputs()))\n\n\nif __name__ == '__main__':\n    test_module()\n"
    return "import os\nimport sys\nUNUSED = 17\n" + code + test


def other_shapes(code: str) -> str | None:
    """Larger sizes in `get_inputs`; None where it has no sizes."""
    tree = ast.parse(code)
    makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "get_inputs"]
    named = {node.id for maker in makers for node in ast.walk(maker) if isinstance(node, ast.Name)}
    sized = [node for node in tree.body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in named]
    found = [
        node
        for part in (*makers, *sized)
        for node in ast.walk(part)
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1
    ]
    for node in found:
        node.value *= 2
    return ast.unparse(tree) if found else None


SAME: dict[str, Callable[[str], str | None]] = {
    "renamed": renamed,
    "reformatted": reformatted,
    "reordered": reordered,
    "other harness": other_harness,
    "other shapes": other_shapes,
    "combined": combined,
    "wrapped": wrapped,
    "functional": functional,
}
"""Versions that do the same."""
OTHER: dict[str, Callable[[str, int], str | None]] = {
    "constant changed": constant_changed,
    "operator replaced": operator_replaced,
}
"""Versions that do something else."""
