"""Do the tests bite? Changes one thing at a time in the modules of `modules.py` and runs the tests that belong to them.

A command, not a test: `python -m tests.mutation --count 300` prints what becomes of each mutant, and writes those that
survive to benchmarks/results/mutation.json. Mutants live in a copy of the sources. A run that is started again goes on:
mutants that were killed are in .mutation.jsonl, those that survived are run again, a changed line has new mutants.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from tests.mutation.changes import ROOT, Mutant, chosen, key_of
from tests.mutation.forks import JOB, Change, Job, Said
from tests.mutation.modules import TESTS

RESULT = ROOT / "benchmarks" / "results" / "mutation.json"
KILLED = ROOT / ".mutation.jsonl"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
"""Mutants that no test can kill, each with the reason: they are neither run nor counted."""
SECONDS = 600
"""A mutant in a process of its own whose tests run longer counts as killed: it hangs."""


class Copy:
    """A copy of the sources, in which one module at a time is another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("kbtools", "plugins", "prompts", "tests", "recipes", "docs", "benchmarks"):
            shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / part, folder / part)

    def outcomes(self, file: str, waiting: list[Mutant]) -> Iterator[tuple[Mutant, Said]]:
        """What becomes of the mutants of a module, as it is known."""
        job = Job(
            file=self.folder / file,
            changes=tuple(Change(line=one.line, source=one.source) for one in waiting),
            report=self.folder / "report",
        )
        job.report.write_text("")
        (self.folder / "job").write_text(job.model_dump_json())
        alone = []
        with self._pytest(file, "-p", "tests.mutation.forks") as tests:
            for said in _followed(job.report, tests):
                if said.result is None:
                    alone.append(said.number)
                else:
                    yield waiting[said.number], said
        if tests.returncode:
            raise SystemExit(f"without a change the tests fail: {TESTS[file]}\n{(self.folder / 'log').read_text()}")
        for number in alone:
            yield waiting[number], self._alone(number, waiting[number])

    def _alone(self, number: int, mutant: Mutant) -> Said:
        """What becomes of a mutant in a process of its own."""
        path, began = self.folder / mutant.file, time.monotonic()
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant.source, encoding="utf-8")
        with self._pytest(mutant.file) as tests:
            try:
                result = "survived" if tests.wait(SECONDS) == 0 else "killed"
            except TimeoutExpired:
                result = "hangs"
        path.write_text(original, encoding="utf-8")
        return Said(number=number, result=result, seconds=round(time.monotonic() - began, 1))

    @contextmanager
    def _pytest(self, file: str, *words: str) -> Iterator[Popen[bytes]]:
        """The tests of a module, which end with the body."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(str(self.folder / part) for part in (".", "plugins", "recipes")),
            "PYTHONDONTWRITEBYTECODE": "1",
            JOB: str(self.folder / "job"),
        }
        words = ("-n0", "-x", "-q", "-p", "no:cacheprovider", "--basetemp", str(self.folder / "tmp"), *words)
        command = [sys.executable, "-m", "pytest", *words, *TESTS[file]]
        with (self.folder / "log").open("w") as log:
            tests = Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield tests
        finally:
            with suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)
            tests.wait()


def _followed(report: Path, writer: Popen[bytes]) -> Iterator[Said]:
    """The lines of a report, until its writer ends."""
    with report.open() as lines:
        while True:
            ended = writer.poll() is not None
            for line in lines:
                yield Said.model_validate_json(line)
            if ended:
                return
            time.sleep(0.1)


def run(waiting: list[Mutant]) -> list[Mutant]:
    """Judge every mutant, a line per mutant as it ends; those that survive."""
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for file in dict.fromkeys(mutant.file for mutant in waiting):
            for mutant, said in copy.outcomes(file, [mutant for mutant in waiting if mutant.file == file]):
                print(f"{said.result:8} {said.seconds:6} s  {file}:{mutant.line}  {mutant.after[:80]}", flush=True)
                if said.result == "survived":
                    alive.append(mutant)
                else:
                    keep(mutant)
    return alive


def keep(mutant: Mutant) -> None:
    """Write down that a mutant was killed, so that it need not be again."""
    with KILLED.open("a", encoding="utf-8") as file:
        file.write(json.dumps(key_of(mutant)) + "\n")


def killed_before() -> set[tuple[str, ...]]:
    """What `keep` wrote."""
    lines = KILLED.read_text(encoding="utf-8").splitlines() if KILLED.exists() else []
    return {tuple(json.loads(line)) for line in lines}


def reasons() -> dict[tuple[str, str, str], str]:
    """Why a mutant changes nothing that anybody could see, by its module, its line as it is, and its text."""
    known = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {(one["file"], one["line"], one["after"]): one["why"] for one in known}


def main() -> None:
    """Choose, run, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--module", nargs="*", help="Only modules whose path has one of these; nothing is written then."
    )
    asked = parser.parse_args()
    sample, done, known = chosen(asked.count, asked.seed), killed_before(), reasons()
    wanted = asked.module or [""]
    here = list(dict.fromkeys(mutant for part in wanted for mutant in sample if part in mutant.file))
    counted = [mutant for mutant in here if (mutant.file, mutant.text, mutant.after) not in known]
    survivors = run([mutant for mutant in counted if key_of(mutant) not in done])
    mutants, equivalent = len(counted), len(here) - len(counted)
    killed = mutants - len(survivors)
    print(f"{killed} of {mutants} mutants killed, {equivalent} further ones are equivalent")
    shown = ("file", "line", "before", "after")
    listed = [{field: getattr(mutant, field) for field in shown} for mutant in survivors]
    if asked.module:
        print(json.dumps(listed, indent=1))
        return
    counts = {"mutants": mutants, "killed": killed, "equivalent": equivalent}
    RESULT.write_text(json.dumps({**counts, "survivors": listed}, indent=1) + "\n")


if __name__ == "__main__":
    main()
