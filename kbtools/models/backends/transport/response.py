"""What a call over HTTP comes to, whichever way it went: a whole response, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

MOST_BODY = 2**28
"""Bytes of a body, unpacked; a reply has no more, but a packed one can be made to fill the memory."""


class Lost(Enum):
    """How a call ended that has no whole response."""

    TIMEOUT = "no complete answer in time"
    UNREACHED = "no connection"
    UNTRUSTED = "no trust in the other side's certificate"
    BROKE = "a connection that broke, or an answer that cannot be read"


class NoResponse(Exception):
    """A call to which no whole response came."""

    def __init__(self, lost: Lost, words: str, proxy_status: int = 0) -> None:
        super().__init__(words)
        self.lost = lost
        self.proxy_status = proxy_status
        """HTTP status with which a proxy refused to connect; 0 if none did."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Names of headers are in small letters; of several with one name the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes
