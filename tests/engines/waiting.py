"""Waiting for what other processes do."""

from __future__ import annotations

import os
import time

SECONDS = 300
"""Longer than anything here takes on a busy machine."""


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition) -> None:
    """Until it holds; the test fails when it never does."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
