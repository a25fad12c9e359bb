"""The suite of hostile and innocent candidates, and the table of what became of them by kind.

`python tests/plugins/verify/verify_suite.py [--workers N] [--no-static-rules] [--only NAME]` prints the confusion
table; with `--json FILE` each verdict is written too. A candidate is a file whose head names its reference, the
verdicts that are right for it, and settings.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from kbtools_plugins.verify import Verification, VerifySettings, verify
from kbtools_plugins.verify.host.processes import WarmPair, warm_pairs
from kbtools_plugins.verify.steps import read as reading
from kbtools_plugins.verify.tiers import Tier

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Candidate:
    """One candidate of the suite."""

    group: str
    kind: str
    name: str
    reference: str
    code: str
    expected: tuple[str, ...]
    settings: VerifySettings


def load() -> list[Candidate]:
    """All candidates, hostile first, in the order of their paths."""
    paths = [*sorted((HERE / "hostile").rglob("*.py")), *sorted((HERE / "innocent").rglob("*.py"))]
    return [read(path) for path in paths]


def read(path: Path) -> Candidate:
    """The candidate in one file."""
    text = path.read_text()
    group, *kind, _ = path.relative_to(HERE).parts
    head = dict(re.findall(r"^# (reference|verdict|settings): (.*)$", text, re.MULTILINE))
    settings = dict(pair.split("=") for pair in head.get("settings", "").split())
    code = text.split("\n\n", 1)[1]
    reference = (HERE / "references" / f"{head['reference']}.py").read_text()
    return Candidate(
        group,
        kind[0] if kind else group,
        path.stem,
        reference,
        code,
        tuple(head["verdict"].split(" | ")),
        VerifySettings.model_validate(settings),
    )


def on_tier(candidate: Candidate, tier: Tier) -> Candidate:
    """The same candidate, run elsewhere."""
    return replace(candidate, settings=candidate.settings.model_copy(update={"tier": tier}))


@contextmanager
def checking(workers: int) -> Iterator[Callable[[Candidate], Verification]]:
    """What gives the verdict on a candidate, for so many threads."""
    idle: SimpleQueue[WarmPair] = SimpleQueue()
    pairs = warm_pairs(workers)
    for pair in pairs:
        idle.put(pair)

    def check(candidate: Candidate) -> Verification:
        processes = idle.get()
        try:
            return verify(candidate.reference, candidate.code, settings=candidate.settings, processes=processes)
        finally:
            idle.put(processes)

    try:
        yield check
    finally:
        for pair in pairs:
            pair.close()


def run(candidates: list[Candidate], workers: int) -> list[Verification]:
    """Their verdicts, in order."""
    with checking(workers) as check, ThreadPoolExecutor(workers) as threads:
        return list(threads.map(check, candidates))


def table(candidates: list[Candidate], verdicts: list[Verification]) -> str:
    """Rows of kind, number, passed, as expected, and the verdicts given."""
    lines = [f"{'kind':22} {'n':>3} {'pass':>5} {'as expected':>12}  verdicts"]
    by_kind: dict[tuple[str, str], list[tuple[Candidate, Verification]]] = collections.defaultdict(list)
    for candidate, verdict in zip(candidates, verdicts, strict=True):
        by_kind[candidate.group, candidate.kind].append((candidate, verdict))
    for (_, kind), found in by_kind.items():
        counts = collections.Counter(verdict.verdict for _, verdict in found)
        right = sum(verdict.verdict in candidate.expected for candidate, verdict in found)
        given = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"{kind:22} {len(found):3} {counts['pass']:5} {right:12}  {given}")
    for group in ("hostile", "innocent"):
        passed = [
            verdict.passed for candidate, verdict in zip(candidates, verdicts, strict=True) if candidate.group == group
        ]
        lines.append(f"{group}: {len(passed)} candidates, {sum(passed)} pass, {len(passed) - sum(passed)} rejected")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line names and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-static-rules", action="store_true", help="see what the other layers do on their own")
    parser.add_argument("--only", default="", help="candidates whose group/kind/name contains this")
    parser.add_argument("--tier", default="auto", help="where kernels run: auto, ptx, interpreter or gpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.no_static_rules:
        reading.executed = lambda findings, ran: None
    candidates = [
        on_tier(found, options.tier) for found in load() if options.only in f"{found.group}/{found.kind}/{found.name}"
    ]
    started = time.monotonic()
    verdicts = run(candidates, options.workers)
    for candidate, verdict in zip(candidates, verdicts, strict=True):
        if options.only or (verdict.verdict not in candidate.expected and not options.no_static_rules):
            print(
                f"{candidate.kind}/{candidate.name}: {verdict.verdict}, expected {' or '.join(candidate.expected)}\n"
                f"    {verdict.error}"
            )
    print(table(candidates, verdicts))
    print(f"{len(candidates)} candidates in {time.monotonic() - started:.1f} s with {options.workers} workers")
    if options.json:
        rows = [
            json.dumps({"group": candidate.group, "kind": candidate.kind, "name": candidate.name,
                        "verdict": verdict.verdict, "tier": verdict.tier, "error": verdict.error,
                        "seconds": dict(verdict.seconds)})
            for candidate, verdict in zip(candidates, verdicts, strict=True)
        ]  # fmt: skip
        options.json.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    wrong = [
        verdict.passed == (candidate.group == "hostile")
        for candidate, verdict in zip(candidates, verdicts, strict=True)
    ]
    sys.exit(any(wrong))


if __name__ == "__main__":
    main()
