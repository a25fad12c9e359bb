"""The backend for OpenAI-compatible servers: one POST per attempt and no retries of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlsplit

from kbtools.errors import UsageError
from kbtools.models.backend import Send
from kbtools.models.backends.received import received
from kbtools.models.backends.transport import Lost, NoResponse, Transport, ascii_url, opened, proxy_for
from kbtools.models.backends.wire import CHAT, Dialect
from kbtools.models.kinds import STOPS_RUN, Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request

TLS_ADVICE = (
    "Put the path of a file with the certificate of the server's authority into the environment variable "
    "SSL_CERT_FILE; a server without TLS has an address that begins with http://"
)


_SECRET = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class HttpBackend:
    """An OpenAI-compatible server.

    `model` is the identity that goes into keys, `served_as` the name that the server knows (the same if empty).
    `headers` carry the credentials and are shown nowhere; `credentials` says in words where they came from.
    """

    base_url: str = field(repr=False)
    model: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dialect: Dialect = CHAT
    served_as: str = ""
    credentials: str = "none were configured"
    endpoint: str = field(init=False, repr=False, compare=False)
    """Where requests go, as it is shown and recorded."""

    def __post_init__(self) -> None:
        why = _unusable(self.base_url)
        if why is not None:
            raise UsageError(
                f"{shown(self.base_url)!r} is not a base URL of a server{why}; expected http(s)://HOST[:PORT]/PATH"
            )
        object.__setattr__(self, "endpoint", shown(self.address(self.dialect.path)))

    def address(self, path: str) -> str:
        """The URL of a path of this server, with what must not be shown."""
        base, mark, query = self.base_url.partition("?")
        return f"{base.rstrip('/')}{path}{mark}{query}"

    def speaking(self, dialect: Dialect) -> HttpBackend:
        """The same server, spoken to in another dialect."""
        return replace(self, dialect=dialect)

    def close(self) -> None:
        """Nothing outlives a run."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Send]:
        """Open a transport; the engine limits the calls in flight, so the transport does not."""
        async with opened({"Content-Type": "application/json", **self.headers}) as transport:
            url = self.address(self.dialect.path)
            yield partial(self._send, Post(transport, ascii_url(url), proxy_for(url), self._explained, self._secrets()))

    def _send(self, post: Post, request: Request, timeout: float) -> Awaitable[Answer]:
        return post(self.dialect.body(request, self.served_as or self.model).encode("ascii"), timeout)

    def _secrets(self) -> tuple[bytes, ...]:
        """The keys that go with every request, and that some servers send back in their errors."""
        named = (value for name, value in self.headers.items() if _SECRET.search(name))
        return tuple(value.removeprefix("Bearer ").encode() for value in named if len(value) >= _SHORTEST_SECRET)

    def _explained(self, answer: Answer) -> Answer:
        """The answer with what a user can do about a fault of the endpoint, if it is one."""
        if answer.kind not in STOPS_RUN and answer.kind is not Kind.NOT_FOUND:
            return answer
        match answer.kind:
            case Kind.AUTH | Kind.QUOTA:
                what = "refused the credentials" if answer.kind is Kind.AUTH else "says that the quota is used up"
                error = (
                    f"{self.endpoint} {what} ({answer.error}). "
                    f"Check the credentials ({self.credentials}), the plan and the permissions of the key"
                )
            case Kind.NOT_FOUND:
                error = answer.error + self._address_hint()
            case _:
                error = f"{self.endpoint}: {answer.error}"
        return replace(answer, error=error)

    def _address_hint(self) -> str:
        """What may be wrong with an address at which nothing is."""
        url = shown(self.base_url).rstrip("/")
        for tail in ("/chat/completions", "/completions", "/responses"):
            if url.endswith(tail):
                return f" at {self.endpoint}: give the address without {tail}, {url.removesuffix(tail)}"
        if not re.search(r"/v\d+\w*(/|$)", urlsplit(url).path):
            return f" at {self.endpoint}: the address has no /v1, which most servers want; try {url}/v1"
        return f" at {self.endpoint}"


@dataclass(frozen=True, slots=True)
class Post:
    """POSTs of JSON to one URL; what goes wrong with the transport becomes an answer."""

    transport: Transport
    url: str
    proxy: str | None = None
    explained: Callable[[Answer], Answer] = lambda answer: answer
    """Adds to faults what a user can do about them."""
    secrets: tuple[bytes, ...] = ()
    """What no reply may bring back into errors and records."""

    async def __call__(self, body: bytes, timeout: float) -> Answer:
        try:
            response = await self.transport.call(self.url, body, timeout, self.proxy)
        except NoResponse as problem:
            return self.explained(self._answer(problem, timeout))
        reply = response.body
        for secret in self.secrets:
            reply = reply.replace(secret, b"[key]")
        answer = received(response.status, response.headers, reply)
        return answer if answer.kind is Kind.OK else self.explained(answer)

    def _answer(self, problem: NoResponse, timeout: float) -> Answer:
        if problem.lost is Lost.TIMEOUT:
            return Answer(Kind.TIMEOUT, error=f"no complete answer within {timeout:g} s", maybe_billed=True)
        if problem.lost is Lost.UNTRUSTED:
            return Answer(Kind.TLS, error=f"no trusted connection{self._through()} ({problem}). {TLS_ADVICE}")
        if problem.proxy_status >= 300:
            error = f"the proxy {_bare(self.proxy)} refused with HTTP {problem.proxy_status}"
            return Answer(Kind.CONNECTION, error=error)
        if problem.lost is Lost.UNREACHED:
            return Answer(Kind.CONNECTION, error=f"cannot connect to {shown(self.url)}{self._through()}: {problem}")
        error = f"connection to {shown(self.url)}{self._through()} broke: {problem}"
        return Answer(Kind.CONNECTION, error=error, maybe_billed=True)

    def _through(self) -> str:
        """The proxy, said in errors: its address is else taken for that of the server."""
        return f" through the proxy {_bare(self.proxy)} that the environment names" if self.proxy else ""


def shown(url: str) -> str:
    """The URL as it may be printed and recorded: without a password, and of its query only what says a version."""
    base, mark, query = url.partition("?")
    scheme, slashes, rest = base.partition("://")
    place, slash, path = rest.partition("/")
    pairs = (pair.partition("=") for pair in query.split("&"))
    said = "&".join(f"{name}{sign}{value if 'version' in name else '...'}" for name, sign, value in pairs)
    return f"{scheme}{slashes}{place.rpartition('@')[2]}{slash}{path}{mark}{said if mark else ''}"


def _unusable(url: str) -> str | None:
    """What is wrong with a base URL, as far as there are words for it; None if it can be asked."""
    try:
        parts = urlsplit(ascii_url(url))
    except ValueError as error:
        return f" ({error})"
    return None if parts.scheme in ("http", "https") and parts.hostname else ""


def _bare(proxy: str | None) -> str:
    """The address of a proxy without its credentials."""
    parts = urlsplit(proxy or "")
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.port else f"{parts.scheme}://{parts.hostname}"
