"""What a forked process may still do: Landlock for files, seccomp for processes and sockets, rlimits for the rest.

Linux only, through the kernel's own interfaces. Whatever the kernel at hand cannot enforce is left out, and
`available()` says so: the verdict's fingerprint and `kbtools doctor` repeat it.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import signal
import struct
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 22, 38, 4, 36
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT, _CAPSET = 444, 445, 446, {"x86_64": 126, "aarch64": 91}
_LANDLOCK_READ = 0b1101  # execute, read file, read directory
_LANDLOCK_FILE = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # what may be allowed for a single file
_LANDLOCK_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}

# Calls that start processes, reach the network or other processes, or change the mount tree.
_DENIED = {
    "x86_64": [57, 58, 59, 322, 41, 53, 101, 310, 311, 165, 166, 272, 308, 321, 298, 248, 249, 250, 425, 323, 434, 424, 438, 161, 155, 200],  # noqa: E501
    "aarch64": [221, 281, 198, 199, 117, 270, 271, 40, 39, 97, 268, 280, 241, 217, 218, 219, 425, 282, 434, 424, 438, 51, 41, 130],  # noqa: E501
}  # fmt: skip
_EXEC_CALLS = {"x86_64": {57, 58, 59, 322, 53}, "aarch64": {221, 281, 199}}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_SIGNALS = {"x86_64": [62, 234], "aarch64": [129, 131]}
_SECCOMP, _ALL_THREADS = {"x86_64": 317, "aarch64": 277}, 1
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_DRIVER_READS = ("/proc", "/sys", "/bin", "/sbin")
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
_X32_CALLS = 0x40000000
_SECONDS_TO_DIE = 5


@dataclass(frozen=True)
class JobLimits:
    """What one job may use."""

    cpu_seconds: int
    memory_bytes: int
    address_bytes: int = 0
    """What it may map beyond its memory. What it may write to alone is as large as its memory still."""
    file_bytes: int = 64 * 2**20
    more_jobs: bool = False
    """Whether the process may be given time for another job after this one, within the same memory."""
    may_execute: bool = False
    """Whether it may start programs (ptxas): only for jobs that run no foreign code."""
    drives_device: bool = False
    """Whether it is the CUDA driver's process, which wants its device files, /proc, /sys, many descriptors and address
    space without end: it is held by Landlock and rlimits alone until it is to run foreign code (`shut`)."""


@cache
def available() -> dict[str, bool]:
    """Which protections this machine enforces, by name."""
    linux = sys.platform == "linux"
    known = linux and platform.machine() in _DENIED
    return {
        "rlimits": True,
        "landlock": linux and _libc.syscall(_LANDLOCK_CREATE, None, 0, 1) >= 1,
        "seccomp": known and Path("/proc/sys/kernel/seccomp").exists(),
    }


def enter(folder: Path, limits: JobLimits, readable: Iterable[Path], writable: Iterable[Path] = ()) -> None:
    """Shut the calling process in: writes only below `folder` and `writable`, reads only there and below `readable`."""
    os.chdir(folder)
    _set_rlimits(limits)
    if sys.platform != "linux":
        return
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if available()["landlock"]:
        devices, more = (_driver_writes(), _DRIVER_READS) if limits.drives_device else ([], ())
        _landlock([folder, *writable, *devices], [*readable, *map(Path, more)])
    if limits.drives_device:
        return
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _drop_capabilities()
    if available()["seccomp"]:
        _seccomp(limits.may_execute)


def shut(folder: Path, readable: Iterable[Path]) -> None:
    """Shut in a driver's process as any other before foreign code runs there: the device is open by now.

    Threads that the driver has started are held by the same filter of system calls.
    """
    if sys.platform != "linux":
        return
    if available()["landlock"]:
        _landlock([folder, *_driver_writes()], readable)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _drop_capabilities()
    if available()["seccomp"]:
        _seccomp(may_execute=False, all_threads=True)


def prepare() -> None:
    """Before forks enter: find out once what is the same in all of them."""
    available()
    for path in readable_paths():
        _reading(path)


def become_subreaper() -> None:
    """Make orphaned grandchildren children of this process, so that none can hide from its clean-up."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have this process killed when the one that forked it ends, however it ends."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@cache
def readable_paths() -> tuple[Path, ...]:
    """The interpreter, its libraries and devices without secrets: what a job needs to import torch lazily."""
    packages = [Path(module.__file__).parent for name in ("kbtools", "kbtools_plugins")
                if (module := sys.modules.get(name)) and module.__file__]  # fmt: skip
    fixed = [
        "/usr",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/sys/devices/system/cpu",
    ]
    libraries = [Path(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path]
    return (Path(sys.prefix), Path(sys.base_prefix), *_site_packages(), *packages, *libraries, *map(Path, fixed))


def _site_packages() -> list[Path]:
    """Where packages are installed outside the prefix: a user's site, one that a .pth file names, torch's own."""
    named = [path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages")]
    found = [sys.modules[name].__file__ for name in ("torch", "triton") if name in sys.modules]
    return [*named, *(Path(file).parents[1] for file in found if file)]


def gpu_devices() -> list[Path]:
    """The device files of NVIDIA's driver."""
    return sorted(Path("/dev").glob("nvidia*"))


def _driver_writes() -> list[Path]:
    """Devices, and where NVIDIA's driver names its threads: it does not start if it cannot."""
    return [*gpu_devices(), Path("/proc/self/task")]


def give_time(cpu_seconds: int) -> None:
    """Let the calling process, which may do more jobs than one, use so much more of the processor."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + cpu_seconds, most))


def _set_rlimits(limits: JobLimits) -> None:
    addresses, data = _used_bytes()
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, 1024 if limits.drives_device else 256),
        (resource.RLIMIT_DATA, data + limits.memory_bytes if limits.address_bytes else None),
        (
            resource.RLIMIT_AS,
            None if limits.drives_device else addresses + limits.memory_bytes + limits.address_bytes,
        ),
    ):
        if value is not None:
            # SIGXCPU says that the time is used up; at the hard limit there is only SIGKILL, as from anybody
            spare = _SECONDS_TO_DIE if what == resource.RLIMIT_CPU else 0
            later = limits.more_jobs and what == resource.RLIMIT_CPU
            resource.setrlimit(what, (value, resource.getrlimit(what)[1] if later else value + spare))


def _used_bytes() -> tuple[int, int]:
    """What this process has mapped, and what of that it may write to alone."""
    if sys.platform != "linux":
        return 0, 0
    pages = [int(count) for count in Path("/proc/self/statm").read_text().split()]
    return pages[0] * resource.getpagesize(), pages[5] * resource.getpagesize()


def _drop_capabilities() -> None:
    number = _CAPSET.get(platform.machine())
    if number is not None and os.geteuid() == 0:
        _libc.syscall(number, struct.pack("<Ii", 0x20080522, 0), bytes(24))


def _landlock(writable: Iterable[Path], readable: Iterable[Path]) -> None:
    abi = _libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    handled = (1 << _LANDLOCK_BITS_BY_ABI.get(abi, 16)) - 1
    ruleset = _libc.syscall(_LANDLOCK_CREATE, struct.pack("<Q", handled), 8, 0)
    _check(ruleset, "landlock_create_ruleset")
    for path in readable:
        if access := _reading(path):
            _landlock_rule(ruleset, path, access)
    for path in writable:
        _landlock_rule(ruleset, path, handled if path.is_dir() else handled & _LANDLOCK_FILE)
    _landlock_rule(ruleset, Path("/dev/null"), 0b110)
    _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


@cache
def _reading(path: Path) -> int:
    """What reading it takes; 0 of what is not there."""
    return _LANDLOCK_READ if path.is_dir() else 0b101 if path.exists() else 0


def _landlock_rule(ruleset: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("<Qi", access, descriptor)
    _check(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {path}")
    os.close(descriptor)


def _seccomp(may_execute: bool, *, all_threads: bool = False) -> None:
    program = _filter_program(platform.machine(), os.getpid(), may_execute)
    buffer = ctypes.create_string_buffer(program)
    head = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    if all_threads:
        _check(_libc.syscall(_SECCOMP[platform.machine()], 1, _ALL_THREADS, head), "seccomp")
    else:
        _check(_libc.prctl(_PR_SET_SECCOMP, 2, head, 0, 0), "seccomp")


def _filter_program(machine: str, pid: int, may_execute: bool) -> bytes:
    """A classic BPF program: `seccomp_data` is {int nr; u32 arch; u64 ip; u64 args[6]}."""
    load, jump_equal, jump_at_least, jump_set, give = 0x20, 0x15, 0x35, 0x45, 0x06

    def line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("<HBBI", code, if_true, if_false, value)

    def deny(number: int, errno: int = _EPERM) -> list[bytes]:
        return [line(jump_equal, number, 0, 1), line(give, _ERRNO | errno)]

    exempt = _EXEC_CALLS[machine] if may_execute else set()
    lines = [line(load, 4), line(jump_equal, _AUDIT_ARCH[machine], 1, 0), line(give, _ERRNO | _EPERM),
             line(load, 0), line(jump_at_least, _X32_CALLS, 0, 1), line(give, _ERRNO | _EPERM)]  # fmt: skip
    for number in _DENIED[machine]:
        lines += deny(number) if number not in exempt else []
    if not may_execute:
        lines += deny(_CLONE3, _ENOSYS)  # glibc then falls back to clone, whose flags can be read here
        lines += [line(jump_equal, _CLONE[machine], 0, 4), line(load, 16), line(jump_set, _CLONE_THREAD, 1, 0),
                  line(give, _ERRNO | _EPERM), line(give, _ALLOW)]  # fmt: skip
        for number in _SIGNALS[machine]:  # signals to itself only, as abort() sends them
            lines += [line(jump_equal, number, 0, 4), line(load, 16), line(jump_equal, pid, 1, 0),
                      line(give, _ERRNO | _EPERM), line(give, _ALLOW)]  # fmt: skip
    return b"".join([*lines, line(give, _ALLOW)])


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
