"""The relations of launches: what their arguments are, and where their kernels begin."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from kbtools_plugins.verify.candidate.relations.arithmetic import Relations
from kbtools_plugins.verify.candidate.relations.values import ABSENT, NOTHING, KernelValue, Thing
from kbtools_plugins.verify.candidate.relations.walk import Names, Walk
from kbtools_plugins.verify.protocol.reading import NumberedLaunch, Relation, RelationsJob, RelationsReply
from kbtools_plugins.verify.protocol.wire import Tree


def relations(job: RelationsJob) -> RelationsReply:
    """Those of each launch."""
    tree = ast.parse(job.text)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants = _constants(tree, functions)
    return RelationsReply(launches=[_of(launch, functions, constants) for launch in job.launches])


def _of(launch: NumberedLaunch, functions: Mapping[str, ast.FunctionDef], constants: Names) -> list[Relation]:
    names: Names = {name: _argument(name, value, launch) for name, value in launch.bound.items()}
    numbers = {
        name: value for name, value in launch.bound.items() if type(value) is int and name not in launch.constants
    }
    found = Relations(numbers)
    if launch.kernel in functions:
        Walk(functions, constants, launch.grid, found).call(functions[launch.kernel], names)
    return list(found.found.values())


def _argument(name: str, value: Tree, launch: NumberedLaunch) -> Thing:
    if value is None:
        return ABSENT
    if isinstance(value, bool | int | float):
        constant = name in launch.constants
        return KernelValue(number=value, of=frozenset() if constant else frozenset([name]))
    if isinstance(value, dict) and isinstance(items := value.get("tuple"), list):
        return tuple(_argument(f"{name}[{number}]", item, launch) for number, item in enumerate(items))
    return KernelValue(pointer=isinstance(value, dict) and "ref" in value)


def _constants(tree: ast.Module, functions: Mapping[str, ast.FunctionDef]) -> Names:
    """What the module's own names stand for."""
    names: Names = {}
    walk = Walk(functions, names, (), Relations({}))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = walk.value(node.value, {})
    return names or {"": NOTHING}
