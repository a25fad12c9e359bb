"""Commands that must not outlive kbtools: started under `watchdog`, with their output in a log file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kbtools.errors import MissingExtra
from kbtools.models.backends import watchdog

TAIL = 4000
LINE = 160


class Supervised:
    """A running command and its log."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        descriptor, name = tempfile.mkstemp(prefix="kbtools-", suffix=".log")
        self.log = Path(name)
        with os.fdopen(descriptor, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(Path(watchdog.__file__)), str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # Ctrl-C in the terminal is kbtools' to handle
            )

    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """The end of the log."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL))
            return file.read().decode("utf-8", "backslashreplace").strip()

    def last_line(self) -> str:
        """The last line of the log that says something; of a progress bar, its last state. Empty without a log."""
        if not self.log.exists():
            return ""
        lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.tail()))
        return lines[-1].strip()[:LINE]

    def stop(self) -> None:
        """End the command and its descendants, and wait until they are gone."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(watchdog.PATIENCE + 15)


def vllm_command() -> str:
    """The path of `vllm`; MissingExtra if there is none."""
    beside = Path(sys.executable).with_name("vllm")
    found = shutil.which("vllm") or (str(beside) if beside.exists() else None)
    if found is None:
        raise MissingExtra("vllm", "running a model with vLLM")
    return found
