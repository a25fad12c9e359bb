"""A process that has imported what every client needs, and forks for each command, so that none waits for a start.

Imported beforehand is only what reads nothing of the environment that tests change: `huggingface_hub`, `datasets` and
kbtools itself are imported by each fork, which has the environment, the folder and the words of its command.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    *("aiohttp", "click", "dill", "fsspec.asyn", "httpx", "httpx2", "jinja2", "multiprocess", "numpy", "pandas"),
    *(
        "pluggy",
        "polars",
        "pyarrow.compute",
        "pyarrow.dataset",
        "pyarrow.parquet",
        "pydantic",
        "requests",
        "rich.console",
    ),
    *("tqdm.auto", "yaml"),
)
"""Those of them that are there: which one the Hub's client speaks HTTP with depends on its version."""


class WarmPython:
    """Runs `python -c` commands in forks."""

    def __init__(self) -> None:
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = f"from tests.servers.warm import next_command; exec(next_command({theirs.fileno()}))"
        path = f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def run(
        self, code: str, words: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float
    ) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `python -c CODE WORDS`; TimeoutError after so many seconds."""
        asked = json.dumps([code, list(words), str(folder), dict(environment)]).encode()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._mine.settimeout(limit)
            socket.send_fds(self._mine, [asked], [out.fileno(), err.fileno()])
            pid = int(self._mine.recv(32))
            try:
                ended = int(self._mine.recv(32))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._mine.recv(32)
                raise
            return ended, _text(out.fileno()), _text(err.fileno())

    def stop(self) -> None:
        """End the process."""
        self._mine.close()
        self._process.wait()


def _text(number: int) -> str:
    os.lseek(number, 0, os.SEEK_SET)
    with open(number, encoding="utf-8", closefd=False) as file:
        return file.read()


def next_command(number: int) -> str:
    """Wait for commands; in the fork for one, what it is to run. Ends the process when nobody asks any more."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    asking = socket.socket(fileno=number)
    while True:
        asked, files, _, _ = socket.recv_fds(asking, 1 << 20, 2)
        if not asked:
            sys.exit()
        pid = os.fork()
        if not pid:
            asking.close()
            return _as_asked(asked, files)
        for file in files:
            os.close(file)
        asking.send(str(pid).encode())
        asking.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _as_asked(asked: bytes, files: Sequence[int]) -> str:
    code, words, folder, environment = json.loads(asked)
    for file, standard in zip(files, (1, 2), strict=True):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *words]
    return str(code)
