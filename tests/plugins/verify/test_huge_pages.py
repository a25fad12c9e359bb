"""Warm processes put their memory into huge pages where the kernel can, and keep what is in it."""

import subprocess
import sys

import pytest

PROGRAM = """
from kbtools_plugins.verify.worker import huge_pages
held = [bytes([number % 256]) * 1000 for number in range(40_000)]
print(huge_pages.collapse())
assert all(text == bytes([number % 256]) * 1000 for number, text in enumerate(held))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_memory_is_the_same_in_huge_pages():
    """In a process of its own; a kernel that cannot gives none."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 0


LIBRARIES = """
import ctypes
import sys
import torch
from kbtools_plugins.verify.worker import huge_pages

def work():
    torch.manual_seed(3)
    return torch.linalg.svd(torch.randn(20, 20)).S.sum().item()

def held(start):
    return ctypes.string_at(start, 2**21)

def library():
    of_torch = [found for found in huge_pages._mappings() if "torch" in found.name]
    return [(start, found.access) for found in of_torch for start in found.places()]

result, files = work(), library()
known = [(start, hash(held(start))) for start, access in files if access in ("r-xp", "r--p")]
count = huge_pages.copy_libraries()
gone = set(files) - set(library())
assert len(gone) <= count
assert all(access.startswith("r-") for _, access in gone)
assert all(hash(held(start)) == digest for start, digest in known)
assert (work(), huge_pages.copy_libraries()) == (result, count)
print(count)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_libraries_are_the_same_in_copies():
    """What they hold and what they compute; only what nobody writes to is moved, and once."""
    done = subprocess.run([sys.executable, "-c", LIBRARIES], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 0
