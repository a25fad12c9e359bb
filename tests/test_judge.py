"""A judge's verdict becomes typed columns beside the old ones, whichever judge it is."""

from typing import ClassVar, Literal

import datasets
import pytest

import kbtools as kb
from kbtools.errors import ConfigError, KbError, SchemaError
from kbtools.testing import check_judge
from tests.rows import evals


class LengthVerdict(kb.Verdict):
    """How long the code is."""

    size: Literal["short", "long"]
    """In words."""
    lines: int | None
    """Lines of code; None for no code."""


class LengthJudge(kb.Judge):
    """Rate code by its length."""

    scope: ClassVar[kb.stage.Scope] = "row"
    reads: ClassVar[tuple[str, ...]] = ("reference_code",)
    may_read: ClassVar[tuple[str, ...]] = ("completion",)
    verdict: ClassVar[type[kb.Verdict]] = LengthVerdict
    judge: Literal["length"] = "length"
    """This judge."""
    most: int = 3
    """Lines from which code is long."""

    def rate(self, material):
        """Count the lines."""
        lines = (material["reference_code"] or "").count("\n")
        seen = material.get("completion") or "nothing"
        return LengthVerdict(size="long" if lines > self.most else "short", lines=lines or None, evaluation_raw=seen)


def test_fields_of_the_verdict_become_typed_columns():
    """All other columns stay."""
    ds = evals([1.0, 0.5])
    out = LengthJudge()(ds)
    assert out.column_names == [*ds.column_names, "evaluation_raw", "size", "lines"]
    assert out.features["lines"] == datasets.Value("int64")
    assert out["size"][:] == ["long", "long"]
    assert out["evaluation_raw"][:] == ["<answer>\nx = 0\n</answer>", "<answer>\nx = 1\n</answer>"]
    assert out.remove_columns(["evaluation_raw", "size", "lines"]).to_list() == ds.to_list()


def test_columns_keep_their_type_when_all_values_are_null():
    """A thousand nulls do not make a column of nothing."""
    ds = evals([1.0, 1.0]).map(lambda row: {"info": {**row["info"], "python_code": None}}, features=evals([]).features)
    out = LengthJudge()(ds)
    assert out["lines"][:] == [None, None]
    assert out.features["lines"] == datasets.Value("int64")


def test_second_judge_keeps_its_raw_text_beside_the_first():
    """Judging twice with prefixes gives two raw columns, not a clash."""
    out = kb.apply(evals([1.0]), LengthJudge(), LengthJudge(prefix="again_"))
    assert {"evaluation_raw", "again_evaluation_raw", "size", "again_size"} <= set(out.column_names)


def test_judge_never_overwrites_a_column():
    """An existing column of the same name is an error before any row."""
    with pytest.raises(SchemaError, match="column 'size' exists already.*prefix="):
        kb.apply(evals([1.0]), LengthJudge(), LengthJudge())


def test_counts_of_labels_are_facts_of_the_record():
    """The lineage knows the distribution."""
    from kbtools.pipeline import run

    assert run(evals([1.0, 1.0]), [LengthJudge()]).records[0].facts == {"verdicts": {"size": {"long": 2}}}


def test_missing_material_is_found_up_front():
    """A judge that needs the reference code says so before it runs."""
    with pytest.raises(SchemaError, match="reference_code of this dataset is in none"):
        kb.apply(datasets.Dataset.from_dict({"x": ["a"]}), LengthJudge())


def test_contract_check_returns_the_verdict():
    """Authors test their judge in one line."""
    assert check_judge(LengthJudge(), reference_code="a\n" * 9).size == "long"


def test_unknown_judge_and_missing_model_judge_say_what_to_do():
    """`kb.Judge(judge=...)` finds judges by name."""
    with pytest.raises(kb.errors.UsageError, match="there is no judge 'statik'"):
        kb.Judge(judge="statik")


def test_failing_judge_names_its_class():
    """A judge that defines nothing is told what it lacks."""

    class Nothing(kb.Judge):
        """Does nothing."""

        scope: ClassVar[kb.stage.Scope] = "row"
        judge: Literal["nothing"] = "nothing"
        """This judge."""

    with pytest.raises(TypeError, match="judge 'nothing' \\(Nothing\\) defines neither"):
        Nothing()(evals([1.0]))


def test_no_default_judge_without_a_model():
    """Without a model judge installed, the error names the one that needs no model."""
    if "model" not in kb.plugins.registry().judges():
        with pytest.raises(ConfigError, match="--judge static"):
            kb.Judge()
    else:
        assert kb.Judge(rubric="difficulty").judge == "model"


@pytest.mark.parametrize("values", [[1, 2], [{"a": "x"}] * 2, [["x"]] * 2])
def test_a_column_that_is_no_text_is_refused_up_front(values):
    """Numbers, structs and lists of anything but messages are not read as code; where one may be read, too."""
    ds = evals([1.0, 1.0]).remove_columns("completion").add_column("completion", values)
    with pytest.raises(SchemaError, match="column 'completion' must hold text or messages"):
        LengthJudge()(ds)


def test_a_column_of_nulls_is_text_that_is_missing():
    """As files have it in which no row gives a value."""
    ds = evals([1.0]).remove_columns("completion").add_column("completion", [None])
    assert LengthJudge()(ds)["evaluation_raw"][:] == ["nothing"]


class Forgetful(LengthJudge):
    """Gives what is no verdict, or breaks."""

    judge: Literal["forgetful"] = "forgetful"
    """This judge."""
    breaks: bool = False
    """Break instead."""

    def rate(self, material):
        """Neither is a verdict."""
        return 1 / 0 if self.breaks else {"size": "long"}


def test_what_is_no_verdict_is_a_defect_that_names_the_judge():
    with pytest.raises(KbError, match="`rate` of judge 'forgetful' gave dict instead of LengthVerdict"):
        kb.apply(evals([1.0]), Forgetful())


def test_an_error_of_a_stage_keeps_its_type_and_says_where_it_came_from():
    """The trace of a plugin's defect ends with the stage that has it."""
    with pytest.raises(ZeroDivisionError) as caught:
        kb.apply(evals([1.0]), kb.Sample(first=1), Forgetful(breaks=True))
    assert caught.value.__notes__ == ["raised in stage 2 (judge)"]
