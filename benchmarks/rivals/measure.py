"""One run of one client: a fresh server, a fresh process with fresh caches, its figures and its peak memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rivals.runner import Job

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WATCH_EVERY = 0.1
QUIET = {
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "DATA_DESIGNER_DISABLE_VERSION_CHECK": "1",
    "DISTILABEL_LOG_LEVEL": "WARNING",
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NEMO_TELEMETRY_ENABLED": "false",
    "TELEMETRY_ENABLED": "false",
}
"""No telemetry, no look at the network, no progress bars, in the words of each tool."""


@dataclass(frozen=True)
class Client:
    """Who asks: the name of its `with_*` module and the interpreter that runs it.

    `before` is a checkout of another version of this project, which then asks in the place of this one.
    """

    name: str
    python: str = sys.executable
    before: Path | None = None

    @property
    def module(self) -> str:
        return f"benchmarks.rivals.with_{'kbtools' if self.before else self.name}"


@contextmanager
def server(delay: float) -> Iterator[str]:
    """The URL of a server that answers after `delay` seconds."""
    command = [sys.executable, str(HERE / "server.py"), "--delay", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def stats(url: str) -> dict[str, Any]:
    """What the server has seen."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats", timeout=60) as reply:
        seen: dict[str, Any] = json.load(reply)
        return seen


def measure(client: Client, files: dict[str, Any], count: int, in_flight: int, delay: float, limit: float) -> dict:
    """Figures of one run; `error` says why there are none, `rows_per_second` is of the call alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, server(delay) as url:
        folder = Path(name)
        (folder / "work").mkdir()
        job = Job(**files, url=url, in_flight=in_flight, folder=str(folder / "work"))
        (folder / "job.json").write_text(json.dumps(asdict(job)))
        ended = _run(client, folder, limit)
        seen = stats(url)
        same = _same_messages(seen.pop("first"), Path(job.rows))
        result = folder / "result.json"
        figures = json.loads(result.read_text()) if result.exists() else {}
    found = {"client": client.name, "rows": count, "in_flight": in_flight, **ended, **figures}
    if "seconds" in figures:
        found["rows_per_second"] = round(figures["kept"] / figures["seconds"], 1)
        found["complete"] = figures["kept"] == count
    return {**found, "server": {**seen, "same_messages": same}}


def _run(client: Client, folder: Path, limit: float) -> dict[str, Any]:
    """Run the client's script; how long, how much memory, and why it failed."""
    command = [client.python, "-m", client.module, str(folder / "job.json"), str(folder / "result.json")]
    with (folder / "output.txt").open("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder, client.before or ROOT),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        with watched(process.pid) as peak:
            try:
                code = process.wait(limit)
                error = "" if code == 0 else f"exit code {code}"
            except subprocess.TimeoutExpired:
                error = f"not done within {limit:g} s"
        with suppress(ProcessLookupError):  # all of its processes, those that outlive it too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        seconds = round(time.perf_counter() - began, 2)
        output.seek(0)
        ended = {"process_seconds": seconds, **peak}
        return {**ended, "error": error, "output": output.read()[-2000:]} if error else ended


def _environment(folder: Path, root: Path) -> dict[str, str]:
    """Little more than PATH: home, caches and temporary files are the run's own."""
    own = {"HOME": str(folder), "TMPDIR": str(folder), "HF_HOME": str(folder / "hf")}
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    scripts = {"PYTHONPATH": os.pathsep.join([str(root), str(root / "plugins")])}
    return {**path, **own, **QUIET, **scripts}


def _same_messages(first: dict[str, Any] | None, rows: Path) -> bool:
    """Whether the first request held the very messages of its row."""
    if first is None:
        return False
    sent = [{"role": turn["role"], "content": _text(turn["content"])} for turn in first["messages"]]
    with rows.open() as lines:
        return any(json.loads(line)["messages"] == sent for line in lines)


def _text(content: str | list[dict[str, str]]) -> str:
    """A turn's text, which may be sent in parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@contextmanager
def watched(pid: int) -> Iterator[dict[str, int]]:
    """Peaks over a process and its children, looked at every tenth of a second, in MiB."""
    peak = {"peak_rss_mib": 0, "peak_anonymous_mib": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_EVERY):
            sizes = [_sizes(each) for each in _family(pid)]
            for index, name in enumerate(peak):
                peak[name] = max(peak[name], sum(size[index] for size in sizes) // 1024)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        with suppress(OSError):  # it has ended
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found


def _sizes(pid: int) -> tuple[int, int]:
    """Resident and anonymous KiB of a process, 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    held = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return tuple(int(held.get(name, "0 kB").split()[0]) for name in ("VmRSS", "RssAnon"))  # type: ignore[return-value]
