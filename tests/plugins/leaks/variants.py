"""Problems made by rule, and other people's versions of them: renamed, reformatted, reordered, wrapped, rewritten.

Every problem is a module in the style of the public evaluation sets: a class of layers and operations, inputs and
constants. A variant is the same task; a negative is another one that differs in one operator.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

LAYERS = {
    "nn.Linear({n}, {m})": "F.linear({x}, self.{a}_weight, self.{a}_bias)",
    "nn.Conv2d({n}, {m}, 3, padding=1)": "F.conv2d({x}, self.{a}_weight, self.{a}_bias, padding=1)",
    "nn.LayerNorm({n})": "F.layer_norm({x}, ({n},), self.{a}_weight, self.{a}_bias)",
    "nn.GroupNorm(4, {n})": "F.group_norm({x}, 4, self.{a}_weight, self.{a}_bias)",
    "nn.ReLU()": "F.relu({x})",
    "nn.GELU()": "F.gelu({x})",
    "nn.Sigmoid()": "torch.sigmoid({x})",
    "nn.Softmax(dim=-1)": "F.softmax({x}, dim=-1)",
    "nn.MaxPool2d(2)": "F.max_pool2d({x}, 2)",
    "nn.Dropout(0.1)": "F.dropout({x}, 0.1, self.training)",
    "nn.Hardswish()": "F.hardswish({x})",
}
"""Each layer and how others write it as a function."""
OPERATIONS = {
    "torch.tanh({x})": "{x}.tanh()",
    "{x} * {s}": "torch.mul({x}, {s})",
    "{x} + {s}": "torch.add({x}, {s})",
    "torch.clamp({x}, min={s})": "{x}.clamp(min={s})",
    "{x}.mean(dim=-1, keepdim=True)": "torch.mean({x}, dim=-1, keepdim=True)",
    "torch.sum({x}, dim=1)": "{x}.sum(dim=1)",
    "torch.exp(-{x})": "torch.exp(torch.neg({x}))",
    "{x} / ({x}.abs() + {s})": "torch.div({x}, torch.add({x}.abs(), {s}))",
    "torch.logsumexp({x}, dim=1, keepdim=True)": "{x}.logsumexp(dim=1, keepdim=True)",
    "torch.pow({x}, 2)": "{x}.pow(2)",
    "{x} - {x}.amax(dim=-1, keepdim=True)": "torch.sub({x}, torch.amax({x}, dim=-1, keepdim=True))",
}
"""Each operation and how others write it."""
_RESHAPING = ("Conv", "Pool", "Group", "sum", "mean", "logsumexp")
"""Steps that want, or give, tensors of another shape."""
_REPLACED = {
    "nn.ReLU()": "nn.Tanh()",
    "nn.GELU()": "nn.SiLU()",
    "nn.Sigmoid()": "nn.Softplus()",
    "nn.Softmax": "nn.LogSoftmax",
    "nn.MaxPool2d": "nn.AvgPool2d",
    "nn.Hardswish()": "nn.Mish()",
    "torch.tanh": "torch.sin",
    "torch.clamp": "torch.maximum",
    ".mean(": ".prod(",
    "torch.sum": "torch.std",
    "torch.exp": "torch.log1p",
    "torch.logsumexp": "torch.cumsum",
    "torch.pow": "torch.fmod",
    ".amax(": ".amin(",
}


@dataclass(frozen=True)
class Step:
    """One step of a forward: a layer with the attribute that holds it, or an operation."""

    text: str
    attribute: str
    n: int
    m: int
    s: float

    @property
    def is_layer(self) -> bool:
        return self.text.startswith("nn.")

    def layer(self) -> str:
        return self.text.format(n=self.n, m=self.m)

    def applied(self, x: str) -> str:
        return f"self.{self.attribute}({x})" if self.is_layer else self.text.format(x=x, s=self.s)

    def functional(self, x: str) -> str:
        known = LAYERS[self.text] if self.is_layer else OPERATIONS[self.text]
        return known.format(x=x, a=self.attribute, n=self.n, m=self.m, s=self.s)


@dataclass(frozen=True)
class Task:
    """One problem."""

    name: str
    steps: tuple[Step, ...]

    def code(self) -> str:
        """As its authors have it."""
        built = [f"        self.{step.attribute} = {step.layer()}" for step in self.steps if step.is_layer]
        lines = [f"        x = {step.applied('x')}" for step in self.steps]
        return _module(f"class {self.name}(nn.Module):", built, "x", lines)

    def functional(self) -> str:
        """As others write it: parameters of its own, functions in place of layers, methods in place of functions."""
        built = []
        for step in self.steps:
            if step.is_layer and "_weight" in LAYERS[step.text]:
                size = f"{step.m}, {step.n}" if "Linear" in step.text or "Conv" in step.text else f"{step.n}"
                built.append(f"        self.{step.attribute}_weight = nn.Parameter(torch.randn({size}))")
                built.append(f"        self.{step.attribute}_bias = nn.Parameter(torch.zeros({size.split(',')[0]}))")
        lines = [f"        h{place + 1} = {step.functional(f'h{place}')}" for place, step in enumerate(self.steps)]
        body = [*lines, f"        x = h{len(self.steps)}"]
        return _module(f"class {self.name}Functional(nn.Module):", built, "h0", body)


def _module(head: str, built: list[str], argument: str, lines: list[str]) -> str:
    return "\n".join(
        [
            "import torch",
            "import torch.nn as nn",
            "import torch.nn.functional as F",
            "",
            head,
            "    def __init__(self):",
            "        super().__init__()",
            *built,
            "",
            f"    def forward(self, {argument}):",
            *lines,
            "        return x",
            "",
            "batch_size = 16",
            "features = 64",
            "",
            "def get_inputs():",
            "    return [torch.rand(batch_size, features)]",
            "",
            "def get_init_inputs():",
            "    return []",
            "",
        ]
    )


def tasks(count: int, seed: int = 0, steps: tuple[int, int] = (4, 9), *, runnable: bool = False) -> list[Task]:
    """Different problems, the same for the same seed; those that are runnable keep the shape of their inputs."""
    rng = random.Random(seed)
    choices = [text for text in (*LAYERS, *OPERATIONS) if not runnable or not any(word in text for word in _RESHAPING)]
    widths, others = ([64], [64]) if runnable else ([16, 32, 64], [8, 24, 48])
    found: dict[tuple[str, ...], Task] = {}
    while len(found) < count:
        texts = [rng.choice(choices) for _ in range(rng.randint(*steps))]
        made = [
            Step(text, f"layer{place}", rng.choice(widths), rng.choice(others), rng.randrange(1, 40) / 8)
            for place, text in enumerate(texts)
        ]
        found.setdefault(tuple(texts), Task(f"Problem{len(found)}", tuple(made)))
    return list(found.values())


# ---- variants of the text of any module


def renamed(code: str) -> str:
    """Every name that the code binds is another."""
    tree = ast.parse(code)
    bound = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} - {"self"}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    for place, name in enumerate(sorted(bound, key=len, reverse=True)):
        code = re.sub(rf"(?<![\w]){name}(?!\w)(?!=[^=])", f"renamed_{place}", code)
    return code


def reformatted(code: str) -> str:
    """Other white space, comments and docstrings."""
    lines = []
    for line in ast.unparse(ast.parse(code)).splitlines():
        lines += [line, "  # comment", ""] if line.endswith(":") else [line + "  # why"]
        if line.lstrip().startswith("class "):
            lines.append('    """What it does."""')
    return "\n".join(lines)


def reordered(code: str) -> str:
    """Methods and the layers of a constructor in another order."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body.reverse()
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            node.body[1:] = node.body[:0:-1]
    return ast.unparse(tree)


def other_shapes(code: str) -> str:
    """Other sizes of the inputs."""
    return code.replace("batch_size = 16", "batch_size = 128").replace("features = 64", "features = 1024")


def other_harness(code: str) -> str:
    """Inputs made another way, and a script that runs the module."""
    body = code[: code.index("batch_size")]
    return body + (
        "def get_inputs():\n    torch.manual_seed(0)\n    x = torch.randn(8, 64)\n    return [x]\n\n"
        "def get_init_inputs():\n    return [[], {}]\n\ndef test_module():\n    print(len(get_inputs()))\n\n"
        'if __name__ == "__main__":\n    test_module()\n'
    )


def combined(code: str) -> str:
    """All of these at once."""
    return reformatted(renamed(other_harness(other_shapes(code))))


def wrapped(code: str) -> str:
    """The module inside another one."""
    name = re.search(r"class (\w+)", code)[1]
    wrapper = (
        "class Wrapper(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.inner = {name}()\n\n    def forward(self, x):\n        return self.inner(x)\n\n"
    )
    return code.replace("batch_size = 16", wrapper + "batch_size = 16")


def one_operator_replaced(code: str, seed: int) -> str | None:
    """Another task: one operator is another; None where none of those that are known occurs."""
    present = [name for name in _REPLACED if name in code]
    if not present:
        return None
    chosen = random.Random(seed).choice(present)
    return code.replace(chosen, _REPLACED[chosen], 1)


def constants_changed(code: str) -> str:
    """Another number in the first line that has one in a forward."""
    head, mark, body = code.partition("def forward")
    return head + mark + re.sub(r"\d+\.\d+", "7.75", body, count=1)


VARIANTS: dict[str, Callable[[str], str]] = {
    "renamed": renamed,
    "reformatted": reformatted,
    "reordered": reordered,
    "other shapes": other_shapes,
    "other harness": other_harness,
    "combined": combined,
    "wrapped": wrapped,
}
"""Versions of a problem that are made from its text alone."""
