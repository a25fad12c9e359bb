"""Lineages written by version 0.1.0 run today, and give the rows that they gave then."""

import hashlib
from pathlib import Path

import pytest

import kbtools as kb
from kbtools.lineage import read
from kbtools.pipeline import again

ROWS = {
    "chain": "bf2404882925d79096e11be9c22b85c28821c69dbad3a538e463855eaecf8a08",
    "messages": "d4790521e536deb011e68069649f8bdd95164dfe7f1df7be7d858a20d51b2c58",
    "pc": "a622d754932818b49f49fb1c6bd6064af12cfe1463b51906ad1300bee5e91d70",
    "split": "af33a6cbfcfb62923763850c3e344197471273e287cdf094e6dbc392b3ef8a1c",
}
"""Digest of the JSON lines that 0.1.0 wrote beside each lineage, the splits one after the other by name."""


@pytest.mark.parametrize("name", ROWS)
def test_a_lineage_of_an_earlier_version_gives_the_same_rows(name, tmp_path):
    """Filter, judge and dedup; conversations; prompt and completion; stripped answers in two splits."""
    kb.save(again(read(Path(__file__).parent / "lineages" / f"{name}.json")), tmp_path / f"{name}.jsonl")
    content = b"".join(file.read_bytes() for file in sorted(tmp_path.glob(f"{name}*.jsonl")))
    assert hashlib.sha256(content).hexdigest() == ROWS[name]
