"""Right kernels with one thing wrong: what a check must tell from the kernels that they were made of.

`python tests/plugins/verify/mutants.py [--count N] [--seconds S] [--only NAME] [--journal FILE] [--json FILE]` makes
mutants of the kernels of all innocent candidates, has so many of them verified in an order that only `--seed` decides,
and lists the survivors: each is equivalent to its kernel on every input that the reference takes, or a hole in the
check. Verdicts go to the journal as they come, and a later run goes on from there.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

from verify_suite import HERE, Candidate, read

from kbtools_plugins.verify import verify
from kbtools_plugins.verify.host.processes import WarmPair

_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "%"),
    ast.Mod: ("%", "//"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
}
_CALLS = {
    "tl.maximum": "tl.minimum",
    "tl.minimum": "tl.maximum",
    "tl.exp": "tl.exp2",
    "tl.sum": "tl.max",
    "tl.max": "tl.min",
    "tl.sqrt": "tl.abs",
    "tl.rsqrt": "tl.sqrt",
    "tl.cdiv": "min",
    "triton.cdiv": "min",
    "tl.zeros": "tl.full",
    "tl.atomic_add": "tl.atomic_max",
}
_SWAPPED = (ast.Sub, ast.Div)


@dataclass(frozen=True)
class Change:
    """One edit of a text: what is put in place of the characters from `start` to `end`."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Mutant:
    """A candidate with one change."""

    candidate: Candidate
    change: Change
    line: int
    before: str
    after: str

    def code(self) -> str:
        """The changed text."""
        code = self.candidate.code
        return code[: self.change.start] + self.change.text + code[self.change.end :]


def mutants(candidate: Candidate) -> Iterator[Mutant]:
    """All mutants of one candidate's kernels that parse and differ from it."""
    code = candidate.code
    starts = [0]
    for line in code.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for function in (node for node in ast.walk(ast.parse(code)) if _is_kernel(node)):
        for node in (part for statement in function.body for part in ast.walk(statement)):
            for change in _changes(node, code, starts):
                yield _mutant(candidate, change, code)


def _mutant(candidate: Candidate, change: Change, code: str) -> Mutant:
    first, last = code.rfind("\n", 0, change.start) + 1, code.find("\n", change.end)
    after = code[first : change.start] + change.text + code[change.end : last]
    return Mutant(candidate, change, code.count("\n", 0, change.start) + 1, code[first:last].strip(), after.strip())


def _is_kernel(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any("jit" in ast.unparse(item) for item in node.decorator_list)


def _changes(node: ast.AST, code: str, starts: list[int]) -> Iterator[Change]:
    def span(part: ast.expr | ast.stmt) -> tuple[int, int]:
        last = part.end_lineno or part.lineno
        return starts[part.lineno - 1] + part.col_offset, starts[last - 1] + (part.end_col_offset or 0)

    def text(part: ast.expr) -> str:
        start, end = span(part)
        return code[start:end]

    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield _between(code, span(node.left)[1], span(node.right)[0], *_OPERATORS[type(node.op)], "operator")
        if isinstance(node.op, _SWAPPED):
            yield Change("order", *span(node), f"(({text(node.right)}) {_sign(node)} ({text(node.left)}))")
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        between = span(node.left)[1], span(node.comparators[0])[0]
        yield _between(code, *between, *_COMPARISONS[type(node.ops[0])], "boundary")
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield Change("constant", *span(node), repr(node.value + 1))
        if node.value:
            yield Change("constant", *span(node), repr(node.value * 2))
    elif isinstance(node, ast.Call):
        yield from _of_call(node, span, text)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "store" in ast.unparse(node.value.func):
        yield Change("missing store", *span(node), "pass")


def _sign(node: ast.BinOp) -> str:
    return _OPERATORS[type(node.op)][0]


def _between(code: str, start: int, end: int, old: str, new: str, kind: str) -> Change:
    at = code.index(old, start, end)
    return Change(kind, at, at + len(old), new)


def _of_call(node: ast.Call, span, text) -> Iterator[Change]:  # type: ignore[no-untyped-def]
    name = ast.unparse(node.func)
    if name in _CALLS:
        yield Change("function", *span(node.func), _CALLS[name])
    for word in node.keywords:
        if word.arg == "mask":
            yield Change("mask", *span(word.value), f"({text(word.value)}) & (tl.program_id(0) == 0)")
            yield Change("mask", *span(word.value), f"({text(word.value)}) | True")
        elif word.arg == "other":
            yield Change("mask", *span(word.value), "1.5")
    if name in ("tl.load", "tl.store") and node.args:
        yield Change("index", *span(node.args[0]), f"{text(node.args[0])} + 1")
    if name == "tl.store" and len(node.args) > 1:
        yield Change("cast", *span(node.args[1]), f"({text(node.args[1])} + 0.0).to(tl.float16)")
        yield Change("cast", *span(node.args[1]), f"({text(node.args[1])} * 1.002)")
    if name == "tl.where":
        swapped = ", ".join(map(text, [node.args[0], node.args[2], node.args[1]]))
        yield Change("order", *span(node), f"tl.where({swapped})")
    if name == "tl.program_id":
        yield Change("index", *span(node), f"({text(node)} // 2)")
    if name == "range" and len(node.args) > 1:
        yield Change("boundary", *span(node.args[1]), f"({text(node.args[1])}) - 1")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "to":
        yield Change("cast", *span(node), text(node.func.value))


def chosen(only: str, count: int, seed: int) -> list[Mutant]:
    """So many mutants of all innocent candidates, in an order that the seed decides."""
    paths = [path for path in sorted((HERE / "innocent").glob("*.py")) if only in path.stem]
    plain = [candidate for candidate in map(read, paths) if _parses(candidate.code) and candidate.code.isascii()]
    found = [mutant for candidate in plain for mutant in mutants(candidate) if _parses(mutant.code())]
    random.Random(seed).shuffle(found)
    return found[:count]


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def run(found: list[Mutant], workers: int, seconds: float, journal: Path | None) -> list[tuple[Mutant, str]]:
    """Verdicts of as many as the time allows, and of those that the journal knows."""
    until = time.monotonic() + seconds
    known = _known(journal)
    idle: SimpleQueue[WarmPair] = SimpleQueue()
    warm = [WarmPair(number) for number in range(workers)]
    for pair in warm:
        idle.put(pair)

    def check(mutant: Mutant) -> tuple[Mutant, str] | None:
        key = json.dumps(_row(mutant))
        if key not in known and time.monotonic() > until:
            return None
        if key not in known:
            known[key] = _verdict(mutant, idle)
            if journal:
                with journal.open("a") as file:
                    _note(file, mutant, known[key])
        return mutant, known[key]

    try:
        with ThreadPoolExecutor(workers) as threads:
            return [done for done in threads.map(check, found) if done]
    finally:
        for pair in warm:
            pair.close()


def _verdict(mutant: Mutant, idle: SimpleQueue[WarmPair]) -> str:
    pair, candidate = idle.get(), mutant.candidate
    try:
        return verify(candidate.reference, mutant.code(), settings=candidate.settings, processes=pair).verdict
    finally:
        idle.put(pair)


def _known(journal: Path | None) -> dict[str, str]:
    """Verdicts of earlier runs, by the mutant's row."""
    lines = journal.read_text().splitlines() if journal and journal.exists() else []
    rows = [json.loads(line) for line in lines]
    return {
        json.dumps({name: value for name, value in row.items() if name != "verdict"}): row["verdict"] for row in rows
    }


def _note(file: TextIO, mutant: Mutant, verdict: str) -> None:
    file.write(json.dumps(_row(mutant) | {"verdict": verdict}) + "\n")


def _row(mutant: Mutant) -> dict[str, object]:
    return {"kernel": mutant.candidate.name, "kind": mutant.change.kind, "line": mutant.line, "before": mutant.before,
            "after": mutant.after}  # fmt: skip


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = chosen(options.only, options.count, options.seed)
    done = run(found, options.workers, options.seconds, options.journal)
    survivors = [mutant for mutant, verdict in done if verdict == "pass"]
    for mutant in survivors:
        print(f"{mutant.candidate.name}, {mutant.change.kind}, line {mutant.line}")
        print(f"  - {mutant.before}")
        print(f"  + {mutant.after}")
    kinds = Counter(mutant.change.kind for mutant, _ in done)
    lived = Counter(mutant.change.kind for mutant in survivors)
    for kind, count in sorted(kinds.items()):
        print(f"{kind:14} {count:5} mutants, {lived[kind]:4} survive")
    verdicts = Counter(verdict for _, verdict in done)
    print(", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common()))
    print(f"{len(done)} of {len(found)} mutants run, {len(survivors)} survive")
    if options.json:
        rows = {"run": len(done), "verdicts": verdicts, "kinds": kinds, "survivors": [_row(one) for one in survivors]}
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(not done)


if __name__ == "__main__":
    main()
