"""Messages are written with options, and read in Python as keywords; shares are numbers or percentages everywhere."""

import logging

import datasets
import pandas as pd
import pytest

import kbtools as kb
from kbtools.errors import KbError
from kbtools.lineage import read
from kbtools.pipeline import build
from kbtools.spelling import as_python


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("Use --nulls drop or --nulls keep to continue.", "Use nulls='drop' or nulls='keep' to continue."),
        ("--answer last takes the last one", "answer='last' takes the last one"),
        ("--unwrap keeps it as it is", "unwrap=True keeps it as it is"),
        ("--no-leakage leaves it out", "leakage=False leaves it out"),
        ("where it is with --columns code=COLUMN.", "where it is with columns={'code': COLUMN}."),
        ("--between a,b names a column twice", "between=('a', 'b') names a column twice"),
        ("give one of --first N and --random N", "give one of first=N and random=N"),
        ("(--limit or TEST_MODE)", "(limit= or TEST_MODE)"),
        ("--where 'reward > \"high\"' names", "where='reward > \"high\"' names"),
        ("--by difficulty: 4 values", "by='difficulty': 4 values"),
        ("with --license (`--license unknown` says so)", "with license= (`license='unknown'` says so)"),
        ("run `kbtools apply x --on-error drop` again", "run `kbtools apply x --on-error drop` again"),
        ("give a local one: --tokenizer FILE.json", "give a local one: tokenizer=FILE.json"),
        ("start the server with --reasoning-parser", "start the server with --reasoning-parser"),
        ("an a -- b, and 5 --> 6", "an a -- b, and 5 --> 6"),
    ],
)
def test_options_become_keywords(written, spelled):
    """With the values that belong to them, and nothing that is a word of the sentence; commands stay commands."""
    assert as_python(written) == spelled
    assert as_python(spelled) == spelled


CALLS = {
    "nulls='drop' or nulls='keep'": lambda: kb.apply(named(None), kb.Dedup()),
    "first=N, random=N and per_group=N": lambda: kb.Sample(),
    "columns={'module_name': COLUMN}": lambda: kb.Dedup(by="none")(kb.load("sample").select_columns(["task"])),
    "split='trian'": lambda: kb.load("sample", split="trian"),
    "path='rows.txt'": lambda: kb.save(kb.load("sample"), "rows.txt"),
    "where='reward > '": lambda: kb.apply(kb.load("sample"), kb.Filter(where="reward > ")),
}


def named(name):
    """Two rows, the first of which has this name."""
    import datasets

    return datasets.Dataset.from_dict({"module_name": [name, "b"], "python_code": ["x", "y"], "reward": [1.0, 2.0]})


@pytest.mark.parametrize("spelled", CALLS)
def test_errors_of_python_name_keywords(spelled):
    """Whichever door they come through: a class, a chain, `load`, `save`."""
    with pytest.raises(KbError) as caught:
        CALLS[spelled]()
    assert spelled in str(caught.value)
    assert " --" not in str(caught.value)


def test_the_command_line_names_options(cli):
    """The same message there."""
    done = cli("apply", "sample", "--dataset", "sample")
    assert "--first N, --random N and --per-group N" in done.err
    done = cli("apply", "dedup", "--dataset", "sample", "--split", "trian")
    assert "--split 'trian'" in done.err


def test_notes_of_python_name_keywords_and_records_stay_as_they_are(caplog):
    """The log is for who called; the lineage is the same however a run was started."""
    with caplog.at_level(logging.WARNING, logger="kbtools"):
        out = kb.apply(kb.load("sample"), kb.Dedup())
    assert "collisions='split' keeps one for each code" in caplog.text
    lineage = kb.lineage.of(out)
    assert "--collisions split keeps one for each code" in lineage.records[0].notes[0]
    assert "collisions=&#x27;split&#x27; keeps" in lineage._repr_html_()


@pytest.mark.parametrize("share", ["10%", " 10 %", "10.0%", 0.1])
def test_shares_are_numbers_or_percentages(share, tmp_path):
    """In Python and in recipes, as on the command line; what is recorded is the number."""
    assert kb.Split(validation=share) == kb.Split(validation=0.1)
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'[[stages]]\nstage = "split"\nvalidation = "{share}"\n')
    assert build(read(recipe))[0].config().get("validation", 0.1) == 0.1


def test_texts_and_counts_take_no_percentage():
    """A column may be called `10%`; ten percent of a seed is nothing."""
    assert kb.Filter(where="10%").where == "10%"
    with pytest.raises(KbError, match="seed="):
        kb.Split(seed="10%")
    with pytest.raises(KbError, match="less than 1, a share such as 0.1 or 10%"):
        kb.Split(validation="110%")


def test_a_path_is_loaded_as_its_name_is(tmp_path):
    """Programs hold paths."""
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    assert kb.load(tmp_path / "x.jsonl").to_list() == kb.load(str(tmp_path / "x.jsonl")).to_list()


WRONG = {
    "kb.load('sample') gives one": lambda: kb.apply("sample", kb.Dedup()),
    "without streaming=True": lambda: kb.apply(datasets.Dataset.from_dict({"a": [1]}).to_iterable_dataset()),
    "datasets.Dataset.from_pandas(it)": lambda: kb.apply(pd.DataFrame({"a": [1]}), kb.Dedup()),
    "datasets.Dataset.from_list(it)": lambda: kb.save([{"a": 1}], "rows.parquet"),
    "write kb.Filter(...)": lambda: kb.apply(kb.load("sample", limit=2), kb.Filter),
    "this is none: 'filter'": lambda: kb.apply(kb.load("sample", limit=2), "filter"),
    "one after the other or as a | b": lambda: kb.apply(kb.load("sample", limit=2), [kb.Dedup()]),
    "'reward > 1' has no name. Write it behind one of columns=, where=": lambda: kb.Filter("reward > 1"),
}


@pytest.mark.parametrize("said", WRONG)
def test_calls_that_a_newcomer_writes_are_told_how(said):
    """No traceback into the library: what was given, and how it is written."""
    with pytest.raises(KbError) as caught:
        WRONG[said]()
    assert said in str(caught.value)


def test_an_unknown_class_names_the_nearest():
    """As everywhere else."""
    with pytest.raises(AttributeError, match=r"Did you mean 'Filter'\?"):
        kb.Filer  # noqa: B018  # the look-up is what is tried


def test_one_name_is_a_list_of_one():
    """`key="code"` as on the command line; `a,b` are two."""
    assert kb.Dedup(key="code") == kb.Dedup(key=("code",))
    assert kb.Agreement(between="a,b") == kb.Agreement(between=("a", "b"))
