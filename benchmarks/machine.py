"""What figures were taken on, and where they are written: shared by all benchmarks."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and the versions that matter."""
    from kbtools.lineage import versions

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    load = round(os.getloadavg()[0], 1)
    shown = {"cpu": names[0] if names else platform.processor(), "cpus": os.cpu_count(), "memory_gib": memory}
    return {**shown, "load_at_end": load, "os": platform.platform(), **versions()}


def write(name: str, data: dict[str, Any]) -> Path:
    """Write figures as results/NAME.json, beside the description of the machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **data}, indent=1) + "\n")
    return path
