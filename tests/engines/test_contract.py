"""The contract without any engine: what is said in words, which stages go together, and how parts are put together."""

from __future__ import annotations

from dataclasses import fields

import pytest

import kbtools as kb
from kbtools.engines import parse
from kbtools.engines.job import Answer, Fault, Job, perform
from kbtools.engines.versions import Versions, refuse_difference
from kbtools.lineage import Recipe
from kbtools.shards import filled, ranges, segments
from kbtools.shards.manifest import Findings


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
    assert {each.name for each in fields(kb.Result)} - {"dataset"} <= set(Findings.model_fields)


def test_errors_cross_as_what_they_are() -> None:
    """With their class where kbtools knows it, and with their traceback where nobody does."""
    extra = Fault.of(kb.errors.MissingExtra("ray", "this")).error("there")
    assert isinstance(extra, kb.errors.MissingExtra)
    assert str(extra) == str(kb.errors.MissingExtra("ray", "this"))
    answer = Answer.model_validate_json(perform(Job(function="math:sqrt", payload="x")).model_dump_json())
    assert answer.fault is not None
    assert "there: TypeError" in str(answer.fault.error("there"))
    assert "Traceback" in str(answer.fault.error("there"))


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
