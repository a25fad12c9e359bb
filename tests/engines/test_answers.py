"""Work on texts that a stage of the driver hands out: to the workers of the run where there are any."""

from __future__ import annotations

import os

import datasets
import pytest

import kbtools as kb
from kbtools.engines import answers, opened


def test_without_an_engine_this_process_answers() -> None:
    """And nobody is hired for a single payload."""
    own = f"/proc/{os.getpid()}"
    assert list(answers("os.path:realpath", ["/proc/self"] * 3)) == [own] * 3
    with opened(kb.Processes(2), print):
        assert list(answers("os.path:realpath", ["/proc/self"])) == [own]


@pytest.mark.process
def test_workers_answer_in_the_order_of_the_questions() -> None:
    """Whoever is first."""
    with opened(kb.Processes(2), print):
        assert list(answers("os.path:basename", (f"/a/{n}" for n in range(300)))) == [str(n) for n in range(300)]
        places = set(answers("os.path:realpath", ["/proc/self"] * 20))
        assert f"/proc/{os.getpid()}" not in places
        with pytest.raises(kb.errors.KbError, match="TypeError"):
            list(answers("math:sqrt", ["a", "b"]))


@pytest.mark.process
def test_duplicates_of_code_are_the_same_with_workers() -> None:
    """Code that does not parse included, and its note."""
    codes = [f"x = {n % 1100}  # {n}" if n % 7 else f"x = = {n % 1100}" for n in range(1300)]
    ds = datasets.Dataset.from_dict({"module_name": codes, "python_code": codes, "reward": [0.5] * len(codes)})
    dedup = kb.Dedup(key=("code",))
    here, there = kb.apply(ds, dedup), kb.apply(ds, dedup, engine=kb.Processes(2))
    assert here.to_list() == there.to_list()
    assert 1 < here.num_rows < len(codes)
    assert [each.notes for each in kb.lineage.of(here).records] == [each.notes for each in kb.lineage.of(there).records]
