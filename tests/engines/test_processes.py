"""Workers that are processes of this machine: the same bytes, whatever happens to them or to the driver."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import datasets
import pytest

import kbtools as kb
from kbtools.engines import opened
from kbtools.pipeline import run
from tests.engines.chains import CHAINS
from tests.engines.conftest import Program, chains
from tests.engines.waiting import SECONDS, alive, wait_for
from tests.rows import evals

pytestmark = pytest.mark.process

CHAIN = (
    kb.Judge(judge="static"),
    kb.Filter(where="reward > 0.1"),
    kb.StripReasoning(on_error="drop"),
    kb.Dedup(key=("code",)),
    kb.ToMessages(),
)


def saved(folder: Path, engine: kb.Processes | kb.Ray | None, data: datasets.Dataset | datasets.DatasetDict) -> dict:
    """Every file of a run by name, without the lineage beside it, which has times."""
    out = kb.apply(data, *CHAIN, engine=engine)
    for name in ("rows.parquet", "rows.jsonl", "rows"):
        kb.save(out, folder / name)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith("lineage.json")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_an_engine_changes_nothing(tmp_path: Path) -> None:
    """Rows, what was left out and why, the failures and the record are those of a run in this process."""
    data = evals([0.0, 1.0, 1.0, 0.5], names=["A", "B", "C", "D"])
    bad = evals([1.0], names=["E"]).map(
        lambda row: {"completion": [{"role": "assistant", "content": "", "reasoning": ""}]}
    )
    data = datasets.concatenate_datasets([data, bad, data])
    chain = (kb.StripReasoning(on_error="drop"), kb.Filter(where="reward > 0.6"))
    engine = kb.Processes(1, scratch=str(tmp_path / "scratch"), shards=3)
    with opened(engine, lambda text: None):
        there = run(data, chain)
    here = run(data, chain)
    assert there.dataset.to_list() == here.dataset.to_list()
    assert [record.model_copy(update={"seconds": None}) for record in there.records] == [
        record.model_copy(update={"seconds": None}) for record in here.records
    ]
    assert there.failed == here.failed
    assert [(name, drop.reason, drop.rows.to_list()) for name, drop in there.dropped] == [
        (name, drop.reason, drop.rows.to_list()) for name, drop in here.dropped
    ]


@pytest.mark.slow
def test_processes_give_the_bytes_of_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Parquet, JSON lines and folders, of one dataset and of several splits; what is finished is not done again."""
    caplog.set_level(logging.INFO, "kbtools")
    sample = kb.load("sample")
    splits = datasets.DatasetDict({"a": sample.select(range(70)), "b": sample.select(range(70, 170))})
    engine = kb.Processes(2, scratch=str(tmp_path / "scratch"), shards=3)
    assert saved(tmp_path / "1", engine, sample) == saved(tmp_path / "2", None, sample)
    assert "judge, filter, strip-reasoning: 3 shards on 2 processes" in caplog.text
    assert "reused" not in caplog.text
    saved(tmp_path / "3", engine, sample)
    assert "3 of 3 shards reused" in caplog.text
    assert saved(tmp_path / "4", engine, splits) == saved(tmp_path / "5", None, splits)
    assert not list((tmp_path / "scratch" / "inputs").iterdir())


@pytest.mark.slow
def test_every_kind_of_chain_has_the_same_rows_and_records(program: Program) -> None:
    """Row-wise stages before and after those that see all rows: picks, new columns, other rows, splits."""
    here = chains(program, "none")
    assert len(here) == 2 * len(CHAINS) + 1
    assert chains(program, "processes=2") == here


@pytest.mark.slow
def test_a_killed_worker_costs_its_part_once_more(program: Program) -> None:
    """The part goes to another worker; nothing is written beside the source."""
    code, said = program(
        "deadly", "--log", program.log, "--row", 5, "--engine", "processes=2", "--shards", 5, "--out", "a.parquet"
    )
    assert code == 0, said
    assert sorted(program.starts()) == [0, 2, 4, 4, 6, 8]
    assert kb.load(str(program.folder / "a.parquet"))["n"] == list(range(10))
    assert sorted(file.name for file in program.source.parent.iterdir()) == [
        "rows.parquet",
        "rows.parquet.lineage.json",
    ]


@pytest.mark.slow
def test_a_source_that_changes_under_a_run_ends_it(program: Program) -> None:
    """The worker that reads it then says so; the rows of before and of after are not in one result."""
    code, said = with_changed_rows(program, "--engine", "processes=1")
    assert code == 2, said
    assert f"{program.source} is not the file" in said
    assert "has changed since the run began" in said
    assert not (program.folder / "a.parquet").exists()


@pytest.mark.slow
def test_a_recipe_names_its_engine(program: Program) -> None:
    """The table `[engine]`, which --engine overrides; the bytes are those of a run without one."""
    recipe = program.folder / "recipe.toml"
    stage = f'[[stages]]\nstage = "step"\nlog = "{program.log}"\n'
    source = f'[source]\ndataset = "{program.source}"\n'
    for engine, words, parts in (
        ("", (), 1),
        ('[engine]\nkind = "processes"\nworkers = 1\nshards = 4\nscratch = "scratch"\n', (), 4),
        ('[engine]\nkind = "ray"\n', ("--engine", "processes=1", "--shards", 2), 2),
    ):
        recipe.write_text(source + stage + engine)
        program.log.unlink(missing_ok=True)
        running = program.call("run", recipe, *words, "--out", f"{parts}.parquet")
        out, err = running.communicate(timeout=SECONDS)
        assert running.returncode == 0, out + err
        assert len(program.starts()) == parts
        assert (program.folder / f"{parts}.parquet").read_bytes() == (program.folder / "1.parquet").read_bytes()


@pytest.mark.slow
def test_nothing_is_written_beside_a_shared_folder(program: Program) -> None:
    """By the driver's stages neither: a saved dataset may be everybody's, and a shard's folder is checked as it is."""
    shared = program.folder / "shared"
    kb.save(kb.load("sample").select(range(6)), shared)
    before = {file: file.read_bytes() for file in shared.rglob("*")}
    program.source, scratch = shared, program.folder / "scratch"
    static = ("judge", "--judge", "static")
    words = (*static, "pass-rate", "to-messages", "--engine", "processes=1", "--shards", 2, "--scratch", scratch)
    for _ in range(2):
        code, said = program(*words, "--out", "a.parquet")
        assert code == 0, said
    assert said.count("2 of 2 shards reused") == 2
    assert {file: file.read_bytes() for file in shared.rglob("*")} == before


@pytest.mark.slow
def test_rows_that_kill_every_worker_end_the_run(program: Program) -> None:
    """Three workers die over them, and that is said."""
    code, said = program(
        "deadly", "--log", program.log, "--row", 5, "--times", 9, "--engine", "processes=2", "--shards", 5
    )
    assert code == 1
    assert "3 workers died over this part of the rows" in said
    assert program.starts().count(4) == 3


@pytest.mark.slow
def test_the_error_of_the_lowest_rows_is_raised_whoever_was_faster(program: Program) -> None:
    """Row 8 fails first, and row 3 is named, by its number in the whole and its id."""
    code, said = program("picky", "--log", program.log, "--rows", "3,8", "--engine", "processes=5", "--shards", 5)
    assert code == 1
    assert "stage 1 (picky): does not like row 3 (id r3)" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("broken", "ZeroDivisionError: division by zero"),
        ("telling", "does not say how those of parts of the rows become"),
    ],
)
def test_defects_of_stages_are_told_with_their_place(program: Program, stage: str, expected: str) -> None:
    """A traceback from the worker; facts that nobody knows how to join."""
    code, said = program(stage, "--log", program.log, "--engine", "processes=1", "--shards", 2)
    assert code == 1
    assert expected in said
    assert stage in said


@pytest.mark.slow
def test_a_killed_driver_leaves_what_is_finished(program: Program) -> None:
    """Its workers end with it; the same command does the rest, says how much was there, and gives the same bytes."""
    words = ("slow", "--log", program.log, "--seconds", 1, "--engine", "processes=2", "--shards", 10)
    killed = program.start(*words, "--out", "a.parquet")
    wait_for(lambda: len(program.starts()) >= 5)
    killed.kill()
    killed.communicate(timeout=SECONDS)
    workers = {int(line.split()[0]) for line in program.log.read_text().splitlines()}
    wait_for(lambda: not any(alive(pid) for pid in workers))
    begun = len(program.starts())
    code, said = program(*words, "--out", "a.parquet")
    assert code == 0, said
    reused = 10 - (len(program.starts()) - begun)
    assert reused >= 3
    assert f"{reused} of 10 shards reused" in said
    assert program("slow", "--log", program.log, "--seconds", 1, "--out", "b.parquet")[0] == 0
    assert (program.folder / "a.parquet").read_bytes() == (program.folder / "b.parquet").read_bytes()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_says_so(program: Program) -> None:
    """Exit code 130, no further part begun, no worker left."""
    words = ("slow", "--log", program.log, "--seconds", 1, "--engine", "processes=2", "--shards", 10)
    running = program.start(*words)
    wait_for(lambda: len(program.starts()) >= 5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=SECONDS)
    assert running.returncode == 130
    assert "of 10 shards are finished and kept, the same command goes on from there" in out + err
    workers = {int(line.split()[0]) for line in program.log.read_text().splitlines()}
    wait_for(lambda: not any(alive(pid) for pid in workers))
    assert len(program.starts()) < 10


def with_changed_rows(program: Program, *engine: object) -> tuple[int, str]:
    """How a run ends in whose middle other rows are written, and the worker is killed that had read those of before."""
    running = program.start("slow", "--log", program.log, "--seconds", 1, *engine, "--shards", 10, "--out", "a.parquet")
    wait_for(lambda: len(program.starts()) >= 3 or running.poll() is not None)
    kb.save(datasets.Dataset.from_dict({"n": range(10, 20), "id": ["new"] * 10}), program.source)
    for pid in {int(line.split()[0]) for line in program.log.read_text().splitlines()}:
        os.kill(pid, signal.SIGKILL)
    out, err = running.communicate(timeout=SECONDS)
    return running.returncode, out + err
