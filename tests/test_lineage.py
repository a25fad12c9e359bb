"""What was done is recorded with the result, travels with it, and can be done again."""

import json

import datasets
import pyarrow.parquet as pq
import pytest

import kbtools as kb
from kbtools import lineage, pipeline
from kbtools.errors import DataError, UsageError
from tests.rows import evals


@pytest.fixture
def source(tmp_path):
    """A file of evals rows."""
    kb.save(evals([1.0, 0.2, 0.9]), tmp_path / "in.jsonl")
    return str(tmp_path / "in.jsonl")


def test_record_says_what_each_stage_did(source):
    """Rows in, out, dropped with the reason, config, version."""
    out = kb.apply(kb.load(source), kb.Filter(where="reward > 0.5"))
    found = lineage.of(out)
    assert found.source.dataset == source
    assert len(found.source.sha256) == 64
    assert found.stages == ({"stage": "filter", "where": "reward > 0.5"},)
    record = found.records[0]
    assert (record.rows_in, record.rows_out, record.dropped) == (3, 2, {"not reward > 0.5": 1})
    assert (record.distribution, record.version) == ("kbtools", found.versions["kbtools"])


def test_two_applies_make_one_lineage(source):
    """Chaining in two steps is recorded as one chain."""
    half = kb.apply(kb.load(source), kb.Filter(where="reward > 0.5"))
    out = kb.apply(half, kb.Filter(where="reward > 0.95"))
    assert [record.rows_out for record in lineage.of(out).records] == [2, 1]


def test_change_outside_kbtools_ends_the_lineage(source):
    """A map of the user's own is not passed over in silence: the record says that it cannot be repeated."""
    ds = kb.load(source)
    assert lineage.of(ds).source is not None
    assert lineage.of(ds.remove_columns("task")).derived_from_memory
    assert lineage.of(ds.select([0])).derived_from_memory


def test_lineage_is_read_from_beside_the_file_and_from_within(tmp_path, source):
    """The parquet file alone is enough; only times are missing then."""
    kb.save(kb.apply(kb.load(source), kb.Filter(where="reward > 0.5")), tmp_path / "out.parquet")
    beside = lineage.read_lineage(tmp_path / "out.parquet")
    assert beside.seconds is not None
    (tmp_path / "out.parquet.lineage.json").unlink()
    within = lineage.read_lineage(tmp_path / "out.parquet")
    assert within.seconds is None
    assert within.stages == beside.stages
    assert within.records[0].dropped == beside.records[0].dropped


def test_lineage_runs_again_to_the_same_bytes(tmp_path, source):
    """A lineage file is a recipe."""
    kb.save(kb.apply(kb.load(source), kb.Filter(where="reward > 0.5")), tmp_path / "a.parquet")
    recipe = lineage.read(tmp_path / "a.parquet.lineage.json")
    again = kb.apply(pipeline.load_source(recipe.source), *pipeline.build(recipe))
    kb.save(again, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_recipe_round_trips_through_toml(tmp_path):
    """What --save-recipe writes is what run reads."""
    recipe = kb.Recipe(source={"dataset": "sample", "limit": 3}, stages=({"stage": "filter", "where": "a == 'x\"'"},))
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert lineage.read(tmp_path / "r.toml") == recipe


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[source]\ndatset = 'x'", UsageError, "unknown key 'source.datset'. Did you mean 'dataset'"),
        ("sorce = 1", UsageError, "Did you mean 'source'"),
        ("[source", DataError, "not valid TOML"),
        ("[[stages]]\nstage = 'filtr'\nwhere = 'x'", UsageError, "there is no stage 'filtr'. Did you mean 'filter'"),
        ("[[stages]]\nstage = 'filter'\nwere = 'x'", UsageError, r"stage 1 \(filter\).*'were'. Did you mean 'where'"),
        ("[[stages]]\nwhere = 'x'", UsageError, "stage 1: the key `stage` must name the stage"),
        ("[[stages]]\nstage = 'filter'\nwhere = 3", UsageError, "where: input should be a valid string"),
        (
            "[[stages]]\nstage = 'filter'\nwhere = 'a'\ncolumns = {modul_name = 'x'}",
            UsageError,
            "Did you mean 'module_name'",
        ),
    ],
)
def test_faults_of_a_recipe_are_named_with_the_nearest_word(tmp_path, text, error, message):
    """A recipe with an unknown key never runs."""
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(error, match=message):
        pipeline.build(lineage.read(tmp_path / "r.toml"))


def test_missing_and_foreign_files_have_no_lineage(tmp_path):
    """The error says what was looked for."""
    with pytest.raises(UsageError, match="no recipe"):
        lineage.read(tmp_path / "no.toml")
    with pytest.raises(UsageError, match="no file"):
        lineage.read(tmp_path / "no.parquet")
    datasets.Dataset.from_dict({"a": [1]}).to_parquet(str(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match="not written by kbtools"):
        lineage.read(tmp_path / "x.parquet")


def test_seed_of_the_recipe_is_that_of_stages_without_their_own(tmp_path):
    """A stage's own seed wins."""
    recipe = kb.Recipe(seed=7, stages=({"stage": "filter", "where": "a"},))
    assert pipeline.build(recipe)[0].where == "a"  # a stage without a seed is left alone


def test_dropped_rows_are_written_with_stage_and_reason(tmp_path, source):
    """Rows as the stage saw them, and why they went."""
    done = pipeline.run(kb.load(source), [kb.Filter(where="reward > 0.5"), kb.Filter(where="reward > 0.95")])
    pipeline.save_dropped(done, tmp_path / "gone.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "gone.jsonl").read_text().splitlines()]
    assert [(row["reward"], row["dropped_by"], row["reason"]) for row in rows] == [
        (0.2, "filter", "not reward > 0.5"),
        (0.9, "filter", "not reward > 0.95"),
    ]


def test_nothing_dropped_is_an_empty_file(tmp_path, source):
    """The file is there, with the two columns."""
    done = pipeline.run(kb.load(source), [kb.Filter(where="reward > 0")])
    pipeline.save_dropped(done, tmp_path / "gone.parquet")
    assert pq.read_table(tmp_path / "gone.parquet").to_pydict() == {"dropped_by": [], "reason": []}


SEVERAL = """
[[recipe]]
name = "one"
source = { dataset = "${ONE_PATH}" }
stages = [{ stage = "filter", where = "${WHERE:-reward > 0.5}" }]
[[recipe]]
name = "two"
source = { dataset = "${TWO_PATH}", revision = "${TWO_REVISION}" }
"""


@pytest.fixture
def several(tmp_path, monkeypatch):
    """A file of two recipes; the variable of the first is set."""
    monkeypatch.setenv("ONE_PATH", "mine.jsonl")
    (tmp_path / "r.toml").write_text(SEVERAL)
    return str(tmp_path / "r.toml")


def test_only_the_variables_of_the_chosen_recipe_are_needed(several):
    """A recipe that does not run needs nothing."""
    (one,) = lineage.read_all(several, ["one"])
    assert one.source.dataset == "mine.jsonl"
    assert one.stages[0]["where"] == "reward > 0.5"


@pytest.mark.parametrize("names", [["two"], ["one", "two"], []])
def test_missing_variables_are_all_named_before_any_recipe_runs(several, names):
    """Not one after the other."""
    with pytest.raises(UsageError, match=r"two\) needs the environment variables TWO_PATH, TWO_REVISION: set them"):
        lineage.read_all(several, names)


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        (SEVERAL, ["tow"], "no recipe 'tow'. Did you mean 'two'"),
        ("stages = []", ["one"], "single recipe without a name"),
        ("[[recipe]]\nstages = []", [], "needs a `name` of its own"),
        ('[[recipe]]\nname = "a"\n[[recipe]]\nname = "a"', [], "needs a `name` of its own"),
        ('[[recipe]]\nname = "a"\nstagse = []', [], "recipe 'a': unknown key 'stagse'. Did you mean 'stages'"),
        ('seed = 1\n[[recipe]]\nname = "a"', [], "unknown key 'seed'"),
    ],
)
def test_file_of_recipes_that_cannot_be_read(tmp_path, text, names, message):
    """A name that is not there, none or two of one, and keys that nobody knows."""
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        lineage.read_all(str(tmp_path / "r.toml"), names)
