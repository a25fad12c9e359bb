"""The GPUs of this machine as the caller sees them: what they are, and the locks that leave one to those who time.

What torch says of them is asked of a process of its own, once: the caller never starts a CUDA context, so whoever
calls may fork. The locks are files in the temporary folder, shared by all runs of all users of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_DRIVER = Path("/dev/nvidiactl")
_ASK_SECONDS = 120
_ASK = """
import json, torch
torch.cuda.init()
torch.zeros(1, device="cuda")
found = []
for number in range(torch.cuda.device_count()):
    device = torch.cuda.get_device_properties(number)
    found.append({"name": device.name, "capability": device.major * 10 + device.minor,
                  "identity": str(getattr(device, "uuid", number))})
print(json.dumps(found))
"""


class Device(BaseModel):
    """One GPU that torch can use."""

    model_config = ConfigDict(frozen=True)

    name: str
    capability: int
    """90 for sm_90."""
    identity: str
    """The same in all processes, whatever CUDA_VISIBLE_DEVICES says."""


@cache
def found() -> tuple[tuple[Device, ...], str]:
    """The devices in torch's order, or none and why."""
    if not _DRIVER.exists():
        return (), "this machine has no NVIDIA device"
    try:
        asked = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_ASK_SECONDS)
    except subprocess.TimeoutExpired:
        return (), f"CUDA did not start in {_ASK_SECONDS} s"
    if asked.returncode:
        return (), f"torch cannot use its NVIDIA device: {asked.stderr.strip().rpartition(chr(10))[2]}"
    return tuple(Device(**device) for device in json.loads(asked.stdout)), ""


def visible(number: int) -> str:
    """What CUDA_VISIBLE_DEVICES must be for a process to see the device of this number alone."""
    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return given[number] if given else str(number)


@contextlib.contextmanager
def lock(device: Device, folder: Path | None = None, *, alone: bool = False) -> Iterator[None]:
    """Hold the device across all processes of this machine: with others, or `alone`.

    Who waits to be alone stands at the door, so that those who come later do not keep it waiting.
    """
    import fcntl  # Unix only, as GPUs are here

    name = f"kbtools-gpu-{re.sub('[^A-Za-z0-9]+', '-', device.identity)}"
    place = folder or Path(tempfile.gettempdir())
    descriptor, door = _open(place / f"{name}.lock"), _open(place / f"{name}.door")
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
    finally:
        os.close(door)
        os.close(descriptor)


def _open(path: Path) -> int:
    """A file that other users may have made: Linux lets nobody create it anew in a folder that is everybody's."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    mask = os.umask(0)
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    finally:
        os.umask(mask)
