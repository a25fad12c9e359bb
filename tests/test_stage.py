"""Stages chain, are checked as a whole before any row, and treat splits as their scope says."""

from typing import ClassVar, Literal

import datasets
import pytest
from pydantic import ValidationError

import kbtools as kb
from kbtools.data.table import map_batches, take
from kbtools.errors import KbError, SchemaError, UsageError
from kbtools.llm import ModelStage
from kbtools.testing import check_stage
from tests.rows import evals


class AddOne(kb.Stage):
    """Add one to a column."""

    name: ClassVar[str] = "add-one"
    scope: ClassVar = "row"
    column: str = "reward"
    """Column to add to."""
    touched: ClassVar[list[int]] = []

    def output_features(self, features):
        """The same, once the column is known to be numbers."""
        kb.Schema(features).require(self.column, "number")
        return features

    def transform(self, ds):
        """Add one."""
        import pyarrow.compute as pc

        self.touched.append(ds.num_rows)

        def add(table):
            position = table.schema.get_field_index(self.column)
            return table.set_column(position, self.column, pc.add(table[self.column], 1.0))

        return kb.Result(map_batches(ds, add, features=ds.features, fingerprint=self.fingerprint(ds)))


class Forget(kb.Stage):
    """Leave a column out."""

    name: ClassVar[str] = "forget"
    scope: ClassVar = "row"
    column: str
    """Column to leave out."""

    def output_features(self, features):
        """All but the column."""
        kb.Schema(features).path(self.column)
        return datasets.Features({name: kind for name, kind in features.items() if name != self.column})

    def transform(self, ds):
        """Leave it out."""
        return kb.Result(ds.remove_columns(self.column))


class FirstOnly(kb.Stage):
    """Keep the first row of all splits together."""

    name: ClassVar[str] = "first-only"
    scope: ClassVar = "dataset"

    def transform(self, ds):
        """Keep one row."""
        rest = take(ds, range(1, ds.num_rows), self.fingerprint(ds, "rest"))
        return kb.Result(take(ds, [0], self.fingerprint(ds)), dropped=(kb.Drop(rest, "not the first"),))


def test_stages_chain_with_a_bar():
    """`stage | stage | stage` is one flat pipeline."""
    chain = AddOne() | AddOne() | (AddOne() | Forget(column="task"))
    assert [stage.name for stage in chain.stages] == ["add-one", "add-one", "add-one", "forget"]
    out = chain(evals([1.0]))
    assert out["reward"][:] == [4.0]
    assert "task" not in out.column_names


def test_fields_are_checked_when_a_stage_is_made():
    """A misspelt keyword is an error at once, and a stage never changes."""
    with pytest.raises(UsageError, match="AddOne: unknown key 'colum'. Did you mean 'column'?"):
        AddOne(colum="x")
    with pytest.raises(ValidationError, match="frozen"):
        AddOne().column = "x"


def test_whole_chain_is_checked_before_the_first_row():
    """A fault of the last stage is found before the first one runs."""
    AddOne.touched.clear()
    with pytest.raises(SchemaError, match=r"stage 2 \(add-one\).*no column 'nope'"):
        kb.apply(evals([1.0]), AddOne(), AddOne(column="nope"))
    assert AddOne.touched == []


def test_need_of_a_removed_column_blames_the_stage_that_removed_it():
    """The error names who took the column away."""
    with pytest.raises(SchemaError, match=r"stage 2 \(add-one\).*reward was removed by stage 1 \(forget\)"):
        kb.apply(evals([1.0]), Forget(column="reward"), AddOne())


def test_wrong_type_is_found_up_front():
    """Text cannot be added to."""
    with pytest.raises(SchemaError, match="column 'task' must hold numbers, but its type is string"):
        kb.apply(evals([1.0]), AddOne(column="task"))


def test_row_stage_treats_every_split_alone():
    """A DatasetDict goes in and comes out."""
    data = datasets.DatasetDict(train=evals([1.0, 2.0]), validation=evals([3.0]))
    out = kb.apply(data, AddOne())
    assert {name: ds["reward"][:] for name, ds in out.items()} == {"train": [2.0, 3.0], "validation": [4.0]}


def test_dataset_stage_sees_all_splits_and_rows_stay_where_they_are():
    """What is kept stays in its split, what is dropped is accounted for over all splits."""
    data = datasets.DatasetDict(train=evals([1.0, 2.0]), validation=evals([3.0]))
    result = FirstOnly().run(data)
    assert {name: ds.num_rows for name, ds in result.dataset.items()} == {"train": 1, "validation": 0}
    assert result.dropped_counts() == {"not the first": 2}
    assert result.dataset["train"].features == data["train"].features
    assert result.dropped[0].rows.features == data["train"].features


def test_contract_check_passes_a_good_stage():
    """The helper for plugin authors accepts a stage that keeps the contract."""
    assert check_stage(AddOne(), evals([1.0, 2.0]))["reward"][:] == [2.0, 3.0]


class LosesRows(FirstOnly):
    """Drop rows and say nothing."""

    name: ClassVar[str] = "loses-rows"

    def transform(self, ds):
        """Keep one row, silently."""
        return kb.Result(take(ds, range(min(1, ds.num_rows)), self.fingerprint(ds)))


class LiesAboutFeatures(AddOne):
    """Declare a column that never comes."""

    name: ClassVar[str] = "lies"

    def output_features(self, features):
        """One column too many."""
        return datasets.Features({**features, "ghost": datasets.Value("string")})


class HidesAnOption(AddOne):
    """Be limited in a way of its own."""

    name: ClassVar[str] = "hides"
    limit: int = 3
    """Not that of the run."""


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        (LosesRows(), "gone without a reason"),
        (LiesAboutFeatures(), "declared"),
        (HidesAnOption(), "limit would hide an option"),
    ],
)
def test_contract_check_refuses_bad_stages(stage, complaint):
    """Silent losses and undeclared columns are found."""
    with pytest.raises(AssertionError, match=complaint):
        check_stage(stage, evals([1.0, 2.0]))


class NoScope(kb.Stage):
    """Leave everything as it is, and not say what has to be seen at once."""

    name: ClassVar[str] = "no-scope"

    def transform(self, ds):
        """Nothing."""
        return kb.Result(ds)


def test_a_stage_states_its_scope():
    """Without it the contract check, a run and a chain all say what to write, before any row."""
    ds = evals([1.0])
    with pytest.raises(AssertionError, match=r"NoScope does not state its scope. Write `scope: ClassVar"):
        check_stage(NoScope(), ds)
    for call in (NoScope().run, NoScope(), AddOne() | NoScope()):
        AddOne.touched.clear()
        with pytest.raises(KbError, match=r"test_stage.NoScope does not state its scope"):
            call(ds)
        assert AddOne.touched == []


class SilentJudge(kb.Judge):
    """Rate nothing, and not say what has to be seen at once."""

    judge: Literal["silent"] = "silent"
    """This judge."""


class SilentModelStage(ModelStage):
    """Ask nothing, and not say what has to be seen at once."""

    name: ClassVar[str] = "silent"

    def requests(self, inputs, model):
        """None."""
        return ()

    def parse(self, inputs, replies):
        """Nothing."""
        return {}


@pytest.mark.parametrize("stage", [SilentJudge(), SilentModelStage()])
def test_judges_and_stages_that_ask_state_their_scope_too(stage):
    """The bases state none that a subclass would get without a word."""
    with pytest.raises(AssertionError, match="does not state its scope"):
        check_stage(stage, evals([1.0]))
    with pytest.raises(KbError, match="does not state its scope"):
        stage.run(evals([1.0]))


def test_rows_lost_without_a_reason_are_noted_in_the_record():
    """No dropped row goes uncounted, whatever a plugin does."""
    from kbtools.pipeline import run

    record = run(evals([1.0, 2.0, 3.0]), [LosesRows()]).records[0]
    assert "2 rows left out without a reason" in record.notes[0]


def test_a_chain_that_is_called_is_recorded_as_one_that_is_applied():
    """`chain(ds)` and `kb.apply(ds, chain)` are one thing: the same rows with the same lineage."""
    ds, chain = evals([1.0, 2.0, 3.0]), AddOne() | kb.Split()
    called, applied = kb.lineage.of(chain(ds)), kb.lineage.of(kb.apply(ds, chain))
    assert called.embedded() == applied.embedded()
    assert called.records[1].facts["shared_groups"] == 0


def test_a_chain_within_a_stage_keeps_the_facts_of_its_parts():
    """`run`, which records nothing, says whose facts they are."""
    facts = (AddOne() | kb.Split()).run(evals([1.0, 2.0, 3.0])).facts
    assert facts["2 split"]["shared_groups"] == 0


def test_what_people_must_know_is_logged(caplog):
    """From Python, too, notes are warnings; rows dropped as asked for are information."""
    caplog.set_level("INFO", "kbtools")
    kb.apply(evals([1.0, 2.0, 3.0]), LosesRows())
    FirstOnly()(evals([1.0, 2.0, 3.0]))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "loses-rows: 2 rows left out without a reason: a defect of stage 'loses-rows'"),
        ("INFO", "first-only dropped 2 rows: not the first"),
    ]
