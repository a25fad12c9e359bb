"""The backend that runs `vllm run-batch` on a file of requests: vLLM's own batch tool, on the machine at hand."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kbtools.errors import ConfigError
from kbtools.models.backend import ChunkRun
from kbtools.models.backends.lines import answers, line_of
from kbtools.models.backends.supervise import Supervised, vllm_command
from kbtools.models.backends.wire import CHAT
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request

POLL = 0.2


class RunBatchBackend:
    """`vllm run-batch --model MODEL OPTIONS...`. Each chunk loads the model anew, so chunks are large."""

    chunk_size = 10_000

    def __init__(self, path: str, model: str, options: Sequence[str] = ()) -> None:
        self.model = model
        self.endpoint = f"run-batch:{model}"
        self._path = path
        self._options = tuple(options)
        self._tool: Supervised | None = None

    def waiting_for(self) -> str:
        """The last line of the tool's log."""
        tool = self._tool
        return f"vllm run-batch {self._path}: {tool.last_line()}" if tool is not None else ""

    def close(self) -> None:
        """Nothing outlives a chunk."""

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """Write the requests, run the tool, read what it wrote."""
        by_key = {request.key: request for request in requests}
        with tempfile.TemporaryDirectory(prefix="kbtools-") as folder:
            source, target = Path(folder) / "requests.jsonl", Path(folder) / "replies.jsonl"
            with source.open("w", encoding="ascii") as file:
                file.writelines(line_of(request, CHAT, self._path) for request in requests)
            self._run(source, target)
            with target.open("rb") as file:
                for key, answer in answers(file):
                    if key in by_key:
                        yield by_key.pop(key), answer
        for request in by_key.values():
            error = f"vllm run-batch {self._path} ended well and wrote no reply to this request that can be read"
            yield request, Answer(Kind.SERVER, error=error)

    def _run(self, source: Path, target: Path) -> None:
        files = ["-i", str(source), "-o", str(target)]
        self._tool = tool = Supervised([vllm_command(), "run-batch", *files, "--model", self._path, *self._options])
        try:
            while tool.ended() is None:
                time.sleep(POLL)
        finally:
            self._tool = None
            tool.stop()
        if tool.ended() != 0 or not target.exists():
            raise ConfigError(
                f"vllm run-batch {self._path} ended with code {tool.ended()}; its log {tool.log} ends:\n{tool.tail()}"
            )
        tool.log.unlink()
