"""Warm processes leave torch's compiler out; who wants it has it, and is blamed for nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kbtools_plugins.verify.host.processes import WarmPair
from tests.plugins.verify.test_verify_pair import CANDIDATE, REFERENCE

_PROGRAM = """
import sys
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from kbtools_plugins.verify.worker import compiler

class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with compiler.Aside():
            seen.append(torch._C._len_torch_dispatch_stack())
            return func(*args, **(kwargs or {}))

seen = []
compiler.leave_out()
with Mode(), Mode():
    torch.ones(2) + 1
torch.randn(2, device="meta").sin()
"""


def _run(more: str) -> str:
    done = subprocess.run([sys.executable, "-c", _PROGRAM + more], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_modes_and_meta_functions_work_without_it() -> None:
    """Nothing imports it, and inside of what looks aside no mode is on."""
    assert _run('print("torch._dynamo" in sys.modules, set(seen))') == "False {0}"


def test_who_imports_it_has_it() -> None:
    """What was hidden from it still is, and no function of torch is replaced by the import."""
    more = """
before = {name: value for name, value in vars(torch).items() if callable(value)}
import torch._dynamo
double = torch.compile(lambda x: x * 2, backend="eager")
with Mode():
    print(double(torch.ones(1)).item(), [n for n, v in before.items() if vars(torch)[n] is not v])
"""
    assert _run(more) == "2.0 []"


@pytest.mark.parametrize("use", ["import torch._dynamo", "torch.compiler.is_compiling()", "torch.manual_seed(3)"])
def test_a_candidate_that_uses_it_passes(use: str, processes: WarmPair) -> None:
    """Importing it is no trick."""
    from kbtools_plugins.verify import verify

    found = verify(REFERENCE, CANDIDATE.replace("import torch\n", f"import torch\n{use}\n", 1), processes=processes)
    assert (found.verdict, found.error) == ("pass", "")
