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
from kbtools_plugins.verify.verdict import Verification

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

    def get(self, key: str) -> Verification | None:
        """The verdict kept under a key."""
        with self._lock:
            row = self._connection.execute("SELECT verdict FROM verdicts WHERE key = ?", [key]).fetchone()
        return Verification.model_validate_json(row[0]) if row else None

    def put(self, key: str, verdict: Verification, *, told: bool = False) -> None:
        """Keep a verdict, unless chance had a part in it and nobody was `told` of it."""
        if told or verdict.verdict not in _NOT_KEPT:
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

    The seed counts too, though the fingerprint that comes with a verdict keeps it secret. `shared` is the fingerprint
    of where the pair is checked, if that is not here.
    """
    known = repr(sorted((fingerprint(settings) if shared is None else shared).items()))
    parts = [reference, candidate, entry_point or "", known, repr(settings.seed), _source_digest()]
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _source_digest() -> str:
    return source_digest(Path(__file__).parent)


def source_digest(folder: Path) -> str:
    """Digest of every module below a folder, with its place there: an edit anywhere makes other verdicts possible."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        for part in (file.relative_to(folder).as_posix().encode(), file.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
