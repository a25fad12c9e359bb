"""A script that runs a command and ends it, with all its descendants, when kbtools ends in whatever way.

Run by path with the standard library alone: `python watchdog.py PARENT_PID COMMAND...`. It must not import kbtools.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = float(os.environ.get("KBTOOLS_STOP_PATIENCE", "15"))
"""Seconds between asking the command to end and killing it."""
POLL = 0.1


def main() -> int:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda caught, _: stopping.append(caught))
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # descendants that lose their parent become ours, and can be found
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_watchdog)
    # Polled rather than PR_SET_PDEATHSIG of our own, which fires when the parent's *thread* ends.
    while child.poll() is None and os.getppid() == parent and not stopping:
        time.sleep(POLL)
    end(child)
    return child.returncode or 0


def die_with_watchdog() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(child: subprocess.Popen[bytes]) -> None:
    signal_group(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and (child.poll() is None or descendants()):
        time.sleep(POLL)
        reap(child)
    signal_group(child.pid, signal.SIGKILL)
    child.wait()
    while remaining := descendants():
        for pid in remaining:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap(child)
        time.sleep(0.01)


def signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def descendants() -> list[int]:
    """Our children, adopted ones included; empty where the kernel does not list them."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def reap(child: subprocess.Popen[bytes]) -> None:
    """Collect adopted children that have ended; the child itself is left to Popen."""
    child.poll()
    for pid in descendants():
        if pid != child.pid:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
