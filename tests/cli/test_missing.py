"""What a run lacks is told at once, each thing with how to give it, before anything is read or asked."""

import pytest

DATASET = "give --dataset NAME (`--dataset sample` needs no network), or set DATASET_PATH"
MODEL = "asks a model, and none is configured. Give --model SPEC"
TOKEN = "there is no token. Set HF_TOKEN"
LICENCE = "give one with --license"


@pytest.fixture(autouse=True)
def nothing_given(tmp_path, monkeypatch):
    """An empty folder and none of the variables that users have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    names = ("DATASET_PATH", "FILTERED_DATASET_PATH", "KBTOOLS_MODEL", "DATA_MODEL", "HF_TOKEN", "PRIME_API_KEY")
    for name in names:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("apply judge strip-reasoning --push", (DATASET, MODEL, TOKEN, LICENCE)),
        ("apply judge strip-reasoning --push --license mit", (DATASET, MODEL, TOKEN)),
        ("apply judge judge --rubric style --push --dataset sample", (MODEL, TOKEN)),
        ("apply judge --model prime:x --dataset sample --push", ("PRIME_API_KEY, which is not set", TOKEN)),
        ("apply synthesize", (DATASET, MODEL)),
        ("run recipe.toml", (DATASET, MODEL, TOKEN, LICENCE)),
        ("upload filtered", ("give --dataset NAME, or set FILTERED_DATASET_PATH", TOKEN, LICENCE)),
    ],
)
def test_all_that_is_missing_is_one_message(cli, tmp_path, words, needs):
    """Once each, and nothing that is there."""
    (tmp_path / "recipe.toml").write_text('[[stages]]\nstage = "judge"\n[[stages]]\nstage = "push"\n')
    done = cli(*words.split())
    assert done.code == 3
    said = done.err[done.err.index("error: ") :]
    assert said.startswith(f"error: this run lacks {len(needs)} things:\n  - ")
    assert [said.count(need) for need in needs] == [1] * len(needs)
    assert said.count("\n  - ") == len(needs)


@pytest.mark.parametrize(
    ("words", "code", "need"),
    [("apply dedup", 2, DATASET), ("apply judge --dataset sample", 3, MODEL)],
)
def test_one_missing_thing_needs_no_list(cli, words, code, need):
    """As it always was: what is missing, and the exit code of its kind."""
    done = cli(*words.split())
    assert done.code == code
    assert need in done.err
    assert "things" not in done.err
