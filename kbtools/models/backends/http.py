"""The backend for OpenAI-compatible servers, on aiohttp: one POST per attempt and no retries of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kbtools.errors import UsageError
from kbtools.models.backend import Send
from kbtools.models.backends.faults import answer_from
from kbtools.models.backends.wire import CHAT, Dialect
from kbtools.models.reply import Answer, Kind
from kbtools.models.request import Request

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class HttpBackend:
    """An OpenAI-compatible server.

    `model` is the identity that goes into keys, `served_as` the name that the server knows (the same if empty).
    `headers` carry the credentials and are shown nowhere; `credentials` says in words where they came from.
    """

    base_url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dialect: Dialect = CHAT
    served_as: str = ""
    credentials: str = "none were configured"

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{self.base_url!r} is no base URL of a server; expected http(s)://HOST[:PORT]/PATH")

    @property
    def endpoint(self) -> str:
        return self.base_url.rstrip("/") + self.dialect.path

    def close(self) -> None:
        """Nothing outlives a run."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Send]:
        """Open a session; the engine limits the calls in flight, so the session does not."""
        async with open_session(self.headers) as session:
            yield partial(self._send, session, proxy_for(self.endpoint))

    async def _send(
        self, session: aiohttp.ClientSession, proxy: str | None, request: Request, timeout: float
    ) -> Answer:
        body = self.dialect.body(request, self.served_as or self.model).encode("ascii")
        answer = await post(session, self.endpoint, body, timeout, proxy)
        if answer.kind in (Kind.AUTH, Kind.QUOTA):
            return self._explained(answer)
        return answer

    def _explained(self, answer: Answer) -> Answer:
        what = "refused the credentials" if answer.kind is Kind.AUTH else "says that the quota is used up"
        error = (
            f"{self.endpoint} {what} ({answer.error}). "
            f"Check the credentials ({self.credentials}), the plan and the permissions of the key"
        )
        return Answer(answer.kind, answer.raw, answer.status, error)


@asynccontextmanager
async def open_session(headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientSession]:
    """An aiohttp session without limits and cookies."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    async with aiohttp.ClientSession(
        connector=connector, headers={"User-Agent": "kbtools", **headers}, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


async def post(session: aiohttp.ClientSession, url: str, body: bytes, timeout: float, proxy: str | None) -> Answer:
    """One POST of JSON; transport errors become answers."""
    import aiohttp

    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=timeout),
            allow_redirects=False,
            proxy=proxy,
        ) as response:
            return answer_from(response.status, response.headers, await response.read())
    except TimeoutError:
        return Answer(Kind.TIMEOUT, error=f"no complete answer within {timeout:g} s", maybe_billed=True)
    except aiohttp.ClientConnectorError as error:
        return Answer(Kind.CONNECTION, error=f"cannot connect to {url}: {error}")
    except (aiohttp.ClientError, OSError) as error:
        return Answer(
            Kind.CONNECTION,
            error=f"connection to {url} broke: {error or type(error).__name__}",
            maybe_billed=True,
        )


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL, looked up once instead of at each call."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
