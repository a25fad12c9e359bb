"""Pairs that earlier versions judged wrongly, kept outside the project: read from ../shared where that folder is there.

`python tests/plugins/verify/test_shared_cases.py [FILE ...] [--only TEXT] [--workers N]` prints a line for each pair
whose verdict is not what it has to be, and a table by kind. FILE is a name such as `redteam`; all without one.
"""

from __future__ import annotations

import argparse
import collections
import fnmatch
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from kbtools_plugins.verify import Verification, VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all
from kbtools_plugins.verify.verdict import KINDED_OUTCOMES, PLAIN_OUTCOMES

_ROOT = Path(__file__).parents[3]
FOLDER = next(
    (
        found
        for parent in (_ROOT.parent, _ROOT.parent.parent)
        if (found := parent / "shared" / "cases" / "verify").is_dir()
    ),
    Path("no such folder"),
)
_VERDICT = rf"\b(?:{'|'.join(PLAIN_OUTCOMES)}|(?:{'|'.join(KINDED_OUTCOMES)})(?::[a-z_0-9*]+)?)"
FILES = ("redteam", "recall", "lowprec", "shapes")


@dataclass(frozen=True)
class Case:
    """One pair and what has to become of it."""

    file: str
    name: str
    kind: str
    pair: Pair
    expect: str
    """pass, reject, either, or empty where the verdicts say it."""
    verdicts: tuple[str, ...]
    """Patterns, one of which the verdict has to match; empty where only `expect` is fixed."""

    def meets(self, found: Verification) -> bool:
        """Whether the verdict is one that is right for the case."""
        if self.expect == "either":
            return True
        if self.expect and found.passed != (self.expect == "pass"):
            return False
        kind = found.verdict.partition(":")[0]
        return not self.verdicts or any(
            fnmatch.fnmatch(found.verdict, pattern) or pattern == kind for pattern in self.verdicts
        )


def load(file: str) -> list[Case]:
    """The cases of one file."""
    lines = (FOLDER / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_case(file, number, json.loads(line)) for number, line in enumerate(lines)]


def _case(file: str, number: int, row: dict[str, str]) -> Case:
    pair = Pair(row["python_code"], row["candidate"], row.get("entry_point"))
    expected = re.split(r",? (?:never|not) ", row.get("expected", ""))[0]
    verdicts = tuple(re.findall(_VERDICT, expected)) if "any" not in expected else ()
    return Case(file, row.get("id", str(number)), row.get("kind", ""), pair, row.get("expect", ""), verdicts)


def table(cases: list[Case], found: list[Verification]) -> str:
    """A row for each kind: how many pairs, how many pass, how many are as they have to be."""
    rows: dict[tuple[str, str], list[tuple[Case, Verification]]] = collections.defaultdict(list)
    for case, verification in zip(cases, found, strict=True):
        rows[case.file, case.kind].append((case, verification))
    lines = [f"{'file':9} {'kind':36} {'n':>3} {'pass':>4} {'right':>5}"]
    for (file, kind), pairs in rows.items():
        right = sum(case.meets(verification) for case, verification in pairs)
        passed = sum(verification.passed for _, verification in pairs)
        lines.append(f"{file:9} {kind:36} {len(pairs):3} {passed:4} {right:5}")
    return "\n".join(lines)


def wrong(cases: list[Case], found: list[Verification]) -> list[str]:
    """A line for each pair whose verdict is not what it has to be."""
    return [
        f"{case.file}/{case.name}: {verification.verdict}, has to be {case.expect} {'|'.join(case.verdicts)}\n"
        f"    {verification.error[:300]}"
        for case, verification in zip(cases, found, strict=True)
        if not case.meets(verification)
    ]


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the cases are kept outside the project")
@pytest.mark.parametrize("file", FILES)
def test_cases_that_were_judged_wrongly_are_judged_rightly(file: str) -> None:
    """Every expectation of the file is met."""
    cases = load(file)
    found = verify_all([case.pair for case in cases], VerifySettings(tier="ptx"), 2)
    assert not wrong(cases, found), table(cases, found)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(FILES))
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    cases = [case for file in options.files for case in load(file) if options.only in case.name]
    started = time.monotonic()
    found = verify_all([case.pair for case in cases], VerifySettings(tier=options.tier), options.workers)
    if options.verbose:
        for case, verification in zip(cases, found, strict=True):
            print(f"{case.name}: {verification.verdict} {verification.error[:200]} {dict(verification.seconds)}")
    print("\n".join(wrong(cases, found)))
    print(table(cases, found))
    print(f"{len(cases)} pairs in {time.monotonic() - started:.0f} s")
    sys.exit(bool(wrong(cases, found)))


if __name__ == "__main__":
    main()
