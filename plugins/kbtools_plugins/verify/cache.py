"""Verdicts that are kept: one SQLite file, keyed by all that a verdict depends on, so that no pair is checked twice."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kbtools.errors import ConfigError
from kbtools_plugins.verify.fingerprint import fingerprint
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verdict

_SCHEMA = "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, verdict TEXT NOT NULL) WITHOUT ROWID"
_NOT_KEPT = ("timeout", "unsupported:killed")
"""Verdicts that another run, on a machine less busy, may change."""


def default_path() -> Path:
    """`KBTOOLS_VERDICTS`, else `kbtools/verdicts.sqlite` in the user's data directory."""
    if path := os.environ.get("KBTOOLS_VERDICTS"):
        return Path(path).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "kbtools" / "verdicts.sqlite"


class VerdictStore:
    """Verdicts by key; safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"The store of verdicts {path} cannot be used: {error}. Set KBTOOLS_VERDICTS to another file."
            ) from error

    def get(self, key: str) -> Verdict | None:
        """The verdict kept under a key."""
        with self._lock:
            row = self._connection.execute("SELECT verdict FROM verdicts WHERE key = ?", [key]).fetchone()
        return Verdict.model_validate_json(row[0]) if row else None

    def put(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict, unless chance had a part in it."""
        if verdict.verdict not in _NOT_KEPT:
            with self._lock:
                self._connection.execute(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?)", [key, verdict.model_dump_json()]
                )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def key_of(
    reference: str,
    candidate: str,
    entry_point: str | None,
    settings: VerifySettings,
    shared: Mapping[str, str] | None = None,
) -> str:
    """Digest of both texts, the settings, the versions and the source of this package.

    `shared` is the fingerprint of where the pair is checked, if that is not here.
    """
    found = fingerprint(settings) if shared is None else shared
    parts = [reference, candidate, entry_point or "", repr(sorted(found.items())), _source_digest()]
    return hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


@cache
def _source_digest() -> str:
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
