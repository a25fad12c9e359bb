"""Does `serve-verify` lose an answer, change one, or send a reference, while its workers and itself are killed?

Run as `python -m benchmarks.serve_verify --candidates 1000`. 64 clients ask about different candidates through a relay
that keeps every byte: the sample's rollouts, which are checked in full, and the same with a small change. Of twenty
changed ones, one runs until its use of ctypes is met, the others are decided by reading. A worker is killed every 5 s,
if there was an answer since (where a worker takes longer to start, there would never be one), the server twice, and
every question is asked twice.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from benchmarks.machine import write
from kbtools.data.tasks import tasks_of
from kbtools.verify_client import VerifyClient
from tests.servers.recorder import Recorder

CLIENTS, SERVER_KILLS, WORKERS = 64, 2, "8"
FORBIDDEN = 20
"""Among so many changed candidates is one that has to be run."""
SHORTEST = 12
"""Lines of a reference below this many characters may be in anybody's code."""


class Server:
    """The server's process, killed and started again on the port that it first had."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port, self.kills, self.worker_kills = folder, 0, 0, 0
        self.start()

    def start(self) -> None:
        """Until it says where it listens."""
        words = ["serve-verify", "--dataset", "sample", "--tier", "cpu", "--port", str(self.port), "--workers", WORKERS]
        environment = os.environ | {"KBTOOLS_VERDICTS": str(self._folder / "verdicts.sqlite")}
        program = [sys.executable, "-c", "from kbtools.cli import main; main()"]
        self.process = subprocess.Popen([*program, *words], env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        found = re.search(r"http://[\d.]+:(\d+)", self.process.stdout.readline())
        assert found, "the server did not start"
        self.port = int(found[1])

    def kill(self) -> None:
        """Kill -9 and start again."""
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def kill_a_worker(self) -> None:
        """One of the processes that run kernels, any of them."""
        found = list(workers_below(self.process.pid))
        if found:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(random.choice(found), signal.SIGKILL)
                self.worker_kills += 1


def workers_below(pid: int) -> Iterator[int]:
    """The processes that run kernels, whichever thread has started them."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended, or the child
            for child in children.read_text().split():
                if b"zygote" in Path(f"/proc/{child}/cmdline").read_bytes():
                    yield int(child)


def main() -> None:
    """All questions, and what became of them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--candidates", type=int, default=1000)
    options.add_argument("--every", type=float, default=5.0, help="Seconds between two kills of a worker.")
    given = options.parse_args()
    questions, secret = candidates(given.candidates)
    unchanged = sum("# change" not in text for _, text in questions)
    server = Server(Path(tempfile.mkdtemp(prefix="kbtools-serve-")))
    began = time.monotonic()
    try:
        with Recorder(lambda: server.port) as relay:
            answers, verdicts = asked(server, relay.url, questions, given.every)
            sent = bytes(relay.sent)
    finally:
        server.process.kill()
    text = sent.decode(errors="replace")
    leaked = [line for line in secret if line in text or json.dumps(line)[1:-1] in text]
    figures = {
        "candidates": len(questions),
        "rollouts of the sample": unchanged,
        "answered": sum(bool(found) for found in answers.values()),
        "answered differently": sum(len(found) > 1 for found in answers.values()),
        "verdicts": dict(Counter(verdicts.values()).most_common()),
        "workers": int(WORKERS),
        "seconds between kills at least": given.every,
        "workers killed": server.worker_kills,
        "server killed": server.kills,
        "bytes sent": len(sent),
        "lines of references sent": len(leaked),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(figures, indent=1))
    print(leaked[:3], write("serve_verify", figures))


def candidates(count: int) -> tuple[list[tuple[str, str]], list[str]]:
    """Task and text of different candidates, and the lines of the references that are in none of them."""
    import kbtools as kb

    rows = kb.load("sample")
    names = {task.reference: name for name, task in tasks_of(rows, "module_name").items()}
    texts = [(names[row["info"]["python_code"]], str(row["completion"][-1]["content"])) for row in rows]
    texts = list(dict.fromkeys(texts))[:count]
    usable = [(task, text) for task, text in texts if "import torch\n" in text]
    asked = texts + [
        (task, changed(text, number))
        for number, (task, text) in zip(range(count - len(texts)), itertools.cycle(usable), strict=False)
    ]
    own = "\n".join(text for _, text in texts)
    lines = {line.strip() for row in rows for line in row["info"]["python_code"].splitlines()}
    return asked, sorted(line for line in lines if len(line) >= SHORTEST and line not in own)


def changed(text: str, number: int) -> str:
    """The same answer with one line more, which cannot be parsed or must not be run."""
    line = (
        f"import ctypes; ctypes.CDLL(None)  # change {number}"
        if number % FORBIDDEN == 0
        else f"print({number}  # change"
    )
    return text.replace("import torch\n", f"import torch\n{line}\n", 1)


def asked(
    server: Server, url: str, questions: list[tuple[str, str]], every: float
) -> tuple[dict[int, set[str]], dict[int, str]]:
    """All different answers to each question, which is asked twice, and its verdict."""
    answers: dict[int, set[str]] = {number: set() for number in range(len(questions))}
    verdicts: dict[int, str] = {}
    ended = threading.Event()

    def ask(number: int) -> None:
        task, text = questions[number % len(questions)]
        found = VerifyClient(url, patience=3000).verify(task, text)
        answers[number % len(questions)].add(found.model_dump_json())
        verdicts[number % len(questions)] = found.verdict

    def kill_workers() -> None:
        before = 0
        while not ended.wait(every):
            if (now := sum(it.done() for it in waiting)) > before:
                before = now
                server.kill_a_worker()

    waiting: list[Future[None]] = []
    killer = threading.Thread(target=kill_workers)
    killer.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            waiting += [pool.submit(ask, number) for number in range(2 * len(questions))]
            for part in range(1, SERVER_KILLS + 1):
                while sum(it.done() for it in waiting) < part * len(waiting) // (SERVER_KILLS + 2):
                    time.sleep(0.05)
                server.kill()
            for it in waiting:
                it.result()
    finally:
        ended.set()
        killer.join()
    return answers, verdicts


if __name__ == "__main__":
    main()
