"""Ray clusters on this machine: raylets of one processor each, which join, leave and are killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile

from tests.engines.waiting import wait_for


class Cluster:
    """A head node; others join and leave."""

    def __init__(self, environment: dict[str, str], folder: str) -> None:
        environment = {name: value for name, value in environment.items() if name != "CUDA_VISIBLE_DEVICES"}
        self.environment = {**environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        self.address = f"{socket.gethostbyname(socket.gethostname())}:{free_port()}"
        self._nodes: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        self._start(self.environment, "--head", "--port", port, "--include-dashboard=false", "--temp-dir", folder)

    def join(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """A further node."""
        return self._start({**self.environment, **environment}, "--address", self.address, *words)

    def close(self) -> None:
        """End all nodes, and nothing else."""
        for node in reversed(self._nodes):
            end(node)

    def _start(self, environment: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *words]
        small = ["--object-store-memory=80000000", "--disable-usage-stats"]
        with tempfile.TemporaryFile() as said:
            node = subprocess.Popen(
                [*command, *small], env=environment, start_new_session=True, stdout=said, stderr=said
            )
            self._nodes.append(node)
            wait_for(lambda: b"Ray runtime started" in os.pread(said.fileno(), 1 << 20, 0) or node.poll() is not None)
            assert node.poll() is None, os.pread(said.fileno(), 1 << 20, 0).decode()
        return node


def end(node: subprocess.Popen[bytes]) -> None:
    """Kill a node with everything that runs on it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()


def free_port() -> int:
    """Below the ports that Ray gives its workers."""
    for port in range(6400 + os.getpid() % 1000, 9999):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")
