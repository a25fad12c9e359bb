"""The program of a local worker: say who it is, then answer jobs line by line until the driver has gone.

What stages print goes to stderr: the pipe of the answers is for answers alone.
"""

from __future__ import annotations

import os
import queue
import sys
import tempfile
import threading

from kbtools.engines import versions
from kbtools.engines.job import Job, perform

_number = 0


def number() -> int:
    """Which of the workers of its host this is, from 0."""
    return _number


def call_yourself(value: int) -> None:
    """Say which of the workers of its host this is."""
    global _number
    _number = value


def keep_to_this_node() -> None:
    """Let what `datasets` writes stay on this machine: `KBTOOLS_NODE_CACHE`, else below its temporary files."""
    folder = os.environ.get("KBTOOLS_NODE_CACHE") or f"{tempfile.gettempdir()}/kbtools-{os.getuid()}"
    os.environ["HF_DATASETS_CACHE"] = folder  # read when `datasets` is imported, which comes later


def main() -> None:
    """Work until the pipe that jobs come from is closed."""
    call_yourself(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=[jobs], daemon=True).start()
    print(versions.here().model_dump_json(), file=answers, flush=True)
    while True:
        answer = perform(Job.model_validate_json(jobs.get()))
        print(answer.model_dump_json(), file=answers, flush=True)


def _read(jobs: queue.SimpleQueue[str]) -> None:
    """Pass jobs on; when the driver has gone, nobody wants the one that is under way."""
    for line in sys.stdin.buffer:
        jobs.put(line.decode())
    os._exit(1)


if __name__ == "__main__":
    main()
