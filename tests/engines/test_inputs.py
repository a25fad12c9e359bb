"""Where the rows of shards are read from: the source, finished shards, or, only where there is neither, copies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest

import kbtools as kb
from kbtools import lineage
from kbtools.engines.job import Job, JobAnswer
from kbtools.pipeline.serialization import entry
from kbtools.pipeline.sharding import beginning
from kbtools.shards import Rows, ShardTask, inputs_of, key_of, work
from kbtools.shards.inputs import Inputs, read_shard
from kbtools.shards.manifest import ROWS, read_rows
from kbtools.shards.task import folder_of

ROWS_IN_ALL = 40


@pytest.fixture
def loaded(tmp_path: Path) -> datasets.Dataset:
    """Rows of a file, as `kb.load` gives them."""
    rows = datasets.Dataset.from_dict({"n": range(ROWS_IN_ALL), "text": ["x" * 100] * ROWS_IN_ALL})
    kb.save(rows, tmp_path / "rows.parquet")
    return kb.load(str(tmp_path / "rows.parquet"))


def given(ds: datasets.Dataset, inputs: Inputs, scratch: Path, part: range) -> tuple[Rows, datasets.Dataset]:
    """What a worker is told of a part of the rows, and what it reads; the same as those of the driver."""
    rows = inputs.rows(part)
    inputs.write(rows)
    found = read_shard(rows, scratch, "key")
    assert found.to_list() == ds.select(part).to_list()
    assert found.features == ds.features
    return rows, found


def sharded(ds: datasets.Dataset, scratch: Path) -> datasets.Dataset:
    """The rows after a stage in two shards."""
    stages, files = (kb.Filter(where="n >= 0"),), []
    inputs = inputs_of(ds, beginning(ds, lineage.of(ds))[None], scratch)
    for part in (range(25), range(25, ds.num_rows)):
        rows = inputs.rows(part)
        task = ShardTask(key=key_of(rows, stages), rows=rows, stages=(), first=1, scratch=str(scratch))
        work(task, stages, lambda position, stage, ds: stage.run(ds))
        files.append(folder_of(scratch, task.key) / ROWS)
    return datasets.concatenate_datasets([read_rows(file) for file in files])


Change = Callable[[datasets.Dataset], datasets.Dataset]
PICKED: dict[str, Change] = {
    "as they are": lambda ds: ds,
    "some": lambda ds: ds.select([3, 1, 30, 31, 7, 8]),
    "reversed": lambda ds: ds.select(range(ds.num_rows - 1, -1, -1)),
    "a slice": lambda ds: ds.select(range(20, 33)),
    "a slice of a slice, picked from": lambda ds: ds.select(range(5, 39)).select(range(10, 30)).select([0, 19, 4]),
    "shuffled": lambda ds: ds.shuffle(seed=1),
    "some columns": lambda ds: ds.select_columns(["text"]).select([5, 2]),
    "without a column": lambda ds: ds.remove_columns(["text"]),
    "twice": lambda ds: datasets.concatenate_datasets([ds, ds]),
}


@pytest.mark.parametrize("name", PICKED)
def test_what_is_picked_from_the_source_travels_as_numbers(loaded: datasets.Dataset, name: str, tmp_path: Path) -> None:
    """No value of a row is written for the workers."""
    began = beginning(loaded, lineage.of(loaded))[None]
    ds = PICKED[name](loaded)
    inputs = inputs_of(ds, began, tmp_path / "scratch")
    for part in (range(ds.num_rows), range(1), range(ds.num_rows // 2, ds.num_rows)):
        rows, _ = given(ds, inputs, tmp_path / "scratch", part)
        assert rows.source == began.source
        assert rows.file is None or b"xxx" not in Path(rows.file).read_bytes()


@pytest.mark.parametrize("name", PICKED)
def test_what_is_picked_from_shards_travels_as_numbers(loaded: datasets.Dataset, name: str, tmp_path: Path) -> None:
    """Of the shards' files, of which only those are named that have rows of the part."""
    scratch = tmp_path / "scratch"
    ds = PICKED[name](sharded(loaded, scratch))
    inputs = inputs_of(ds, None, scratch)
    for part in (range(ds.num_rows), range(1), range(ds.num_rows // 2, ds.num_rows)):
        rows, _ = given(ds, inputs, scratch, part)
        assert rows.columns == tuple(ds.column_names)
        told = Path(str(rows.file)).read_bytes()
        assert b"xxx" not in told
    rows, _ = given(ds, inputs, scratch, range(1))
    assert len(set(re.findall(rb"shards/\w\w/\w+/rows.arrow", Path(str(rows.file)).read_bytes()))) == min(
        1, ds.num_rows
    )


def test_a_source_that_has_changed_since_is_refused_by_its_path(loaded: datasets.Dataset, tmp_path: Path) -> None:
    """Rows of the old file and of the new one are never mixed."""
    rows = inputs_of(loaded, beginning(loaded, lineage.of(loaded))[None], tmp_path / "scratch").rows(range(20, 30))
    kb.save(loaded.select(range(ROWS_IN_ALL - 1, -1, -1)), tmp_path / "rows.parquet")
    with pytest.raises(kb.errors.DataError, match=r"rows.parquet .*has changed since the run began"):
        read_shard(rows, tmp_path / "scratch", "key")


def test_other_rows_are_other_shards(loaded: datasets.Dataset, tmp_path: Path) -> None:
    """The key tells picks, orders and columns apart, and is the same for the same rows in another run."""
    began, stages = beginning(loaded, lineage.of(loaded))[None], (kb.Filter(where="n >= 0"),)

    def key(ds: datasets.Dataset) -> str:
        return key_of(inputs_of(ds, began, tmp_path / "scratch").rows(range(ds.num_rows)), stages)

    changed = [change(loaded) for name, change in PICKED.items() if name != "twice"]
    assert len({key(ds) for ds in changed}) == len(changed)
    assert [key(ds) for ds in changed] == [key(ds) for ds in changed]


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: datasets.Dataset.from_dict({"n": [1, 2], "text": ["xxx", "y"]}),
        lambda ds: ds.add_column("new", range(ds.num_rows)),
        lambda ds: ds.rename_column("text", "other"),
        lambda ds: ds.cast_column("n", datasets.Value("int32")),
        lambda ds: ds.add_column("new", range(ds.num_rows)).select([]),
    ],
)
def test_rows_in_no_file_of_others_are_copied(loaded: datasets.Dataset, change: Change, tmp_path: Path) -> None:
    """Those made in memory, and those whose values or names the driver has changed."""
    ds, began = change(loaded), beginning(loaded, lineage.of(loaded))[None]
    rows, _ = given(ds, inputs_of(ds, began, tmp_path / "scratch"), tmp_path / "scratch", range(ds.num_rows))
    assert rows.source is None
    assert rows.columns == ()


def test_the_driver_reads_only_the_columns_that_it_chooses_by(tmp_path: Path) -> None:
    """After a dataset-wide stage over shards, the pages of the long column have not been touched."""
    rng = np.random.default_rng(1)
    texts = [rng.bytes(1_000_000).hex() for _ in range(24)]
    columns = {"n": [row // 2 for row in range(24)], "text": texts, "code": ["x = 1"] * 24}
    kb.save(datasets.Dataset.from_dict(columns), tmp_path / "a.parquet")
    engine = {"scratch": str(tmp_path / "scratch"), "shards": 3, "workers": 1}
    program = f"""if True:
        import kbtools as kb
        ds = kb.load({str(tmp_path / "a.parquet")!r})
        judge = kb.Judge(judge="static", columns={{"reference_code": "code"}})
        dedup = kb.Dedup(key=("n",), columns={{"reward": "style"}})
        out = kb.apply(ds, judge, dedup, engine=kb.Processes(**{engine!r}))
        assert out.num_rows == 12
        resident, size, shown = 0, 0, False
        for line in open("/proc/self/smaps"):
            if "-" in line.split()[0]: shown = line.rstrip().endswith("rows.arrow")
            elif shown and line.startswith("Rss:"): resident += int(line.split()[1])
            elif shown and line.startswith("Size:"): size += int(line.split()[1])
        print(resident, size)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "HF_HOME": str(tmp_path)},
    )  # fmt: skip
    resident, size = map(int, done.stdout.split())
    assert size > 40_000, "the files are mapped"
    assert resident < size / 4


def test_other_nodes_keep_what_they_load_to_themselves(loaded: datasets.Dataset, tmp_path: Path) -> None:
    """In the folder of the node: neither in the driver's home, which may be shared, nor beside the source."""
    pytest.importorskip("ray")
    before = sorted(tmp_path.iterdir())
    rows = inputs_of(loaded, beginning(loaded, lineage.of(loaded))[None], tmp_path / "scratch").rows(range(3))
    stage = kb.Filter(where="n >= 0")
    task = ShardTask(
        key=key_of(rows, [stage]), rows=rows, stages=(entry(stage),), first=1, scratch=str(tmp_path / "scratch")
    )
    job = Job(function="kbtools.pipeline.sharding:work_on", payload=task.model_dump_json())
    program = (
        f"from kbtools.engines.cluster import Actor; print(Actor(0, 'elsewhere').perform({job.model_dump_json()!r}))"
    )
    node, home = tmp_path / "node", tmp_path / "home"
    environment = {**os.environ, "KBTOOLS_NODE_CACHE": str(node), "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    answer = JobAnswer.model_validate_json(done.stdout.splitlines()[-1])
    assert answer.fault is None, answer.fault
    assert list(node.rglob("data.arrow"))
    assert not list(home.rglob("*.arrow"))
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in before} <= {"node", "home", "scratch"}
