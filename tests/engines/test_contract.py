"""The contract without any engine: what is said in words, which stages go together, and how parts are put together."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import datasets
import pytest

import kbtools as kb
from kbtools.data.processes import here
from kbtools.data.table import on_rows
from kbtools.engines import parse
from kbtools.engines.job import Job, JobAnswer, JobFault, perform
from kbtools.engines.versions import Versions, refuse_difference
from kbtools.lineage import Recipe
from kbtools.shards import Watched, clear, filled, finished, ranges, segments
from kbtools.shards.manifest import Manifest, StageFindings, digests
from kbtools.shards.progress import ShardProgress
from kbtools.shards.unfinished import name_for


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("processes", kb.Processes()),
        ("processes=3", kb.Processes(3)),
        ("ray", kb.Ray()),
        ("ray=auto", kb.Ray()),
        ("ray=head:6379", kb.Ray(address="head:6379")),
    ],
)
def test_an_engine_in_words(text: str, engine: kb.Processes | kb.Ray) -> None:
    """The words of the command line are the keywords of Python, and survive a recipe."""
    assert parse(text) == engine
    recipe = Recipe(engine=engine.model_copy(update={"scratch": "/shared", "shards": 8}))
    assert 'scratch = "/shared"' in recipe.to_toml()
    assert Recipe.model_validate(recipe.model_dump(mode="json", exclude_defaults=True)) == recipe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rya", "Did you mean 'ray'?"),
        ("processes=0", "greater than or equal to 1"),
        ("processes=many", "valid integer"),
        ("ray=head", "HOST:PORT"),
        ("ray=ray://head:10001", "ray job submit"),
        ("", "processes[=N]"),
    ],
)
def test_words_that_are_no_engine(text: str, expected: str) -> None:
    """They are refused with what to write instead."""
    with pytest.raises(kb.errors.UsageError, match=r"--engine") as refused:
        parse(text)
    assert expected in str(refused.value)


def test_row_wise_stages_go_together() -> None:
    """A filter stays with the driver where nothing is before it; stages that see all rows are alone."""
    chain = (
        kb.Filter(where="reward > 0"),
        kb.Judge(judge="static"),
        kb.Filter(where="style > 5"),
        kb.StripReasoning(),
        kb.Dedup(),
        kb.Filter(where="reward > 1"),
        kb.Verify(),
        kb.ToMessages(),
    )
    found = [(part.first, [stage.name for stage in part.stages], part.sharded) for part in segments(chain)]
    assert found == [
        (1, ["filter"], False),
        (2, ["judge", "filter", "strip-reasoning"], True),
        (5, ["dedup"], False),
        (6, ["filter"], False),
        (7, ["verify"], False),
        (8, ["to-messages"], True),
    ]


@pytest.mark.parametrize(("rows", "nbytes", "shards"), [(0, 0, None), (1, 5, 8), (10, 9, 3), (200_000, 1 << 31, None)])
def test_ranges_are_all_rows_once_and_in_order(rows: int, nbytes: int, shards: int | None) -> None:
    """None is empty, unless there is nothing at all."""
    found = ranges(rows, nbytes, shards)
    assert [row for part in found for row in part] == list(range(rows))
    assert all(found) or rows == 0
    assert len(found) <= (shards or 200)


def test_rows_are_called_by_their_number_in_the_whole() -> None:
    """By the rows that went into the same stage before; what looks like a mark of another shard is left."""
    text = "row <k1:0:7> and row <k1:1:7> of <k2:0:7>"
    assert filled(text, "k1", [100, 40]) == "row 107 and row 47 of <k2:0:7>"


def test_nothing_that_a_stage_gives_is_lost_on_the_way() -> None:
    """What a result has beside its rows, the manifest of a shard has, too."""
    assert {each.name for each in fields(kb.Result)} - {"dataset"} <= set(StageFindings.model_fields)


def test_errors_cross_as_what_they_are() -> None:
    """With their class where kbtools knows it, and with their traceback where nobody does."""
    extra = JobFault.of(kb.errors.MissingExtra("ray", "this")).error("there")
    assert isinstance(extra, kb.errors.MissingExtra)
    assert str(extra) == str(kb.errors.MissingExtra("ray", "this"))
    answer = JobAnswer.model_validate_json(perform(Job(function="math:sqrt", payload="x")).model_dump_json())
    assert answer.fault is not None
    assert "there: TypeError" in str(answer.fault.error("there"))
    assert "Traceback" in str(answer.fault.error("there"))


def test_ray_that_does_not_start_in_time_is_started_again_and_then_explained() -> None:
    """Three times, since a busy machine is slow in a way that passes; an address where nobody is, once."""
    pytest.importorskip("ray")
    from kbtools.engines import cluster

    def starting(errors: list[Exception]) -> int:
        left = list(errors)

        def start() -> None:
            if left:
                raise left.pop(0)

        cluster._patiently(start)
        return len(errors) - len(left)

    late = RuntimeError("The current node timed out during startup.")
    assert starting([late, late]) == 2
    with pytest.raises(kb.errors.ConfigError) as refused:
        starting([late, late, late])
    for part in ("timed out during startup", "RAY_AUTH_TOKEN", "more than 30 s to start"):
        assert part in str(refused.value)
    with pytest.raises(kb.errors.ConfigError, match="nobody"):
        starting([ConnectionError("nobody"), late])


def test_verdicts_and_times_of_different_devices_are_refused() -> None:
    """A worker whose GPU is another one than that of the worker that was asked names both, with and without --time."""
    from kbtools_plugins.verify.distributed import PairOrder
    from kbtools_plugins.verify.fingerprint import fingerprint
    from kbtools_plugins.verify.settings import VerifySettings

    settings = VerifySettings(tier="ptx")
    told = PairOrder(
        reference="",
        candidate="",
        entry_point=None,
        settings=settings,
        fingerprint={**fingerprint(settings), "device": "NVIDIA H200 (sm_90)"},
    )
    answer = perform(Job(function="kbtools_plugins.verify.distributed:check", payload=told.model_dump_json()))
    assert answer.fault is not None
    error = answer.fault.error("node b")
    assert isinstance(error, kb.errors.ConfigError)
    for part in ("NVIDIA H200 (sm_90) elsewhere", "device: ", "not comparable", "--tier ptx"):
        assert part in str(error)


def test_a_stage_without_a_scope_is_refused_before_any_worker_is_hired(tmp_path: Path) -> None:
    """By the check of the chain, under an engine as without one."""

    class Scopeless(kb.Stage):
        """States nothing."""

        name: ClassVar[str] = "scopeless"

        def transform(self, ds: datasets.Dataset) -> kb.Result:
            """Nothing."""
            return kb.Result(ds)

    engine = kb.Processes(1, scratch=str(tmp_path))
    with pytest.raises(kb.errors.KbError, match="Scopeless does not state its scope"):
        kb.apply(datasets.Dataset.from_dict({"n": [1]}), Scopeless(), engine=engine)
    assert not list(tmp_path.iterdir())


def test_rows_of_shards_under_way_are_told_once(tmp_path: Path) -> None:
    """By the worker's file: stages count alike, a stage that reads its rows twice counts them once."""
    file = tmp_path / "progress" / "key"
    worker, driver = ShardProgress(file, rows=100, stages=2, _told=-1e9), Watched(_looked=-1e9)
    assert driver.news(iter([file])) == 0
    told = []
    for number, read in ((0, 60), (0, 60), (1, 30)):
        with worker.of_stage(number, 60):
            on_rows.get()(read)
        worker._told = driver._looked = -1e9
        told.append(driver.news(iter([file])))
    assert told == [50, 0, 25]
    file.write_text("10")  # another worker has begun it again
    driver._looked = -1e9
    assert driver.news(iter([file])) == 0
    assert driver.rest(file, 100) == 25
    assert not file.exists()


def test_what_dead_processes_were_writing_is_removed(tmp_path: Path) -> None:
    """By their number; what this process, or another machine, is writing is left."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine, pid = name_for("key"), f".{os.getpid()}."
    names = [mine, mine.replace(pid, f".{dead.pid}."), mine.replace(here(), "other").replace(pid, ".1234567.")]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows").write_text("")
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2]])
    clear(tmp_path / "nothing")


@pytest.mark.parametrize(
    "broken", ["rows.arrow", "manifest.json", "manifest.json of another", "dropped", "a file more"]
)
def test_a_shard_that_is_not_what_was_written_is_done_again(tmp_path: Path, broken: str) -> None:
    """A bit that has flipped at the same size, as much as half a file."""
    folder = tmp_path / "shards" / "ke" / "key"
    folder.mkdir(parents=True)
    (folder / "rows.arrow").write_bytes(bytes(1_000))
    (folder / "dropped-0-0.arrow").write_bytes(b"left out")
    manifest = Manifest(key="key", host="h", seconds=1.0, processor=1.0, files=digests(folder), findings=())
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    assert finished(tmp_path, "key") == manifest
    if broken == "rows.arrow":
        (folder / broken).write_bytes(bytes(500) + b"\1" + bytes(499))
    elif broken == "manifest.json":
        (folder / broken).write_text(manifest.model_dump_json()[:-9])
    elif broken == "dropped":
        (folder / "dropped-0-0.arrow").unlink()
    elif broken == "a file more":
        (folder / "new").touch()
    else:
        (folder / "manifest.json").write_text(manifest.model_copy(update={"key": "other"}).model_dump_json())
    assert finished(tmp_path, "key") is None


def test_other_versions_are_refused_by_name() -> None:
    """All of them at once, also a plugin that only one side has."""
    mine = Versions(host="a", python="3.11.2", packages={"pyarrow": "26"}, plugins={"acme": "1"})
    refuse_difference(mine, mine.model_copy(update={"host": "b"}), "node b")
    theirs = Versions(host="b", python="3.11.9", packages={"pyarrow": "26"}, plugins={"other": "2"})
    with pytest.raises(kb.errors.ConfigError) as refused:
        refuse_difference(mine, theirs, "node b")
    for part in (
        "node b",
        "driver on a",
        "Python 3.11.2 here, 3.11.9 there",
        "plugin acme 1 here, not installed there",
    ):
        assert part in str(refused.value)
    assert "pyarrow" not in str(refused.value)
