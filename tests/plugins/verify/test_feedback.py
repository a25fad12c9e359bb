"""The feedback `verify`: what a model is told of its kernel, and what it never is, whatever the kernel does."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from test_verify_pair import CANDIDATE, REFERENCE

from kbtools.feedback import Attempt
from kbtools_plugins.verify.check import PairCheck
from kbtools_plugins.verify.feedback import VerifyFeedback
from kbtools_plugins.verify.host.pair_processes import Deadline
from kbtools_plugins.verify.host.processes import WarmPair
from kbtools_plugins.verify.protocol.outputs import flatten
from kbtools_plugins.verify.settings import VerifySettings

SETTINGS = VerifySettings(tier="cpu", seed=7)
BEFORE_THE_STORE = CANDIDATE.index("    tl.store(out_ptr")


def kernel(line: str) -> str:
    """The right candidate with another line in its kernel."""
    return f"{CANDIDATE[:BEFORE_THE_STORE]}    {line}\n{CANDIDATE[BEFORE_THE_STORE:]}"


def forward(line: str) -> str:
    """The right candidate with another first line of forward."""
    return CANDIDATE.replace("        assert x.is_cuda\n", f"        {line}\n")


HERE = [path for path in (*sys.path, str(Path.home())) if len(Path(path).parts) > 1 and path != tempfile.gettempdir()]
"""Places of this machine."""
TOLD = {
    "scaled": (CANDIDATE.replace("tl.maximum(y, 0.0)", "tl.maximum(y, 0.0) * 1.1"), "wrong_output", "largest error is"),
    "reads where its input says": (
        kernel("y += tl.load(x_ptr + (tl.abs(y) * 1e6).to(tl.int32) + 100000, mask=mask)"),
        "runtime_error",
        "past the end of x_ptr",
    ),
    "raises with all that it sees": (
        forward("raise RuntimeError(str(torch.cat([x[0, :20], self.weight[:9], (x * self.weight)[0, :20]]).tolist()))"),
        "runtime_error",
        "RuntimeError: [",
    ),
    "notes what it sees": (
        forward("e = ValueError('v'); e.add_note(str((x * self.weight)[0, :20].tolist())); raise e"),
        "runtime_error",
        "ValueError: v",
    ),
    "fails on what it sees": (forward("{}[float((x[0] * self.weight)[0])]"), "runtime_error", "KeyError: "),
    "exits with what it sees": (
        forward("raise SystemExit(str(self.weight[:20].tolist()))"),
        "hack:exit",
        "SystemExit: [",
    ),
    "looks around": (
        forward("import os, sys; raise OSError(os.getcwd(), sys.path, __file__, os.path.expanduser('~'))"),
        "runtime_error",
        "OSError: ",
    ),
    "does not compile": (kernel("y = tl.reshape(y, (3, 5))"), "compile_error", "must be a power of 2"),
    "no code": ("I cannot.", "compile_error", "the code does not compile"),
}


@pytest.mark.slow  # nine checks in real processes
def test_a_model_is_told_what_is_wrong_and_no_secret(tmp_path, monkeypatch) -> None:
    """Where, by how much, the compiler's last lines; no secret input, expected value, or path of this machine."""
    monkeypatch.setenv("KBTOOLS_VERDICTS", str(tmp_path / "verdicts.sqlite"))
    attempts = [Attempt(module_name="Model", reference_code=REFERENCE, answer=answer) for answer, _, _ in TOLD.values()]
    found = list(VerifyFeedback(tier="cpu", seed=7).assess(attempts))
    for assessment, (_, verdict, told) in zip(found, TOLD.values(), strict=True):
        assert (assessment.verdict, assessment.passed, assessment.reward) == (verdict, False, 0.0)
        assert told in assessment.finding
        assert "torch.randn(6, 50)" not in assessment.finding
        assert not [path for path in HERE if path in assessment.finding]
    with WarmPair() as processes:
        for attempt, assessment in zip(attempts[:-1], found, strict=False):
            for value in secrets_of(attempt, processes):
                assert f"{value:.7g}" not in assessment.finding
                assert f" {int(value * 1e6)}" not in assessment.finding


def secrets_of(attempt: Attempt, processes: WarmPair) -> list[float]:
    """All secret inputs and expected outputs of the check of an attempt, but for what everybody can guess."""
    check = PairCheck(attempt.reference_code, attempt.answer, None, SETTINGS, processes, Deadline())
    check._read()
    reply = check._run_reference()
    arrays = [
        np.frombuffer(tensor.tensor, np.dtype(tensor.dtype)).astype(float)
        for found in reply.sets
        for tensor in [*found.tensors, *flatten(found.exact)[1]]
        if tensor.dtype in ("float32", "float64")
    ]
    values = np.unique(np.abs(np.concatenate([array.ravel() for array in arrays])))
    return [float(value) for value in values if 0.01 < value < 100 and value != round(value, 2)]
