"""Checks pairs one at a time for a benchmark: a line of JSON in, a line of JSON out, with all processor time it took.

Run with PYTHONPATH at a checkout's plugins, it is that checkout's version that checks.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from kbtools_plugins.verify import VerifySettings, verify
from kbtools_plugins.verify.host.processes import WarmPair

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """Of this process, those below it and all that they have ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + sum(map(_used, _children("self")))


def _used(pid: str) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, fields)) / _TICKS + sum(map(_used, _children(pid)))
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0


def _children(pid: str) -> list[str]:
    return [child for task in Path("/proc", pid, "task").iterdir() for child in (task / "children").read_text().split()]


def main() -> None:
    """Answer until there are no more lines."""
    warm = WarmPair()
    warm.wait_until_ready()
    for line in sys.stdin:
        asked = json.loads(line)
        began = processor_seconds()
        settings = VerifySettings(tier=asked["tier"])
        found = verify(asked["reference"], asked["candidate"], settings=settings, processes=warm)
        answer = {"verdict": found.verdict, "seconds": found.seconds, "processor": processor_seconds() - began}
        print(json.dumps(answer), flush=True)
    warm.close()


if __name__ == "__main__":
    main()
