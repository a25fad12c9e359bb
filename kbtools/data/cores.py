"""How many processors this process may use."""

from __future__ import annotations

import os
import sys


def usable_cores() -> int:
    """Those that it is not kept from, as a container or a scheduler does; where no system says so, all of them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
