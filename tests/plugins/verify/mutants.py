"""Right kernels with one thing wrong: what a check must tell from the kernels that they were made of.

`python tests/plugins/verify/mutants.py [--count N] [--only NAME] [--store FILE] [--json FILE]` makes mutants of the
kernels of all innocent candidates, has so many of them verified in an order that only `--seed` decides, and says of
each survivor whether it is its kernel in other words, or by how much it is off. What is in the store is not run again
as long as neither the mutant nor the check has changed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from mutant_changes import Mutant, chosen
from survivors import Survivor, judge

from kbtools_plugins.verify import Verification, verify
from kbtools_plugins.verify.cache import VerdictStore, key_of
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs

T = TypeVar("T")


def run(found: Sequence[Mutant], workers: int, store: VerdictStore) -> list[Verification]:
    """The verdict of each, from the store where it is there."""

    def check(mutant: Mutant, processes: WarmPair) -> Verification:
        candidate, code = mutant.candidate, mutant.code()
        key = key_of(candidate.reference, code, None, candidate.settings)
        if known := store.get(key):
            return known
        verdict = verify(candidate.reference, code, settings=candidate.settings, processes=processes)
        store.put(key, verdict)
        return verdict

    return side_by_side(check, found, workers)


def side_by_side(work: Callable[[Mutant, WarmPair], T], found: Sequence[Mutant], workers: int) -> list[T]:
    """What the work gives for each mutant, each worker with warm processes of its own."""
    idle: SimpleQueue[WarmPair] = SimpleQueue()

    def one(mutant: Mutant) -> T:
        processes = idle.get()
        try:
            return work(mutant, processes)
        finally:
            idle.put(processes)

    with ExitStack() as stack, ThreadPoolExecutor(workers) as threads:
        for processes in warm_pairs(workers):
            idle.put(stack.enter_context(processes))
        return list(threads.map(one, found))


def report(found: Sequence[Mutant], verdicts: Sequence[Verification], survivors: Sequence[Survivor]) -> None:
    """Survivors that differ by more than rounding, and the table of kinds."""
    for one in survivors:
        if one.kind in ("tolerance", "found by more seeds"):
            print(f"{one.mutant.candidate.name}, {one.mutant.change.kind}, line {one.mutant.line}: {one.reason}")
            print(f"  - {one.mutant.before}")
            print(f"  + {one.mutant.after}")
    kinds = Counter(mutant.change.kind for mutant in found)
    lived = Counter(one.mutant.change.kind for one in survivors)
    for kind, count in sorted(kinds.items()):
        print(f"{kind:14} {count:5} mutants, {lived[kind]:4} survive")
    print(", ".join(f"{name} {count}" for name, count in Counter(one.verdict for one in verdicts).most_common()))
    print(", ".join(f"{name} {count}" for name, count in Counter(one.kind for one in survivors).most_common()))
    print(f"{len(found)} mutants run, {len(survivors)} survive")


def written(found: Sequence[Mutant], verdicts: Sequence[Verification], survivors: Sequence[Survivor]) -> str:
    """The same as JSON, with each survivor."""
    rows = [
        {
            "kernel": one.mutant.candidate.name,
            "kind": one.mutant.change.kind,
            "line": one.mutant.line,
            "before": one.mutant.before,
            "after": one.mutant.after,
            "what it is": one.kind,
            "reason": one.reason,
        }
        for one in survivors
    ]
    counts = {
        "run": len(found),
        "verdicts": Counter(one.verdict for one in verdicts),
        "kinds": Counter(mutant.change.kind for mutant in found),
        "survive": Counter(one.kind for one in survivors),
        "processor_seconds": round(sum(one.processor_seconds for one in verdicts)),
    }
    return json.dumps(counts | {"survivors": rows}, indent=1) + "\n"


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--store", type=Path, default=Path("mutants.sqlite"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = chosen(options.only, options.count, options.seed)
    verdicts = run(found, options.workers, VerdictStore(options.store))
    passed = [mutant for mutant, verdict in zip(found, verdicts, strict=True) if verdict.passed]
    survivors = side_by_side(judge, passed, options.workers)
    report(found, verdicts, survivors)
    if options.json:
        options.json.write_text(written(found, verdicts, survivors))


if __name__ == "__main__":
    main()
