"""Do the tests bite? Changes one thing at a time in the modules below and runs the tests that belong to them.

A command, not a test: `python tests/mutation.py --count 300 --workers 2` takes about an hour on two cores, prints the
survivors, and writes them to benchmarks/results/mutation.json. A mutant is a copy of the sources with one operator,
constant, condition or statement changed; the repository itself is never touched. Texts of errors are left alone, since
a test that repeats each word of them would say nothing.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from subprocess import Popen, TimeoutExpired

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "mutation.json"
EQUIVALENT = ROOT / "tests" / "mutation_equivalent.toml"
"""Mutants that no test can kill, each with the reason: they are run and not counted."""
SECONDS = 240
"""A mutant whose tests run longer counts as killed: it hangs."""

TESTS = {
    "plugins/kbtools_plugins/dedup.py": ["tests/plugins/test_dedup.py"],
    "plugins/kbtools_plugins/split.py": ["tests/plugins/test_split.py"],
    "plugins/kbtools_plugins/filter/expression.py": ["tests/plugins/test_filter.py"],
    "plugins/kbtools_plugins/filter/functions.py": ["tests/plugins/test_filter.py"],
    "plugins/kbtools_plugins/lengths/distribution.py": ["tests/plugins/test_lengths.py"],
    "plugins/kbtools_plugins/analysis/correlation.py": ["tests/plugins/test_correlate.py"],
    "plugins/kbtools_plugins/verify/reward.py": ["tests/plugins/verify/test_verify_stage.py"],
    "plugins/kbtools_plugins/verify/protocol/tolerance.py": ["tests/plugins/verify/test_compare.py"],
    "kbtools/data/conversations/tags.py": ["tests/data/test_reasoning.py", "tests/data/test_reasoning_marks.py"],
    "kbtools/data/diff.py": ["tests/data/test_compare.py"],
    "kbtools/data/io/jsonl.py": ["tests/data/test_jsonl.py"],
    "kbtools/data/hub/commit.py": ["tests/hub/test_push.py", "tests/hub/test_faults.py"],
    "kbtools/data/hub/client.py": ["tests/hub/test_push.py", "tests/hub/test_faults.py", "tests/hub/test_tokens.py"],
    "kbtools/models/engine/retry.py": ["tests/models/test_retry.py"],
    "kbtools/models/engine/limits.py": ["tests/models/test_limits.py", "tests/models/test_run_requests.py"],
    "kbtools/models/engine/budget.py": ["tests/models/test_budget.py"],
    "kbtools/models/engine/online.py": ["tests/models/test_run_requests.py", "tests/models/test_budget.py"],
    "kbtools/models/engine/attempts.py": ["tests/models/test_run_requests.py", "tests/models/test_faults.py"],
    "kbtools/models/store/responses.py": ["tests/models/test_store.py", "tests/models/test_claims.py"],
    "kbtools/models/store/claims.py": ["tests/models/test_claims.py", "tests/models/test_processes.py"],
    "kbtools/models/store/commit.py": ["tests/models/test_store.py", "tests/models/test_processes.py"],
    "kbtools/models/store/file.py": ["tests/models/test_store.py", "tests/models/test_maintenance.py"],
}
"""What is changed, and the tests that should notice."""

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One changed place: the n-th of its module, as text before and after."""

    file: str
    line: int
    before: str
    after: str
    source: str


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: `killed`, `hangs` or `survived`."""

    mutant: Mutant
    result: str
    seconds: float


def mutants(file: str) -> list[Mutant]:
    """Every change of one module, in the order of its text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = []
    for node, new in _changes(ast.parse(text)):
        before = ast.get_source_segment(text, node) or ""
        after = ast.unparse(new)
        source = _replaced(text, node, after)
        found.append(Mutant(file, node.lineno, before, after, source))
    return found


def _replaced(text: str, node: ast.expr | ast.stmt, after: str) -> str:
    """The text with the new code in the node's place; positions of `ast` are bytes of a line."""
    lines = text.encode().split(b"\n")
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    head = lines[node.lineno - 1][: node.col_offset]
    tail = lines[node.end_lineno - 1][node.end_col_offset :]
    code = f"({after})" if isinstance(node, ast.expr) else after
    lines[node.lineno - 1 : node.end_lineno] = [head + code.encode() + tail]
    return b"\n".join(lines).decode()


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, ast.expr | ast.stmt]]:
    for node in _judged(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield node, ast.Compare(node.left, [_COMPARE[type(node.ops[0])]()], node.comparators)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            yield node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        elif isinstance(node, ast.BoolOp):
            yield node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, node.operand
        elif isinstance(node, ast.IfExp):
            yield node, ast.IfExp(node.test, node.orelse, node.body)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
            yield node, ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
        elif isinstance(node, ast.Return) and node.value is not None:
            yield node, ast.Return(ast.Constant(None))
        elif isinstance(node, ast.Break | ast.Continue):
            yield node, ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield node, ast.Pass()


def _judged(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but annotations, texts of errors, what only type checkers read, and constants of f-strings."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        unseen = [getattr(node, field, None) for field in ("annotation", "returns", "decorator_list", "type_params")]
        hidden = {id(child) for part in unseen for child in (part if isinstance(part, list) else [part])}
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in hidden]


class Copy:
    """A copy of the sources, in which one module at a time is another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("kbtools", "plugins", "prompts", "tests", "recipes", "docs", "benchmarks"):
            shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / part, folder / part)

    def judge(self, mutant: Mutant) -> Outcome:
        """Run the module's tests on the changed text, and put the original back."""
        path = self.folder / mutant.file
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant.source, encoding="utf-8")
        begin = time.monotonic()
        try:
            result = self._tests(TESTS[mutant.file])
        finally:
            path.write_text(original, encoding="utf-8")
        return Outcome(mutant, result, round(time.monotonic() - begin, 1))

    def _tests(self, tests: list[str]) -> str:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(str(self.folder / part) for part in (".", "plugins", "recipes")),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "-p", "no:cacheprovider", *tests]
        with (self.folder / "log").open("w") as log:
            process = Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True)
            try:
                return "survived" if process.wait(SECONDS) == 0 else "killed"
            except TimeoutExpired:
                return "hangs"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def chosen(files: list[str], count: int, seed: int) -> list[Mutant]:
    """A sample over all modules, the same for the same sources and seed."""
    every = [mutant for file in files for mutant in mutants(file)]
    return sorted(random.Random(seed).sample(every, min(count, len(every))), key=lambda it: (it.file, it.line))


def run(sample: list[Mutant], workers: int) -> list[Outcome]:
    """Judge every mutant, each worker in a copy of its own; a line per mutant as it ends."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(workers):
            copies.put(Copy(Path(folder) / str(number)))

        def judge(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                outcome = copy.judge(mutant)
            finally:
                copies.put(copy)
            print(
                f"{outcome.result:8} {outcome.seconds:6} s  {mutant.file}:{mutant.line}  {mutant.after[:80]}",
                flush=True,
            )
            return outcome

        return list(pool.map(judge, sample))


def unharmed(files: list[str]) -> None:
    """End unless the tests pass without a change: else every mutant would look killed."""
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in files}
    for outcome in run([Mutant(file, 0, "", "(unchanged)", source) for file, source in sources.items()], 1):
        if outcome.result != "survived":
            raise SystemExit(f"without a change the tests fail: {TESTS[outcome.mutant.file]}")


def reasons() -> dict[tuple[str, str, str], str]:
    """Why a mutant changes nothing that anybody could see, by its module, its line as it is, and its text."""
    known = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {(one["file"], one["line"], one["after"]): one["why"] for one in known}


def name_of(mutant: Mutant) -> tuple[str, str, str]:
    """What stays the same about a mutant while lines above it come and go."""
    lines = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    return mutant.file, lines[mutant.line - 1].strip(), mutant.after


def main() -> None:
    """Choose, run, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", help="Only modules whose path has this in it; nothing is written then.")
    asked = parser.parse_args()
    files = [file for file in TESTS if asked.module in (None, "") or asked.module in file]
    unharmed(files)
    outcomes = run(chosen(files, asked.count, asked.seed), asked.workers)
    known = reasons()
    alive = [outcome.mutant for outcome in outcomes if outcome.result == "survived"]
    survivors = [mutant for mutant in alive if name_of(mutant) not in known]
    counted = len(outcomes) - len(alive) + len(survivors)
    killed = counted - len(survivors)
    print(f"{killed} of {counted} mutants killed, {len(alive) - len(survivors)} further ones are equivalent")
    listed = [{key: value for key, value in asdict(mutant).items() if key != "source"} for mutant in survivors]
    if asked.module:
        print(json.dumps(listed, indent=1))
        return
    counts = {"mutants": counted, "killed": killed, "equivalent": len(alive) - len(survivors)}
    RESULT.write_text(json.dumps({**counts, "survivors": listed}, indent=1) + "\n")


if __name__ == "__main__":
    main()
