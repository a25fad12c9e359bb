"""The table of instructions and the page about it say the same."""

import re
from pathlib import Path

from kbtools_plugins.ptx.instructions.table import FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "ptx.md"
BETWEEN_BLOCKS = {"bra", "ret", "exit", "call"}


def test_the_page_names_every_family_and_no_other():
    """Families are the words in code marks of the table `What it executes`."""
    section = PAGE.read_text(encoding="utf-8").split("## What it executes")[1].split("\n\n")[1]
    named = set(re.findall(r"`([a-z0-9]+)`", section))
    assert named - BETWEEN_BLOCKS == set(FAMILIES)
