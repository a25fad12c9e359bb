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
