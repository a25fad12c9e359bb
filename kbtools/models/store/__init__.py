"""The response store: one SQLite file (WAL) that keeps every reply under the key of its request.

It outlives runs and is shared by processes. `responses` reads and writes in the file that `file` opens; `commit` groups
the writes of a running engine; `claims` keeps two processes from sending the same request; `upkeep` and `exchange`
serve people. The journal of the Batch API is in it too, and is kept by `backends.batch`.
"""

from kbtools.models.store.file import SCHEMA_VERSION, StoreDamaged, StoreError, default_path, explained
from kbtools.models.store.responses import (
    CHUNK,
    COLUMNS,
    Assessed,
    ResponseStore,
    State,
    chunks,
    pack,
    put,
    reply_of,
    unpack,
)

__all__ = [
    "CHUNK",
    "COLUMNS",
    "SCHEMA_VERSION",
    "Assessed",
    "ResponseStore",
    "State",
    "StoreDamaged",
    "StoreError",
    "chunks",
    "default_path",
    "explained",
    "pack",
    "put",
    "reply_of",
    "unpack",
]
