"""Claims on keys, so that two processes with one store do not send the same request at once.

A claim ends when its reply is stored, when its owner gives it up, when its lease runs out, or when its owner
is seen to be dead. All functions work inside the caller's write transaction.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

LEASE = 120.0
RENEW_EVERY = 30.0


def new_owner() -> str:
    """A name for this run that other processes can check for life: place, process id, start, nonce."""
    pid = os.getpid()
    return f"{_place()}|{pid}|{_start_of(pid)}|{uuid.uuid4().hex[:12]}"


def claim(connection: sqlite3.Connection, owner: str, seen: Mapping[str, float | None]) -> set[str]:
    """Claim keys and return those granted.

    `seen` holds for each key the time of the stored reply that made the caller want the key (None: no reply);
    a key whose reply changed since then is not granted, the caller looks again.
    """
    marks = ",".join("?" * len(seen))
    stored = dict(connection.execute(f"SELECT key, stored FROM replies WHERE key IN ({marks})", [*seen]))
    held = {
        key: (holder, expires)
        for key, holder, expires in connection.execute(f"SELECT * FROM claims WHERE key IN ({marks})", [*seen])
    }
    now = time.time()
    living = {holder: is_alive(holder) for holder in {holder for holder, _ in held.values()}}
    granted = {
        key
        for key, known in seen.items()
        if stored.get(key) == known and not (key in held and held[key][1] > now and living[held[key][0]])
    }
    if granted:  # in one statement: each gives up the interpreter lock, and a busy event loop keeps it for milliseconds
        values = [value for key in granted for value in (key, owner, now + LEASE)]
        rows = ",".join(["(?, ?, ?)"] * len(granted))
        connection.execute(f"INSERT OR REPLACE INTO claims VALUES {rows}", values)
    return granted


def renew(connection: sqlite3.Connection, owner: str) -> None:
    connection.execute("UPDATE claims SET expires = ? WHERE owner = ?", (time.time() + LEASE, owner))


def release(connection: sqlite3.Connection, keys: Iterable[str], owner: str) -> None:
    connection.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", [(key, owner) for key in keys])


def release_all(connection: sqlite3.Connection, owner: str) -> None:
    connection.execute("DELETE FROM claims WHERE owner = ?", (owner,))


def release_dead(connection: sqlite3.Connection) -> int:
    """Remove claims that no longer hold anybody back; returns how many."""
    owners = [row[0] for row in connection.execute("SELECT DISTINCT owner FROM claims")]
    removed = connection.execute("DELETE FROM claims WHERE expires < ?", (time.time(),)).rowcount
    for owner in owners:
        if not is_alive(owner):
            removed += connection.execute("DELETE FROM claims WHERE owner = ?", (owner,)).rowcount
    return removed


def is_alive(owner: str) -> bool:
    """False only if the owner ran in this very place and is gone; elsewhere the lease alone decides."""
    place, pid, start, _ = owner.split("|")
    if place != _place():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _start_of(int(pid)) == start


def _place() -> str:
    """Machine, boot and process-id namespace: inside it, a process id means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{os.uname().nodename}:{boot}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename


def _start_of(pid: int) -> str:
    """Start time of a process in clock ticks, so that a reused id is not taken for its former owner."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
