"""What the timing job lets a reference's Python do: the job's own code, run as far as it goes without a device."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_gpu_without_one import RUN

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.replaying import TIMING, ReplayJob, Timing
from kbtools_plugins.verify.protocol.roles import Assignment, Go
from kbtools_plugins.verify.protocol.trace import Trace
from kbtools_plugins.verify.worker import zygote
from kbtools_plugins.verify.worker.gpu import job as gpu_job

pytestmark = pytest.mark.skipif(
    not (sandbox.available()["seccomp"] and sandbox.available()["landlock"]), reason="needs seccomp and Landlock"
)
_ACTS = """
import os, socket, subprocess
from pathlib import Path

def tried(act):
    try:
        return repr(act())
    except Exception as error:
        return type(error).__name__

SAID = [tried(act) for act in (ACTS)]
raise RuntimeError("said " + " ".join(SAID))
"""
_EMPTY = Trace.read({"storages": [], "steps": [], "reads": [], "outputs": {"tuple": []}})


@dataclass(frozen=True)
class _Shared:
    """Caches that other jobs use."""

    folder: Path

    def written(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Shared:
    caches = tmp_path / "caches"
    for name in ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        (caches / name).mkdir(parents=True)
        monkeypatch.setenv(name, str(caches / name))
    return _Shared(caches)


def _timed(reference: str, folder: Path) -> str:
    """What the timing job says of a reference, in a process that is shut in as the job's own is."""
    folder.mkdir()
    timing = Timing(
        reference=reference,
        entry="Model",
        init={"tuple": [{"tuple": []}, {"dict": []}]},
        arguments={"tuple": []},
        state={},
        mode="eval",
        needed_bytes=0,
    )
    job = ReplayJob(
        source="",
        names={},
        allow=[],
        state={},
        traces=[_EMPTY],
        runs=[RUN],
        timing=timing,
    )
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            gpu_job._start_cuda = lambda: None  # type: ignore[assignment]  # there is no device
            zygote._run_jobs(folder, wire.Talk(theirs, bytes(32)))
        finally:
            os._exit(1)
    theirs.close()
    talk = wire.Talk(ours, bytes(32))
    talk.send(Assignment(role=TIMING.name, timeout=60, memory_gb=4, job=job.tree()).tree())
    assert talk.receive() == {"alone": False}
    talk.send(Go().tree())
    said = talk.receive()
    ours.close()
    os.waitpid(pid, 0)
    return str(said)


@pytest.mark.parametrize(
    "act",
    [
        "lambda: os.fork()",
        "lambda: socket.socket()",
        "lambda: subprocess.run(['/usr/bin/true'], check=True)",
        "lambda: os.execv('/usr/bin/true', ['true'])",
        "lambda: os.kill(os.getppid(), 0)",
        "lambda: Path('/proc', str(os.getppid()), 'environ').read_bytes()",
        "lambda: Path('/proc/1/cmdline').read_bytes()",
        "lambda: Path('/etc/passwd').read_text()",
        "lambda: Path(SHARED, 'TRITON_CACHE_DIR', 'x').write_text('x')",
        "lambda: Path(SHARED, 'TORCHINDUCTOR_CACHE_DIR', 'x').write_text('x')",
    ],
)
def test_a_reference_that_is_timed_is_shut_in_as_any_other(act: str, tmp_path: Path, shared: _Shared) -> None:
    """Each act is refused by the system itself, and caches of other jobs stay as they are."""
    reference = f"SHARED = {str(shared.folder)!r}\n" + _ACTS.replace("ACTS", f"{act},")
    assert "said PermissionError" in _timed(reference, tmp_path / "job")
    assert shared.written() == []


def test_its_own_folder_and_caches_can_be_written(tmp_path: Path, shared: _Shared) -> None:
    acts = "lambda: Path('x').write_text('x'), lambda: Path(os.environ['TRITON_CACHE_DIR']).mkdir(),"
    assert "said 1 None" in _timed(_ACTS.replace("ACTS", acts), tmp_path / "job")


def test_its_threads_can_be_named(tmp_path: Path, shared: _Shared) -> None:
    """NVIDIA's driver does so when it starts, and fails where it cannot."""
    acts = "lambda: Path('/proc/self/task', str(os.getpid()), 'comm').write_text('x'),"
    assert "said 1" in _timed(_ACTS.replace("ACTS", acts), tmp_path / "job")


_COMPILES = """
import triton, triton.language as tl
from pathlib import Path
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia import compiler as nvidia
from triton.compiler import ASTSource

@triton.jit
def add(x, n: tl.constexpr):
    tl.store(x + tl.arange(0, n), 1.0)

class Model:
    pass

signature = {"x": "*fp32", "n": "constexpr"}
made = triton.compile(ASTSource(add, signature, {(1,): 16}), target=GPUTarget("cuda", 80, 32))
try:
    nvidia.subprocess.run(["/usr/bin/true"], check=True)
    other = "started"
except nvidia.subprocess.CalledProcessError:
    other = "refused"
raise RuntimeError(f"said {len(made.asm['cubin']) > 1000} {other}")
"""


def test_a_reference_is_compiled_without_starting_a_program_itself(tmp_path: Path, shared: _Shared) -> None:
    """ptxas is started by a process that takes nothing else: the baseline of torch.compile needs it."""
    assert "said True refused" in _timed(_COMPILES, tmp_path / "job")
    assert shared.written() == []
