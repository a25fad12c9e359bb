"""The sandbox against system calls themselves, past every check in Python."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from kbtools_plugins.verify.host import sandbox

pytestmark = pytest.mark.skipif(
    not (sandbox.available()["seccomp"] and sandbox.available()["landlock"]), reason="needs seccomp and Landlock"
)


def _inside(folder: Path, act: Callable[[], object], **limits: object) -> str:
    """What `act` comes to in a forked process inside the sandbox: its result, or the name of what it raises."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            sandbox.enter(
                folder, sandbox.JobLimits(**{"cpu_seconds": 5, "memory_bytes": 2**30, **limits}), [Path("/usr")]
            )
            text = repr(act())
        except BaseException as error:  # noqa: BLE001 - the name is the answer
            text = type(error).__name__
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(pid, 0)
    return text


@pytest.mark.parametrize(
    "act",
    [
        os.fork,
        socket.socket,
        lambda: subprocess.run(["/usr/bin/true"], check=True),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.killpg(os.getpgid(os.getppid()), 0),
        lambda: Path("/etc/passwd").read_text(),
        lambda: Path("/proc/self/environ").read_text(),
        lambda: Path("/tmp/kbtools-sandbox-test").write_text("x"),
        lambda: list(Path("/").iterdir()),
        lambda: os.execv("/usr/bin/true", ["true"]),
    ],
    ids=["fork", "socket", "program", "signal", "group", "passwd", "environ", "write", "list", "exec"],
)
def test_forbidden_acts_are_refused_by_the_kernel(act: Callable[[], object], tmp_path: Path) -> None:
    """Each fails with a permission error."""
    assert _inside(tmp_path, act) == "PermissionError"


def test_raw_system_calls_are_refused_too(tmp_path: Path) -> None:
    """vfork, clone3 and ptrace by number, as shell code would call them."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = {"x86_64": [58, 435, 101], "aarch64": [435, 117]}[os.uname().machine]
    assert _inside(tmp_path, lambda: [libc.syscall(number, 0, 0, 0, 0, 0) for number in numbers]) == repr(
        [-1] * len(numbers)
    )


def test_own_folder_can_be_used(tmp_path: Path) -> None:
    """A job may write where it runs, and threads still start."""

    def act() -> str:
        Path("here.txt").write_text("x")
        import threading

        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        return Path("here.txt").read_text()

    assert _inside(tmp_path, act) == "'x'"


def test_memory_is_limited(tmp_path: Path) -> None:
    """Taking more than the limit is a MemoryError, not a swapping machine."""
    assert _inside(tmp_path, lambda: len(bytearray(2**29)), memory_bytes=2**27) == "MemoryError"


def test_limits_cannot_be_raised(tmp_path: Path) -> None:
    """Not even by root: its capabilities are gone."""
    import resource

    raised = lambda: resource.setrlimit(resource.RLIMIT_CPU, (1000, 1000))  # noqa: E731
    assert _inside(tmp_path, raised) == "ValueError"


def test_job_dies_with_its_parent(tmp_path: Path) -> None:
    """A process that asked for it does not outlive the one that forked it."""
    code = (
        "import os, time\nfrom kbtools_plugins.verify.host import sandbox\nread, write = os.pipe()\npid = os.fork()\n"
        "if not pid:\n    sandbox.die_with_parent()\n    os.write(write, b'.')\n    time.sleep(600)\n    os._exit(0)\n"
        "os.read(read, 1)\nprint(pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    pid = int(ended.stdout)
    for _ in range(600):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        signal.sigtimedwait([], 0.1)
    pytest.fail("the orphan is still there")


def test_triton_may_be_installed_in_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `pip install --target` and an editable build leave it: its assembler is there to be started."""
    installed = ModuleType("triton")
    installed.__file__ = str(tmp_path / "triton" / "__init__.py")
    monkeypatch.setitem(sys.modules, "triton", installed)
    assert tmp_path in sandbox.readable_paths.__wrapped__()
