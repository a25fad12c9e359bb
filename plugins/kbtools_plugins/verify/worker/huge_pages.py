"""Fewer pages to a warm process, so that its forks cost less.

A fork copies an entry for each page of memory that is not a file's, and 240 MB of torch and Triton are 60,000 of 4 kB:
four fifths of the time that a fork takes. In pages of 2 MB they are 120. Of files it copies no entry: each fork asks
for some hundred pages of libraries again, one by one, and gives them back at its end. Copies in memory spare it that.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

_COLLAPSE = 25
"""`MADV_COLLAPSE` of Linux 6.1, which asks for no setting of the machine; older kernels do not know it."""
_SIZE = 2 * 2**20
_PAGES = _SIZE // mmap.PAGESIZE
_HUGE = 14
"""`MADV_HUGEPAGE`."""
_MOVE_TO = 3
"""`MREMAP_MAYMOVE | MREMAP_FIXED`: in the place of what is there."""
_WORTH = 100
"""Pages in use of those that one of 2 MB would replace: fewer are not worth the memory."""
_READABLE = {"r--p": mmap.PROT_READ, "r-xp": mmap.PROT_READ | mmap.PROT_EXEC}


def collapse() -> int:
    """Put this process's own memory into huge pages where the kernel can; returns how many there are."""
    if sys.platform != "linux":
        return 0
    libc = _libc()
    return sum(
        libc.madvise(start, _SIZE, _COLLAPSE) == 0
        for mapping in _mappings()
        if mapping.access == "rw-p" and mapping.name in ("", "[heap]")
        for start in mapping.places()
    )


@cache
def copy_libraries() -> int:
    """Put copies in huge pages in the place of the parts of libraries that are in use; returns how many.

    Forks share them, and copies of this process have them already.
    """
    if sys.platform != "linux":
        return 0
    used: list[tuple[int, int]] = []
    with suppress(OSError), Path("/proc/self/pagemap").open("rb") as pages:  # not to be had everywhere
        for mapping in _mappings():
            if mapping.access in _READABLE and mapping.name.startswith("/"):
                rights = _READABLE[mapping.access]
                used += [(start, rights) for start in mapping.places() if _in_use(pages, start) >= _WORTH]
    return sum(_copied(start, rights) for start, rights in used)


class _Mapping:
    """One line of the kernel's table."""

    def __init__(self, line: str) -> None:
        addresses, self.access, _, _, _, *name = line.split(maxsplit=5)
        self.name = name[0] if name else ""
        self._first, self._last = (int(address, 16) for address in addresses.split("-"))

    def places(self) -> range:
        """Where it has room for a huge page."""
        return range(-(-self._first // _SIZE) * _SIZE, self._last - _SIZE + 1, _SIZE)


def _mappings() -> Iterator[_Mapping]:
    return map(_Mapping, Path("/proc/self/maps").read_text().splitlines())


def _in_use(pages: BinaryIO, start: int) -> int:
    """How many pages of 4 kB this process has in its table there."""
    pages.seek(start // mmap.PAGESIZE * 8)
    return sum(entry >> 63 for entry in struct.unpack(f"<{_PAGES}Q", pages.read(8 * _PAGES)))


def _copied(start: int, rights: int) -> bool:
    """Whether a copy is there now; where the system forbids it, nothing has changed."""
    libc = _libc()
    area = libc.mmap(None, 2 * _SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if area == ctypes.c_void_p(-1).value:
        return False
    place = -(-area // _SIZE) * _SIZE
    libc.madvise(place, _SIZE, _HUGE)
    ctypes.memmove(place, start, _SIZE)
    allowed = libc.mprotect(place, _SIZE, rights) == 0
    moved = allowed and libc.mremap(place, _SIZE, _SIZE, _MOVE_TO, start) == start
    libc.munmap(area, place - area)
    libc.munmap(place + _SIZE * moved, area + _SIZE * (2 - moved) - place)
    return bool(moved)


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = libc.mremap.restype = address
    libc.mmap.argtypes = (address, size, number, number, number, ctypes.c_long)
    libc.mremap.argtypes = (address, size, size, number, address)
    libc.munmap.argtypes = (address, size)
    libc.madvise.argtypes = libc.mprotect.argtypes = (address, size, number)
    return libc
