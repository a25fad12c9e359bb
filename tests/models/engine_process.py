"""A process that runs numbered requests: `python -m tests.models.engine_process URL STORE COUNT IN_FLIGHT [batch]`.

Prints its counters as JSON; says on stderr when it waits for the last calls, and exits with 130 when interrupted.
"""

import json
import sys

from kbtools.models import Interrupted, Options, Progress, ResponseStore, chat, run_requests
from kbtools.models.backends.batch import BatchBackend
from kbtools.models.backends.http import HttpBackend


def main(url: str, path: str, count: str, in_flight: str, how: str = "") -> None:
    requests = (chat("test-model", [{"role": "user", "content": f"row {i}"}]) for i in range(int(count)))
    options = Options(max_in_flight=int(in_flight), timeout=20, backoff=0.05)
    server = HttpBackend(url, "test-model")
    backend = BatchBackend(server, poll=0.1) if how == "batch" else server
    with ResponseStore(path) as store:
        try:
            progress = run_requests(requests, backend, store, options, Listener())
        except Interrupted as interrupted:
            say(interrupted.progress)
            sys.exit(130)
    say(progress)


class Listener:
    """Says once that no new call begins."""

    told = False

    def __call__(self, progress: Progress) -> None:
        if progress.draining and not self.told:
            self.told = True
            sys.stderr.write("draining\n")
            sys.stderr.flush()


def say(progress: Progress) -> None:
    sys.stdout.write(json.dumps({name: getattr(progress, name) for name in ("done", "sent", "from_store")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
