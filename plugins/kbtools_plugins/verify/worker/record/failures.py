"""What an exception stands for that a candidate has raised."""

from __future__ import annotations

import traceback
from pathlib import Path

from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.worker import cuda_shim
from kbtools_plugins.verify.worker.loading import StateMismatch
from kbtools_plugins.verify.worker.record.lines import NO_CUDA
from kbtools_plugins.verify.worker.record.recorder import Recorder, TooLong
from kbtools_plugins.verify.worker.tensors import Unsendable

_PACKAGE = Path(__file__).parents[2]
_COMPILER = "torch._dynamo."
"""Its errors are raised where it was told to compile, whatever the text says."""


class Rejected(Exception):
    """The candidate did something that has a verdict of its own."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


class OwnFault(Exception):
    """The check itself failed, and nothing of the candidate's was running."""


_AT_THE_BORDER = ("forwards.py", "instance.py", "loading.py")
"""Files of ours that call what is the candidate's: what it lacks or takes otherwise is raised there."""
_OF_THE_CANDIDATE = (Rejected, TooLong, StateMismatch, TypeError, AttributeError, MemoryError, RecursionError)


def is_own(error: Exception, path: str) -> bool:
    """Whether an exception is a fault of the check: raised in its own code, nothing of the candidate's on the way."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, Unsendable):
        return False  # what it has returned
    if any(entry.filename == path for entry in frames) or _PACKAGE not in Path(frames[-1].filename).parents:
        return False
    at_the_border = Path(frames[-1].filename).name in _AT_THE_BORDER
    return not (at_the_border and isinstance(error, _OF_THE_CANDIDATE))


def blamed(failure: RoleFailure, recorder: Recorder) -> RoleFailure:
    """The same failure, unless it may come of a value that a kernel was to make: kernels do not run here."""
    if failure.failed != "runtime_error" or not recorder.unmade_read:
        return failure
    text = f"line {recorder.unmade_read} reads into Python what a kernel makes, so no recording can follow; then"
    return RoleFailure(failed="unsupported:host_reads_data", error=f"{text} {failure.error}")


def describe(error: BaseException, path: str, code: str) -> RoleFailure:
    """The failure that an exception of a candidate stands for, with the last lines that lead to it."""
    own = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == path]
    where = f"line {own[-1].lineno}: " if own else ""
    text = f"{where}{''.join(traceback.format_exception_only(error)).strip()}"[-1500:]
    if isinstance(error, OwnFault):
        return RoleFailure(failed="unsupported:internal", error=f"the check itself failed: {error.__cause__!r}")
    if isinstance(error, Rejected):
        return RoleFailure(failed=error.kind, error=str(error))
    if isinstance(error, TooLong):
        return RoleFailure(failed="unsupported:too_large", error=str(error))
    if isinstance(error, cuda_shim.CudaGraphUsed):
        return RoleFailure(failed="hack:cuda_graph", error=text)
    if type(error).__module__.startswith(_COMPILER):
        return RoleFailure(failed="hack:torch_compile", error=text)
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return RoleFailure(failed="out_of_memory", error=text)
    if any(sign in text for sign in NO_CUDA):
        if "torch._inductor" in code:
            return RoleFailure(failed="unsupported:inductor", error=text)
        return RoleFailure(failed="unsupported:cuda_api", error=text)
    if isinstance(error, SystemExit):
        return RoleFailure(failed="hack:exit", error=text)
    return RoleFailure(failed="runtime_error", error=text)
