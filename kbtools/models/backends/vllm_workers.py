"""Offline vLLM on the workers of an engine: a model on each GPU, and every reply through the driver, which stores it.

What vLLM is asked and how its outputs are read is in `vllm_offline`; here requests and answers cross to the workers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import takewhile

from pydantic import BaseModel, ConfigDict, TypeAdapter

from kbtools.engines import Crew
from kbtools.models.backend import ChunkRun
from kbtools.models.backends.vllm_offline import VllmBackend
from kbtools.models.reply import Answer
from kbtools.models.request import Request, Terms, request_from_canonical

GENERATE = "kbtools.models.backends.vllm_workers:generate"
REQUESTS = 256
"""Of one job: enough to fill the engine's batches, few enough that a dead worker loses little."""
_ANSWERS = TypeAdapter(dict[str, Answer])


class Asked(BaseModel):
    """A request in its canonical form, which loses the order of fields; so the form of its reply is beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    canonical: str
    shape: str

    @classmethod
    def of(cls, request: Request) -> Asked:
        """The request as texts."""
        return cls(canonical=request.canonical(), shape=json.dumps(request.response_format))

    def request(self) -> Request:
        """The request again, with the same key."""
        held = request_from_canonical(self.canonical)
        return Request(Terms(held.model, held.sampling, json.loads(self.shape)), held.messages, held.sample)


class WorkerOrder(BaseModel):
    """What a worker is told: the model, and what it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    model: str
    options: tuple[str, ...]
    requests: tuple[Asked, ...]


class VllmWorkers:
    """A model on every GPU that the engine has."""

    def __init__(self, path: str, model: str, options: Sequence[str], workers: Crew) -> None:
        self.model = model
        self.endpoint = f"vllm:{model}"
        self._path, self._options, self._workers = path, tuple(options), workers

    @property
    def chunk_size(self) -> int:
        """A job for each worker, and one that waits."""
        return REQUESTS * 2 * self._workers.size("gpu")

    def close(self) -> None:
        """End the workers: the weights fill their GPUs."""
        self._workers.dismiss("gpu")

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """The answers, job by job as they are known; jobs that have begun are waited for when the run is stopping."""
        known = {request.key: request for request in requests}
        parts = (requests[start : start + REQUESTS] for start in range(0, len(requests), REQUESTS))
        told = (self._told(part) for part in takewhile(_until(run.stopping), parts))
        for done in self._workers.work(GENERATE, told, "gpu"):
            for key, answer in _ANSWERS.validate_json(done.text()).items():
                yield known[key], answer

    def _told(self, requests: Sequence[Request]) -> str:
        asked = tuple(Asked.of(request) for request in requests)
        return WorkerOrder(path=self._path, model=self.model, options=self._options, requests=asked).model_dump_json()


def _until(stopping: Callable[[], bool]) -> Callable[[Sequence[Request]], bool]:
    return lambda part: not stopping()


def generate(payload: str) -> str:
    """A worker's part: the answers by the keys of the requests."""
    told = WorkerOrder.model_validate_json(payload)
    requests = [asked.request() for asked in told.requests]
    answers = _model(told.path, told.model, told.options).answers(requests, lambda: False)
    return _ANSWERS.dump_json({request.key: answer for request, answer in answers}).decode()


@cache
def _model(path: str, model: str, options: tuple[str, ...]) -> VllmBackend:
    """The model of this worker, loaded once; it ends with the worker."""
    return VllmBackend(path, model, options)
