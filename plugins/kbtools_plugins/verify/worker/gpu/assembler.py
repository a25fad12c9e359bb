"""Starts ptxas for a process that may start nothing itself: one that was forked before any foreign code ran there.

The reference that is timed is compiled while its own Python is around. That process asks this one, which takes no other
program than ptxas and is held by Landlock and rlimits as the process was that it was forked from.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import triton.backends.nvidia.compiler as nvidia
from triton import knobs

_MOST_TEXT = 2**16
"""Bytes of a request, and of what is said to it."""


class Assembler:
    """The asking side, made before anything foreign is there."""

    def __init__(self) -> None:
        tools = [knobs.nvidia.ptxas.path, knobs.nvidia.ptxas_blackwell.path]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if not os.fork():
            ours.close()
            try:
                _serve(theirs, tools)
            finally:
                os._exit(0)
        theirs.close()
        self._channel = ours

    def install(self) -> None:
        """From now on Triton's compiler asks instead of starting programs."""
        nvidia.subprocess = SimpleNamespace(
            run=self.run, check_output=self.check_output, CalledProcessError=subprocess.CalledProcessError
        )

    def run(self, command: list[str], *, check: bool, close_fds: bool = True, stderr: IO[Any] | None = None) -> None:
        """As subprocess.run; CalledProcessError where the program fails or is not one that may be started."""
        status, said = self._ask(command)
        if stderr is not None:
            os.write(stderr.fileno(), said)
        if check and status:
            raise subprocess.CalledProcessError(status, command, said)

    def check_output(self, command: list[str]) -> bytes:
        """As subprocess.check_output."""
        status, said = self._ask(command)
        if status:
            raise subprocess.CalledProcessError(status, command, said)
        return said

    def _ask(self, command: list[str]) -> tuple[int, bytes]:
        self._channel.send(json.dumps([str(Path.cwd()), *command]).encode())
        answer = self._channel.recv(_MOST_TEXT + 16)
        status, _, said = answer.partition(b" ")
        return int(status or b"127"), said


def _serve(channel: socket.socket, tools: list[str]) -> None:
    """Answer each request with the exit status and what was said, until the asking side is gone."""
    while request := channel.recv(_MOST_TEXT):
        folder, program, *arguments = json.loads(request)
        if program not in tools:
            channel.send(b"126 not a program that may be started")
            continue
        done = subprocess.run(
            [program, *arguments],
            cwd=Path(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        channel.send(b"%d %s" % (done.returncode, done.stdout[:_MOST_TEXT]))
