"""Messages between the caller and its processes: plain values and bytes, length-framed and signed; no pickles.

A message is a tree of None, bool, int, float, str, bytes, list and dict with string keys. Bytes travel beside the
JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, TypeAlias

Tree: TypeAlias = Any
"""None | bool | int | float | str | bytes | list[Tree] | dict[str, Tree]; recursive aliases help nobody here."""

MAX_MESSAGE = 2**30
_LENGTHS = struct.Struct("<QQ")
_DIGEST_BYTES = 32
_CHUNK = 2**20


class WireError(Exception):
    """What came over the channel is not a message: cut off, too long, or not signed with the job's key."""


@dataclass(frozen=True)
class Talk:
    """The job's end of its channel."""

    channel: socket.socket
    key: bytes

    def send(self, tree: Tree) -> None:
        """Tell the caller something; the last thing said is the reply."""
        send(self.channel, tree, self.key)

    def receive(self) -> Tree:
        """Wait for what the caller answers."""
        return receive(self.channel, self.key)


def send(channel: socket.socket, tree: Tree, key: bytes) -> None:
    """Write one message signed with `key`."""
    beside = _Beside()
    head = json.dumps(tree, separators=(",", ":"), default=beside.place).encode()
    body = b"".join([struct.pack("<I", len(head)), head, *beside.blobs])
    channel.sendall(_LENGTHS.pack(len(body), len(beside.blobs)) + hmac.digest(key, body, hashlib.sha256) + body)


def receive(channel: socket.socket, key: bytes, deadline: float | None = None) -> Tree:
    """Read one message; EOFError if the channel closed before its first byte.

    TimeoutError if it is not all there at the deadline (by time.monotonic): a limit for each `recv` alone would start
    anew with every byte that drips in.
    """
    first = _some(channel, 1, deadline)
    if not first:
        raise EOFError("the process ended without a message")
    length, _ = _LENGTHS.unpack(first + _exactly(channel, _LENGTHS.size - 1, deadline))
    if length > MAX_MESSAGE:
        raise WireError(f"a message of {length} bytes")
    digest, body = _exactly(channel, _DIGEST_BYTES, deadline), _exactly(channel, length, deadline)
    if not hmac.compare_digest(digest, hmac.digest(key, body, hashlib.sha256)):
        raise WireError("a message with a wrong signature")
    try:
        (head_length,) = struct.unpack_from("<I", body)
        head_end = 4 + head_length
        return _read(body[4:head_end], memoryview(body)[head_end:])
    except (ValueError, TypeError, RecursionError, struct.error) as error:
        raise WireError(f"a message that cannot be read: {error}") from None


def _exactly(channel: socket.socket, count: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while count:
        part = _some(channel, min(count, _CHUNK), deadline)
        if not part:
            raise WireError("a message that was cut off")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _some(channel: socket.socket, most: int, deadline: float | None) -> bytes:
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the message was not complete in time")
        channel.settimeout(left)
    return channel.recv(most)


class _Beside:
    """Bytes that travel behind the JSON, which names their places."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self._length = 0

    def place(self, value: object) -> dict[str, list[int]]:
        """What stands for bytes in the JSON; TypeError for what no message holds."""
        if not isinstance(value, bytes):
            raise TypeError(f"a {type(value).__name__} in a message")
        start = self._length
        self.blobs.append(value)
        self._length += len(value)
        return {"$bytes": [start, len(value)]}


def _read(head: bytes, blobs: memoryview) -> Tree:
    def taken(found: dict[str, Tree]) -> Tree:
        if "$bytes" in found:
            start, length = found["$bytes"]
            return bytes(blobs[start : start + length])
        return found

    tree = json.loads(head, object_hook=taken)
    return tree if head.isascii() and b"\\u" not in head else _printable(tree)


def _printable(tree: Tree) -> Tree:
    """The tree with all its texts printable."""
    if isinstance(tree, dict):
        return {name: _printable(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_printable(value) for value in tree]
    return printable(tree) if isinstance(tree, str) else tree


def printable(text: str) -> str:
    """The text with halves of surrogate pairs written out: nothing could encode them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
