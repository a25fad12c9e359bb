"""What can go wrong while a trace is replayed, and the result that says so."""

from __future__ import annotations

import traceback

import torch

from kbtools_plugins.verify.protocol.replaying import RunResult
from kbtools_plugins.verify.worker.replay.poison import Unwritten


class OutsideBuffers(Exception):
    """A kernel touched memory outside the buffers it was given."""


class Race(Exception):
    """A program read or changed what another one of the same launch had written, with nothing that orders the two."""


class Work(Exception):
    """An operator that may only move data computes something."""


class OutOfTime(Exception):
    """A kernel needs more instructions, memory or time than a check has."""


class UnsupportedKind(Exception):
    """What the machine does not execute, as a kind of the verdict."""


class Forged(Exception):
    """The recorded trace disagrees with its replay."""


def innermost(error: BaseException) -> BaseException:
    """What happened inside a kernel, which Triton wraps."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def failure(error: Exception) -> RunResult:
    """The result for the innermost cause."""
    cause = innermost(error)
    kinds: dict[type[BaseException], str] = {
        OutsideBuffers: "out_of_bounds",
        Race: "nondeterministic",
        Work: "fallback",
        Forged: "forged",
        OutOfTime: "timeout",
        MemoryError: "out_of_memory",
        torch.OutOfMemoryError: "out_of_memory",
        Unwritten: "unwritten",
        UnsupportedKind: "unsupported",
        NotImplementedError: "unsupported",
    }
    own = isinstance(cause, OutsideBuffers | Race | Work | Forged | OutOfTime | Unwritten | UnsupportedKind)
    text = str(cause) if own else "".join(traceback.format_exception_only(cause)).strip()[-1500:]
    return RunResult(failed=kinds.get(type(cause), "runtime_error"), error=text)
