"""Every built-in stage and judge on bad input: one table that states what each of them does.

A stage that is registered without a row in `TABLE` fails the first test. To add one: how it is built, what becomes of
it when a column that it needs is missing, of another type or null, and how many of the four good rows it gives.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pytest

import kbtools as kb
from kbtools.data.labels import LabelQuestion, opened
from kbtools.errors import KbError, RowError, SchemaError
from kbtools.pipeline import count
from kbtools.plugins import registry
from kbtools.testing import check_stage
from tests import chat
from tests.rows import EVALS, evals_row, made_of
from tests.servers.openai_replies import content_of
from tests.servers.openai_server import OpenAIServer

Outcome = tuple[type[KbError], str] | int
"""An error and what its message names, or the number of rows that come out."""


@dataclass(frozen=True)
class Broken:
    """What becomes of a stage when one column is bad."""

    missing: Outcome
    wrong_type: Outcome
    """The column holds lists of numbers."""
    null: Outcome
    """The column is null in every row."""


@dataclass(frozen=True)
class Stated:
    """What one stage does on bad input."""

    stage: Callable[[], kb.Stage]
    columns: Mapping[str, Broken]
    """By the column that is bad."""
    rows: int
    """Rows out for four good rows; ids that are all equal, odd characters and rows of 1 MB change nothing."""
    empty: Outcome = field(default=0)
    """For a dataset without rows."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further columns that the good rows need, each with its one value."""


MODEL: dict[str, Any] = {}
"""The model of the stages that ask one: a local server, once the fixture has started it."""


@cache
def local_tokenizer() -> str:
    """Folder of a tokenizer that needs no Hub."""
    return str(chat.folder(Path(tempfile.mkdtemp())))


def labels_of_code() -> kb.Stage:
    """The stage with a file of labels for PyTorch code, of no row that is here."""
    file = Path(tempfile.mkdtemp(), "of-code.labels.jsonl")
    with opened(file, LabelQuestion(column="difficulty", values=("low", "high"), shown=("info.python_code",))):
        return kb.AddLabels(labels=file)


NO_CODE = Broken((SchemaError, "reference_code"), (SchemaError, "reference_code"), (RowError, "null"))
NO_COMPLETION = Broken((SchemaError, "columns"), (SchemaError, "text or messages"), (RowError, "is null"))
NO_NAME = Broken((SchemaError, "module_name"), (SchemaError, "module_name"), (RowError, "info.module_name is null"))
TABLE: dict[str, Stated] = {
    "filter": Stated(
        lambda: kb.Filter(where="reward > 0.85"),
        {"reward": Broken((SchemaError, "'reward'"), (SchemaError, "reward is list"), (RowError, "null for 4 rows"))},
        rows=3,
    ),
    "dedup": Stated(
        kb.Dedup,
        {
            "reward": Broken((SchemaError, "reward"), (SchemaError, "numbers"), (RowError, "reward is null")),
            "info": NO_NAME,
        },
        rows=4,
    ),
    "split": Stated(kb.Split, {"info": NO_NAME}, rows=4),
    "near-dedup": Stated(lambda: kb.NearDedup(by="none"), {"info": replace(NO_CODE, null=4)}, rows=4),
    "add-labels": Stated(
        labels_of_code,
        {"info": Broken((SchemaError, "info.python_code"), (SchemaError, "info.python_code"), 4)},
        rows=4,
    ),
    "pass-rate": Stated(
        kb.PassRate,
        {
            "reward": Broken((SchemaError, "reward"), (SchemaError, "single values"), 4),
            "info": NO_NAME,
        },
        rows=4,
    ),
    "select": Stated(
        kb.Select,
        {
            "reward": Broken((SchemaError, "reward"), (SchemaError, "numbers"), 0),
            "info": NO_NAME,
            "completion": replace(NO_COMPLETION, null=0),
        },
        rows=4,
    ),
    "explode-turns": Stated(
        kb.ExplodeTurns, {"completion": replace(NO_COMPLETION, null=(RowError, "4 x not-messages"))}, rows=4
    ),
    "to-preferences": Stated(kb.ToPreferences, {"info": NO_NAME, "completion": replace(NO_COMPLETION, null=0)}, rows=0),
    "to-tasks": Stated(
        kb.ToTasks,
        {"info": NO_NAME, "prompt": Broken((SchemaError, "prompt"), (SchemaError, "messages"), (RowError, "prompt"))},
        rows=4,
    ),
    "to-repair": Stated(kb.ToRepair, {"info": NO_NAME, "completion": replace(NO_COMPLETION, null=0)}, rows=0),
    "sample": Stated(lambda: kb.Sample(per_group=1), {"info": NO_NAME}, rows=4),
    "compare": Stated(
        lambda: kb.Compare(group="task", template="comparison@v1", **MODEL),
        {
            "task": Broken((SchemaError, "'task'"), (SchemaError, "single values"), 2),
            "info": NO_CODE,
            "completion": NO_COMPLETION,
        },
        rows=2,
    ),
    "generate-prompts": Stated(
        lambda: kb.GeneratePrompts(template="task-prompt@v1", **MODEL), {"info": NO_CODE}, rows=4
    ),
    "synthesize": Stated(lambda: kb.Synthesize(template="triton-conversion@v1", **MODEL), {"info": NO_CODE}, rows=4),
    "judge model": Stated(
        lambda: kb.Judge(judge="model", rubric="difficulty@v1", **MODEL),
        {"info": NO_CODE, "completion": NO_COMPLETION},
        rows=4,
    ),
    "judge panel": Stated(
        lambda: kb.Judge(judge="panel", rubric="difficulty@v1", models=(MODEL["model"], f"{MODEL['model']}2")),
        {"info": NO_CODE, "completion": NO_COMPLETION},
        rows=4,
    ),
    "verify": Stated(
        lambda: kb.Verify(store=str(Path.cwd() / "verdicts.sqlite"), seed=1),
        {
            "info": Broken((SchemaError, "reference_code"), (SchemaError, "reference_code"), 4),
            "completion": Broken((SchemaError, "reference_code"), (SchemaError, "messages"), 4),
        },
        rows=4,
    ),
    "judge static": Stated(
        lambda: kb.Judge(judge="static"),
        {
            "info": Broken(4, 4, 4),
            "completion": Broken((SchemaError, "reference_code"), (SchemaError, "text or messages"), 4),
        },
        rows=4,
    ),
    "lengths": Stated(
        lambda: kb.Lengths(tokenizer=local_tokenizer()),
        {
            "prompt": Broken(4, (SchemaError, "messages"), (RowError, "row 0 (example_id 100) cannot be tokenized")),
            "completion": Broken(4, (SchemaError, "messages"), (RowError, "its completion is null")),
        },
        rows=4,
    ),
    "correlate": Stated(
        lambda: kb.Correlate(between=("reward", "example_id"), resamples=20, plots=None),
        {"reward": Broken((SchemaError, "no column 'reward'"), (SchemaError, "must hold numbers"), 4)},
        rows=4,
    ),
    "agreement": Stated(
        lambda: kb.Agreement(between=("task", "answer"), level="nominal", resamples=20),
        {"task": Broken((SchemaError, "no column 'task'"), (SchemaError, "must hold numbers, labels"), 4)},
        rows=4,
    ),
    "stats": Stated(kb.Stats, {"reward": Broken(4, 4, 4), "info": Broken(4, 4, 4)}, rows=4),
    "strip-reasoning": Stated(
        kb.StripReasoning,
        {"completion": Broken((SchemaError, "completion"), (SchemaError, "messages"), (RowError, "4 x null-value"))},
        rows=4,
    ),
    **{
        name: Stated(
            stage,
            {
                "prompt": Broken((SchemaError, "prompt"), (SchemaError, "messages"), (RowError, "4 x null-value")),
                "completion": Broken((SchemaError, "columns"), (SchemaError, "messages"), (RowError, "4 x null-value")),
            },
            rows=4,
        )
        for name, stage in {"to-messages": kb.ToMessages, "to-prompt-completion": kb.ToPromptCompletion}.items()
    },
    "convert-rollouts": Stated(
        kb.ConvertRollouts,
        {
            "completion": Broken((SchemaError, "not rollouts"), (RowError, "4 x not-messages"), (RowError, "unknown")),
            "info": Broken((RowError, "4 x no-info"), (RowError, "4 x no-info"), (RowError, "4 x no-info")),
        },
        rows=4,
        more={"generation_ms": 1.5, "oai_tools": "null"},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real server whose replies fit every schema, and whose texts are an answer with the name of every class."""
    classes = " ".join(f"{name}New" for name in (*NAMES, *ODD_NAMES))

    def reply(body: dict[str, Any]) -> str:
        return f"<answer>Write {classes}.</answer>" if "response_format" not in body else content_of(body, None, "ok")

    with pytest.MonkeyPatch.context() as patch, OpenAIServer(reply=reply) as server:
        patch.setenv("KBTOOLS_STORE", str(tmp_path_factory.mktemp("store") / "replies.sqlite"))
        MODEL["model"] = f"{server.url}#test-model"
        yield


NAMES = ("A", "B", "C", "D")
SHORT = "<answer>\nx = 1\n</answer>"
ODD_NAMES = ("A\x00", "A\u202e", "💥", "é e\u0301")


@cache
@cache
def good(names: tuple[str, ...] = NAMES, content: str = SHORT) -> datasets.Dataset:
    """Four rows that every stage takes, two of them with this content."""
    rewards = [0.9, 0.5, 0.95, 1.1]
    contents = (content, content, SHORT, SHORT)
    rows = [evals_row(i, name, rewards[i], contents[i]) for i, name in enumerate(names)]
    return made_of(rows, EVALS)


def with_column(ds: datasets.Dataset, name: str, values: list[object], feature: object) -> datasets.Dataset:
    """The dataset with one column replaced."""
    return ds.remove_columns(name).add_column(name, values, feature=feature)


def expect(stated: Stated, ds: datasets.Dataset, outcome: Outcome) -> None:
    """Check that the stage does on this dataset what the table says, and keeps its contract doing so."""
    ds = with_more(stated, ds)
    if isinstance(outcome, int):
        assert count(check_stage(stated.stage(), ds)) == outcome
        return
    error, says = outcome
    with pytest.raises(error) as caught:
        stated.stage().run(ds)
    assert says in str(caught.value)


def with_more(stated: Stated, ds: datasets.Dataset) -> datasets.Dataset:
    """The dataset with the further columns that the stage needs."""
    for name, value in stated.more.items():
        ds = ds.add_column(name, [value] * ds.num_rows)
    return ds


ELSEWHERE = {
    "push": "takes rows of any columns, and needs a Hub: tests/hub",
    "judge": "chooses one of the judges, each of which has its row",
    "decontaminate": "needs a set to hold the rows against: tests/plugins/leaks",
}
"""Stages that have no row in the table, and where they are tested."""

SLOW = {"verify": pytest.mark.slow}  # starts processes with torch for every check
CASES = [
    pytest.param(stated, column, id=f"{name}-{column}", marks=SLOW.get(name, ()))
    for name, stated in TABLE.items()
    for column in stated.columns
]
STAGES = [pytest.param(stated, id=name, marks=SLOW.get(name, ())) for name, stated in TABLE.items()]


def test_every_stage_and_judge_of_kbtools_is_in_the_table() -> None:
    """A new stage must say what it does on bad input."""
    ours = (*registry().stages().values(), *registry().judges().values())
    judges = {cls: f"judge {name}" for name, cls in registry().judges().items()}
    names = {judges.get(cls, cls.name) for cls in ours if registry().origin(cls).distribution == "kbtools"}
    assert names == set(TABLE) | set(ELSEWHERE)


@pytest.mark.parametrize(("stated", "column"), CASES)
def test_missing_column(stated: Stated, column: str) -> None:
    """A column that is not there is found before the first row, or is not needed."""
    expect(stated, good().remove_columns(column), stated.columns[column].missing)


@pytest.mark.parametrize(("stated", "column"), CASES)
def test_column_of_another_type(stated: Stated, column: str) -> None:
    """A list of numbers is neither a text, a number, nor a message."""
    ds = with_column(good(), column, [[1.5]] * 4, datasets.List(datasets.Value("float64")))
    expect(stated, ds, stated.columns[column].wrong_type)


@pytest.mark.parametrize(("stated", "column"), CASES)
def test_column_of_nulls(stated: Stated, column: str) -> None:
    """Nulls are errors that name the rows, or have a stated meaning."""
    expect(stated, with_column(good(), column, [None] * 4, EVALS[column]), stated.columns[column].null)


@pytest.mark.parametrize("stated", STAGES)
def test_empty_dataset(stated: Stated) -> None:
    """A dataset without rows passes through."""
    expect(stated, good().select([]), stated.empty)


@pytest.mark.parametrize("stated", STAGES)
def test_equal_ids(stated: Stated) -> None:
    """Ids name rows in messages and need not be unique."""
    expect(stated, with_column(good(), "example_id", [7] * 4, EVALS["example_id"]), stated.rows)


@pytest.mark.parametrize("stated", STAGES)
def test_odd_characters_survive_the_stage_and_the_file(stated: Stated, tmp_path: Path) -> None:
    """NUL, right-to-left marks, emoji, a BOM, odd line ends: no stage stumbles, and the files give them back."""
    odd = "\x00 \u202eabc\u202c 💥👩‍👩‍👧 e\u0301 \ufeff \u2028 \r\n \x85 \U0010ffff"
    ds = good(ODD_NAMES, f"<answer>\nx = 1  # {odd}\n</answer>")
    out = stated.stage().run(with_more(stated, ds)).dataset
    assert count(out) == stated.rows
    part = next(iter(out.values())) if isinstance(out, dict) else out
    for name in ("out.parquet", "out.jsonl"):
        kb.save(part, tmp_path / name)
        assert kb.load(str(tmp_path / name)).to_list() == part.to_list()


@pytest.mark.parametrize("stated", STAGES)
def test_rows_of_a_megabyte(stated: Stated) -> None:
    """Long rows are processed whole."""
    lines = f"x = 1.0  # {'one ' * 250}\n" * 1_000
    out = stated.stage().run(with_more(stated, good(content=f"<answer>\n{lines}</answer>"))).dataset
    assert count(out) == stated.rows
