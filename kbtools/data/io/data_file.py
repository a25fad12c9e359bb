"""What a file is: seen from its first bytes, compressed or not, and from its name where text could be several things.

A file that is something else than a dataset (an archive, a page, a pointer to a file) is named for what it is.
"""

from __future__ import annotations

import io
import lzma
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

from kbtools.errors import DataError, UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Kind = Literal["parquet", "arrow", "json", "csv", "tsv"]

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
_SKIPPED = (b"\x2a\x4d\x18", "zstd")
"""Behind its first byte, 0x50 to 0x5f: a frame to be skipped, with which files of pzstd and of seekable zstd begin."""
_BINARY: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
_OTHERS = {
    b"PK\x03\x04": "a zip archive: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"SQLite format 3": "an SQLite database: export its table as parquet or JSON lines",
    b"\x89HDF": "an HDF5 file: save it as parquet",
    b"Obj\x01": "an Avro file: save it as parquet",
    b"FEA1": "a feather file of version 1: write it again with `pyarrow.feather.write_feather(table, path)`",
    b"ORC": "an ORC file: save it as parquet",
    b"\x80\x04": "a Python pickle, which is never opened: save it as parquet",
    b"\x80\x05": "a Python pickle, which is never opened: save it as parquet",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
    b"version https://git-lfs": "a pointer of Git LFS, the file itself is not here: run `git lfs pull`",
    b"<!DOCTYPE": "an HTML page, perhaps of a download that failed: load the file again",
    b"<html": "an HTML page, perhaps of a download that failed: load the file again",
}
_OFFICE = b"[Content_Types].xml"
_TAR_AT = 257
_NAMES: dict[str, Kind] = {
    "parquet": "parquet",
    "arrow": "arrow",
    "feather": "arrow",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "jsonlines": "json",
    "csv": "csv",
    "tsv": "tsv",
}
_PACKED_NAMES = ("gz", "zst", "bz2", "lz4", "xz", "zstd")
READS = ".parquet, .jsonl, .json, .csv, .tsv (also compressed: .gz, .zst, .bz2, .xz), .arrow and folders of them"
_HEAD_BYTES = 512
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*(?:\"|\}|\Z)|(?:\xef\xbb\xbf)?\s*\[\s*(?:\]|\Z)")
"""How rows in JSON begin: an object with a name, or an array of such."""
_XZ_BYTES = 1 << 18


@dataclass(frozen=True)
class DataFile:
    """A file of rows."""

    path: Path
    kind: Kind
    compression: str | None = None

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The content, decompressed."""
        with _opened(self.path, self.compression) as stream:
            yield stream

    def read(self, stream: IO[bytes], size: int = -1) -> bytes:
        """The next bytes of the content; DataError where the file breaks off."""
        try:
            return bytes(stream.read(size) if size >= 0 else stream.read())
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise DataError(
                f"{self.path} cannot be decompressed to its end ({error}): it may be half-written."
            ) from error

    @property
    def is_one_document(self) -> bool:
        """Whether the name lets us expect one JSON text rather than lines of it."""
        return "json" in _endings(self.path)


def data_file(path: Path) -> DataFile:
    """What a file is; an error says what it is instead, when there are no rows in it."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    compression = _compression(head)
    if compression:
        packed = DataFile(path, "json", compression)
        with packed.opened() as stream:
            head = packed.read(stream, _HEAD_BYTES)
    kind = next((kind for magic, kind in _BINARY.items() if head.startswith(magic)), None)
    if compression and _compression(head):
        raise DataError(f"{path} is compressed twice: decompress it once.")
    if kind and compression:
        raise DataError(f"{path} is a {kind} file within {compression}: decompress it first.")
    if other := _something_else(head):
        raise DataError(f"{path} is {other}.")
    return DataFile(path, kind or _text_kind(path, head), compression)


def _compression(head: bytes) -> str | None:
    """What a content is compressed with, by its first bytes."""
    if head[1:4] == _SKIPPED[0] and head[0] >> 4 == 5:
        return _SKIPPED[1]
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


def _something_else(head: bytes) -> str | None:
    if head.startswith(b"PK") and _OFFICE in head:
        return "a spreadsheet or another file of an office program: save it as csv"
    if head[_TAR_AT:].startswith(b"ustar"):
        return "a tar archive: unpack it"
    return next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None)


def _text_kind(path: Path, head: bytes) -> Kind:
    """What text is depends on the name, but objects of JSON are JSON under any that says no format of text."""
    named = next((_NAMES[ending] for ending in reversed(_endings(path)) if ending in _NAMES), None)
    if named in ("json", "csv", "tsv"):
        return named
    if _JSON.match(head):
        return "json"
    if named is None:
        raise UsageError(f"{path}: kbtools reads {READS}.")
    return named


def _endings(path: Path) -> list[str]:
    """Parts of the name after dots that say a format or a compression, from the last one backwards until another."""
    found: list[str] = []
    for part in reversed(path.name.lower().split(".")[1:]):
        if part not in _NAMES and part not in _PACKED_NAMES:
            break
        found.insert(0, part)
    return found


def is_named(name: str) -> bool:
    """Whether a name is that of a data file, by its ending."""
    return any(ending in _NAMES for ending in _endings(Path(name)))


def holds_rows(name: str) -> bool:
    """Whether a name is that of a file of rows: `.json` may be anything."""
    return any(ending in _NAMES and ending != "json" for ending in _endings(Path(name)))


class _Xz(io.RawIOBase):
    """What is packed in a file of xz: all of its streams. `lzma` passes over what lies behind them and is none."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._rest = b""
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Some of what is next; EOFError where a stream breaks off, LZMAError for anything that is none."""
        room = memoryview(buffer).cast("B")
        while self._is_in_stream():
            more = b""
            if self._unpacker.needs_input:
                more, self._rest = self._rest or self._packed.read(_XZ_BYTES), b""
                if not more:
                    raise EOFError("its last stream has no end")
            if part := self._unpacker.decompress(more, len(room)):
                room[: len(part)] = part
                return len(part)
        return 0

    def _is_in_stream(self) -> bool:
        """Whether a stream goes on, or another begins, perhaps behind zeros."""
        if not self._unpacker.eof:
            return True
        rest = self._unpacker.unused_data.lstrip(b"\0")
        while not rest and (more := self._packed.read(_XZ_BYTES)):
            rest = more.lstrip(b"\0")
        if rest:
            self._rest, self._unpacker = rest, lzma.LZMADecompressor(lzma.FORMAT_XZ)
        return bool(rest)


@contextmanager
def _opened(path: Path, compression: str | None) -> Iterator[IO[bytes]]:
    import pyarrow as pa

    if compression == "xz":
        with path.open("rb") as packed, io.BufferedReader(_Xz(packed), _XZ_BYTES) as stream:
            yield cast("IO[bytes]", stream)
        return
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            yield stream
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be decompressed ({error}): it may be half-written.") from error
