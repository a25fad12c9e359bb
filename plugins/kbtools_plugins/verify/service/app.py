"""What the network sees of a verification server: questions in, answers out, and never anything of a reference."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from kbtools.data.tasks import Task
from kbtools.verify_client import Answer, Question
from kbtools_plugins.feedback import finding
from kbtools_plugins.verify.host.pair_processes import DeadlinePassed
from kbtools_plugins.verify.pool import Pair
from kbtools_plugins.verify.service.desk import Desk, Full, Undecided
from kbtools_plugins.verify.verdict import Verification

LARGEST_QUESTION = 1 << 20
"""Bytes of a request's body."""


def application(desk: Desk, tasks: Mapping[str, Task], token: str, wait: float) -> web.Application:
    """The routes: `POST /verify`, `GET /tasks`, `GET /health`, `GET /counters`.

    An answer that is not there after `wait` seconds is a 202, and the same question gets it later; by the question's
    own deadline, it is a 504.
    """
    app = web.Application(client_max_size=LARGEST_QUESTION, middlewares=[_guard(token)])
    stopping = asyncio.Event()

    async def verify(request: web.Request) -> web.Response:
        if stopping.is_set():
            return _refused(503, "the server is stopping", 1.0)
        try:
            question = Question.model_validate_json(await request.read())
        except ValidationError as error:
            return _refused(400, f"not a question: {error.errors(include_url=False, include_input=False)}")
        task = tasks.get(question.task)
        if task is None:
            return _refused(404, f"there is no task {question.task!r}; GET /tasks lists them")
        return await _answered(desk, question, task, wait)

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"ok": not stopping.is_set(), "waiting": desk.waiting})

    async def counters(request: web.Request) -> web.Response:
        return web.json_response({**asdict(desk.counters), "waiting": desk.waiting})

    async def listed(request: web.Request) -> web.Response:
        return web.json_response(sorted(tasks))

    async def stop(app: web.Application) -> None:
        stopping.set()
        await desk.drain()

    app.router.add_post("/verify", verify)
    app.router.add_get("/tasks", listed)
    app.router.add_get("/health", health)
    app.router.add_get("/counters", counters)
    app.on_shutdown.append(stop)
    return app


async def _answered(desk: Desk, question: Question, task: Task, wait: float) -> web.Response:
    pair = Pair(task.reference, question.candidate, task.entry_point)
    try:
        asked = desk.ask(pair, question.seconds)
        verdict = await asyncio.wait_for(asyncio.shield(asked), min(wait, question.seconds))
    except Full as full:
        return _refused(429, str(full), full.seconds)
    except (TimeoutError, DeadlinePassed):
        if question.seconds <= wait:
            return _refused(504, f"not decided within the {question.seconds:g} s of the question")
        return _refused(202, "not decided yet; ask the same again", 1.0)
    except Undecided as error:
        return _refused(503, str(error), 5.0)
    return web.json_response(text=_answer(desk.key(pair), question.task, verdict).model_dump_json())


def _answer(key: str, task: str, verdict: Verification) -> Answer:
    return Answer(
        key=key,
        task=task,
        verdict=verdict.verdict,
        reward=verdict.reward,
        finding=finding(verdict.verdict, verdict.error),
        kernels=dict(verdict.kernels),
        max_error=verdict.max_error,
        speedup=verdict.speedup,
    )


def _refused(status: int, error: str, retry_after: float | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": f"{max(1, round(retry_after))}"}
    return web.json_response({"error": error}, status=status, headers=headers)


def _guard(token: str) -> Middleware:
    """Every route but health wants the token, where there is one."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and request.path != "/health" and not hmac.compare_digest(given.encode(), token.encode()):
            return _refused(401, "the token is missing or wrong: send Authorization: Bearer TOKEN")
        return await handler(request)

    return guard
