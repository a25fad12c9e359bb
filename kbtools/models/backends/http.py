"""The backend for OpenAI-compatible servers, on aiohttp: one POST per attempt and no retries of its own."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kbtools.errors import UsageError
from kbtools.models.backend import Send
from kbtools.models.backends.received import received
from kbtools.models.backends.wire import CHAT, Dialect
from kbtools.models.kinds import STOPS_RUN, Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request

if TYPE_CHECKING:
    import aiohttp


TLS_ADVICE = (
    "Put the path of a file with the certificate of the server's authority into the environment variable "
    "SSL_CERT_FILE; a server without TLS has an address that begins with http://"
)


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
            raise UsageError(f"{self.base_url!r} is not a base URL of a server; expected http(s)://HOST[:PORT]/PATH")

    @property
    def endpoint(self) -> str:
        return self.base_url.rstrip("/") + self.dialect.path

    def speaking(self, dialect: Dialect) -> HttpBackend:
        """The same server, spoken to in another dialect."""
        return replace(self, dialect=dialect)

    def close(self) -> None:
        """Nothing outlives a run."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Send]:
        """Open a session; the engine limits the calls in flight, so the session does not."""
        async with open_session(self.headers, tls=self.base_url.startswith("https:")) as session:
            yield partial(self._send, session, proxy_for(self.endpoint))

    async def _send(
        self, session: aiohttp.ClientSession, proxy: str | None, request: Request, timeout: float
    ) -> Answer:
        body = self.dialect.body(request, self.served_as or self.model).encode("ascii")
        answer = await post(session, self.endpoint, body, timeout, proxy)
        return self._explained(answer) if answer.kind in STOPS_RUN or answer.kind is Kind.NOT_FOUND else answer

    def _explained(self, answer: Answer) -> Answer:
        """The answer with what a user can do about a fault of the endpoint."""
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
        url = self.base_url.rstrip("/")
        for tail in ("/chat/completions", "/completions", "/responses"):
            if url.endswith(tail):
                return f" at {self.endpoint}: give the address without {tail}, {url.removesuffix(tail)}"
        if not re.search(r"/v\d+\w*(/|$)", urlsplit(url).path):
            return f" at {self.endpoint}: the address has no /v1, which most servers want; try {url}/v1"
        return f" at {self.endpoint}"


@asynccontextmanager
async def open_session(headers: Mapping[str, str], *, tls: bool = False) -> AsyncIterator[aiohttp.ClientSession]:
    """An aiohttp session without limits and cookies."""
    import aiohttp

    # A context of its own: aiohttp's is made at its import, before SSL_CERT_FILE may have been set.
    trusted = ssl.create_default_context() if tls else True
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, ssl=trusted)
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
            return received(response.status, response.headers, await response.read())
    except TimeoutError:
        return Answer(Kind.TIMEOUT, error=f"no complete answer within {timeout:g} s", maybe_billed=True)
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        return Answer(Kind.TLS, error=f"no trusted connection{_through(proxy)} ({error}). {TLS_ADVICE}")
    except aiohttp.ClientHttpProxyError as error:
        return Answer(
            Kind.CONNECTION, error=f"the proxy {_bare(proxy)} refused with HTTP {error.status} ({error.message})"
        )
    except aiohttp.ClientConnectorError as error:
        return Answer(Kind.CONNECTION, error=f"cannot connect to {url}{_through(proxy)}: {error}")
    except (aiohttp.ClientError, OSError) as error:
        return Answer(
            Kind.CONNECTION,
            error=f"connection to {url}{_through(proxy)} broke: {error or type(error).__name__}",
            maybe_billed=True,
        )


def _through(proxy: str | None) -> str:
    """The proxy, said in errors: its address is else taken for that of the server."""
    return f" through the proxy {_bare(proxy)} that the environment names" if proxy else ""


def _bare(proxy: str | None) -> str:
    """The address of a proxy without its credentials."""
    parts = urlsplit(proxy or "")
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.port else f"{parts.scheme}://{parts.hostname}"


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL, looked up once instead of at each call."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
