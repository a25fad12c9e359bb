"""A pytest plugin: tests are collected once, and run for each mutant of a module in a fork of this process.

So a mutant costs no more than its tests: those that ran the changed line, the quick ones first, and those that start
processes, which may have run it there. What a module does while it is imported cannot be changed afterwards; such
mutants are left to a process of their own.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeAlias

import pytest
from pydantic import BaseModel

Tracer: TypeAlias = Callable[[FrameType, str, Any], Any]
JOB = "KBTOOLS_MUTANTS"
"""Variable with the path of a `Job`."""
FIRST_RUN = 1800.0
"""Seconds for the tests on the unchanged module, traced."""
_SURVIVED, _KILLED, _ELSEWHERE = 0, 1, 4


class Change(BaseModel):
    """The text of the module with a changed line."""

    line: int
    source: str


class Job(BaseModel):
    """A module and its mutants; a line per mutant goes to the report, as it is known."""

    file: Path
    changes: tuple[Change, ...]
    report: Path


class Said(BaseModel):
    """What became of a mutant, or None where that cannot be said here."""

    number: int
    result: str | None
    seconds: float


class Traced(BaseModel):
    """The run on the unchanged module: seconds of each test, and which tests ran a line."""

    seconds: list[float]
    lines: dict[int, set[int]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run the tests for every mutant of the job."""
    sys.dont_write_bytecode = True  # of one mutant, it would be taken for that of the next in the same second
    job = Job.model_validate_json(Path(os.environ[JOB]).read_text())
    original = job.file.read_text(encoding="utf-8")
    known = job.report.with_suffix(".traced")
    if _forked(lambda: _traced(session, job.file, known), FIRST_RUN) != _SURVIVED:
        session.testsfailed = 1
        return True
    traced = Traced.model_validate_json(known.read_text())
    for number, change in enumerate(job.changes):
        tests = _order(session.items, traced, change.line)
        limit = 30 + 2 * sum(traced.seconds[test] for test in tests)
        began = time.monotonic()
        job.file.write_text(change.source, encoding="utf-8")
        try:
            code = _forked(lambda: _changed(session, job.file, original, change.source, tests), limit)  # noqa: B023 - called here
        finally:
            job.file.write_text(original, encoding="utf-8")
        result = {None: "hangs", _SURVIVED: "survived", _ELSEWHERE: None}.get(code, "killed")
        said = Said(number=number, result=result, seconds=round(time.monotonic() - began, 1))
        with job.report.open("a") as report:
            report.write(said.model_dump_json() + "\n")
        _forget(session)
    return True


def _order(items: list[pytest.Item], traced: Traced, line: int) -> list[int]:
    """The tests for a line."""
    ran = traced.lines.get(line, set())
    others = {n for n, item in enumerate(items) if not ran or item.get_closest_marker("process")} - ran
    return [*sorted(ran, key=traced.seconds.__getitem__), *sorted(others, key=traced.seconds.__getitem__)]


def _forget(session: pytest.Session) -> None:
    """Remove what a mutant has left in the caches and in the folders of tests."""
    for folder in (Path(os.environ["HF_HOME"]), session.config._tmp_path_factory.getbasetemp()):  # type: ignore[attr-defined]
        for left in folder.iterdir():
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def _forked(work: Callable[[], int], limit: float) -> int | None:
    """The code that `work` ends with in a fork of this process; None where that took too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = _KILLED
        try:
            os.setsid()
            code = work()
        finally:
            os._exit(code)
    end, code = time.monotonic() + limit, None
    while code is None and time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    return code


def _run(session: pytest.Session, tests: list[int], before: Callable[[int], None] = lambda test: None) -> int:
    """Run tests until one fails."""
    items = [session.items[test] for test in tests]
    for test, item, following in zip(tests, items, [*items[1:], None], strict=True):
        before(test)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            session._setupstate.teardown_exact(None)
            return _KILLED
    return _SURVIVED


def _traced(session: pytest.Session, file: Path, known: Path) -> int:
    """Run all tests, and write down which lines of the file each one runs."""
    starts: list[float] = []
    lines: dict[int, set[int]] = {}

    def line(frame: FrameType, event: str, argument: Any) -> Tracer:
        if event == "line" and starts:
            lines.setdefault(frame.f_lineno, set()).add(len(starts) - 1)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Tracer | None:
        return line if frame.f_code.co_filename == str(file) else None

    threading.settrace(call)
    sys.settrace(call)
    code = _run(session, list(range(len(session.items))), lambda test: starts.append(time.monotonic()))
    ends = [*starts[1:], time.monotonic()]
    seconds = [end - start for start, end in zip(starts, ends, strict=True)]
    known.write_text(Traced(seconds=seconds, lines=lines).model_dump_json())
    return code


def _changed(session: pytest.Session, file: Path, original: str, source: str, tests: list[int]) -> int:
    """Run tests on functions with the mutant's code, unless what it changes is not in a function."""
    before, after = list(_functions(original)), list(_functions(source))
    if _outside(original) != _outside(source) or len(before) != len(after):
        return _ELSEWHERE
    new = {old: code for old, code in zip(before, after, strict=True) if old != code}
    functions = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__ in new]
    if not functions and any(getattr(module, "__file__", None) == str(file) for module in [*sys.modules.values()]):
        return _ELSEWHERE  # imported without the change, which would survive whatever it is
    for function in functions:
        code = new[function.__code__]
        if len(code.co_freevars) != len(function.__code__.co_freevars):
            return _ELSEWHERE
        function.__code__ = code
    return _run(session, tests)


def _bodies(source: str) -> Iterator[CodeType]:
    """The code of a module and of its classes, which runs when it is imported."""
    waiting = [compile(source, "", "exec", dont_inherit=True)]
    while waiting:
        body = waiting.pop()
        yield body
        waiting += [one for one in body.co_consts if isinstance(one, CodeType) and "__qualname__" in one.co_names]


def _functions(source: str) -> Iterator[CodeType]:
    """The code of functions and methods that are in no other function."""
    for body in _bodies(source):
        for one in body.co_consts:
            if isinstance(one, CodeType) and "__qualname__" not in one.co_names:
                yield one


def _outside(source: str) -> list[tuple[object, ...]]:
    """What a module does when it is imported, without the code of its functions."""
    return [
        (body.co_code, [repr(one) for one in body.co_consts if not isinstance(one, CodeType)], body.co_names)
        for body in _bodies(source)
    ]
