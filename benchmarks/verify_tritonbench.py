"""Check published model answers to TritonBench-T against references built from the tasks' own code and examples.

    python benchmarks/verify_tritonbench.py FOLDER [--models deepseek_r1 gpt4o] [--files FOLDER] [--rows FOLDER]

FOLDER holds tritonbench_t.jsonl and tritonbench_t_<model>.jsonl. A task counts as buildable if its example defines
the function and calls it once with arguments that can be given by position. With `--files`, a folder of the
benchmark's own files (data/TritonBench_T_v1), references are their whole functions, and each call of a file's test is
checked: an answer passes if all of its calls do. Prints the verdict counts; `--rows` keeps the verdict of each answer.
"""

from __future__ import annotations

import argparse
import ast
import collections
import json
import re
import time
from pathlib import Path

from machine import write
from tritonbench_files import calls_of

from kbtools_plugins.verify import VerifySettings
from kbtools_plugins.verify.candidate.text import extract
from kbtools_plugins.verify.pool import Pair, verify_all


class Unbuildable(Exception):
    """The task's text does not give a reference with inputs."""


def reference_of(task: dict[str, str]) -> tuple[str, str]:
    """A module with the task's function and a `get_inputs()` made from its example; the function's name."""
    name = Path(task["file"]).stem
    statements = _statements(task["example"])
    functions = {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}
    body = [node for node in statements if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom)]
    function = functions.get(name) or _function(task, name)
    for place, statement in enumerate(body):
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call) and _called(node) == name]
        if calls:
            before = [node for node in body[:place] if not isinstance(node, ast.Expr)]  # a session's outputs
            inputs = ast.FunctionDef(
                "get_inputs", _no_arguments(), [*before, ast.Return(_positional(calls[0], function))], []
            )
            helpers = [node for node in functions.values() if node.name != name]
            module = ast.fix_missing_locations(ast.Module([*helpers, function, inputs], []))
            return f"{_IMPORTS}\n{ast.unparse(module)}", name
    raise Unbuildable("the example never calls the function")


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
    code = task["torch_code"].strip()
    signature = re.search(rf"{re.escape(name)}\((.*?)\)", task["func_inputs"].replace("\n", " "))
    own = re.match(rf"(torch(?:\.\w+)*\.{re.escape(name)})\(", code)
    if own and "=" not in code.split("(")[0]:
        body = f"    return {own.group(1)}({{}})"
    else:
        lines = [line for line in re.split(r"\n|; ", code) if line.strip()]
        body = "\n".join(f"    {line.rstrip(';').strip() if not line.startswith(' ') else line}" for line in lines)
    parameters = re.sub(r":\s*[\w.\[\], ]+?(?=\s*(?:=|,|$|\*))", "", signature.group(1)) if signature else ""
    try:
        made = ast.parse(f"def {name}({parameters}):\n{body.format(_forwarded(parameters)) if own else body}").body[0]
    except (SyntaxError, IndexError, KeyError, ValueError):
        raise Unbuildable("the task's code under the task's signature does not parse") from None
    assert isinstance(made, ast.FunctionDef)
    if not any(isinstance(node, ast.Return) for node in ast.walk(made)):
        last = made.body[-1]
        if isinstance(last, ast.Assign):
            made.body.append(ast.Return(last.targets[0]))
        elif isinstance(last, ast.Expr) and len(made.body) == 1:
            made.body = [ast.Return(last.value)]
        else:
            raise Unbuildable("the task's code returns nothing")
    return made


def _forwarded(parameters: str) -> str:
    names = [arg.arg for arg in ast.parse(f"def f({parameters}): pass").body[0].args.args]  # type: ignore[attr-defined]
    return ", ".join(names)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _positional(call: ast.Call, function: ast.FunctionDef) -> ast.List:
    names = [arg.arg for arg in function.args.args]
    if any(isinstance(part, ast.Starred) for part in call.args):
        raise Unbuildable("the example passes a starred argument")
    given: dict[str, ast.expr] = dict(zip(names, call.args, strict=False))
    for word in call.keywords:
        if word.arg not in names:
            raise Unbuildable(f"the argument {word.arg} cannot be given by position")
        given[word.arg] = word.value
    last = max((names.index(name) for name in given), default=-1)
    defaults = dict(zip(names[::-1], function.args.defaults[::-1], strict=False))
    return ast.List(
        [given.get(name) or defaults.get(name) or ast.Constant(None) for name in names[: last + 1]], ast.Load()
    )


def _no_arguments() -> ast.arguments:
    return ast.arguments([], [], None, [], [], None, [])


def answers_of(folder: Path, model: str, limit: int | None) -> list[dict[str, str]]:
    """The first rows of one of the folder's files."""
    with (folder / f"tritonbench_t_{model}.jsonl").open() as lines:
        return [json.loads(line) for line in lines][:limit]


def verdicts_of(tasks: list[dict[str, str]], answers: list[dict[str, str]], workers: int) -> list[dict[str, object]]:
    """One row per answer: the task and the verdict, or why there is no reference."""
    pairs: dict[int, Pair] = {}
    rows: list[dict[str, object]] = []
    for number, (task, answer) in enumerate(zip(tasks, answers, strict=True)):
        row: dict[str, object] = {"task": task["file"]}
        rows.append(row)
        try:
            code, name = reference_of(task)
            pairs[number] = Pair(code, answer["predict"], name)
        except Unbuildable as error:
            row |= {"verdict": "unbuildable", "error": str(error)}
    verdicts = verify_all(list(pairs.values()), VerifySettings(timeout=60), workers)
    for number, verdict in zip(pairs, verdicts, strict=True):
        rows[number] |= verdict.model_dump(mode="json", exclude={"fingerprint", "resources"})
    return rows


def verdicts_by_file(
    tasks: list[dict[str, str]], answers: list[dict[str, str]], files: Path, workers: int
) -> list[dict[str, object]]:
    """One row per answer: the verdict of the first call of the file's test that does not pass, or of all."""
    pairs: list[Pair] = []
    owners: list[int] = []
    rows: list[dict[str, object]] = [{"task": task["file"], "verdict": "unbuildable", "calls": 0} for task in tasks]
    for number, (task, answer) in enumerate(zip(tasks, answers, strict=True)):
        path = files / task["file"]
        for call in calls_of(path.read_text(), path.stem) if path.exists() else ():
            pairs.append(call.pair(answer["predict"]))
            owners.append(number)
    for number, verdict in zip(owners, verify_all(pairs, VerifySettings(timeout=60), workers), strict=True):
        rows[number]["calls"] = int(str(rows[number]["calls"])) + 1
        if rows[number]["verdict"] in ("unbuildable", "pass"):
            rows[number] |= {"verdict": verdict.verdict, "error": verdict.error}
    return rows


def main() -> None:
    """Build what can be built, verify it, print and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=["deepseek_r1", "gpt4o"])
    parser.add_argument("--rows", type=Path, help="folder for MODEL.jsonl with each answer's verdict")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--files", type=Path, help="folder with the benchmark's own files, one for each task")
    options = parser.parse_args()
    with (options.folder / "tritonbench_t.jsonl").open() as lines:
        tasks = [json.loads(line) for line in lines][: options.limit]
    results: dict[str, object] = {}
    for model in options.models:
        started = time.monotonic()
        answers = answers_of(options.folder, model, options.limit)
        if options.files:
            rows = verdicts_by_file(tasks, answers, options.files, options.workers)
        else:
            rows = verdicts_of(tasks, answers, options.workers)
        seconds = time.monotonic() - started
        counts = collections.Counter(str(row["verdict"]) for row in rows).most_common()
        print(f"{model}: {len(rows)} answers in {seconds:.0f} s with {options.workers} workers")
        print(*(f"{count:4}  {verdict}" for verdict, count in counts), sep="\n")
        results[model] = {"seconds": seconds, "verdicts": dict(counts)}
        if options.rows:
            options.rows.mkdir(parents=True, exist_ok=True)
            (options.rows / f"{model}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write("verify_tritonbench_cpu", {"workers": options.workers, "models": results})


if __name__ == "__main__":
    main()
