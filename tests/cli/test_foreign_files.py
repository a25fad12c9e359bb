"""Reports, plots and exports: what was not made from the same dataset is replaced only with `--overwrite`."""

import shutil

import pytest

import kbtools as kb
from kbtools.models import ResponseStore
from tests.rows import evals

STATS = ("apply", "stats", "--plots", "plots")
FOREIGN = {
    "report": (("report", "rows.jsonl"), "report.html"),
    "report --out": (("report", "rows.jsonl", "--out", "mine.html"), "mine.html"),
    "report --plots": (("report", "rows.jsonl", "--plots", "plots"), "plots/distributions-reward.png"),
    "correlate": (("apply", "correlate", "--between", "reward,num_turns", "--dataset", "rows.jsonl"),
                  "plots/correlation_analysis.svg"),
    "stats": ((*STATS, "--dataset", "rows.jsonl"), "plots/stats.png"),
    "figures": ((*STATS, "--dataset", "rows.jsonl"), "plots/stats.json"),
    "recipe": (("run", "r.toml"), "plots/stats.png"),
    "export": (("store", "export", "rows.jsonl"), "rows.jsonl"),
    "environment": (("env", "mine", "--dataset", "sample", "--split", "train"), "mine/notes.txt"),
    "stage": (("new", "stage", "mine"), "kbtools-mine/notes.txt"),
}  # fmt: skip


@pytest.fixture
def here(file, tmp_path, monkeypatch):
    """The folder of `rows.jsonl`, an empty store and a recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBTOOLS_STORE", "s.sqlite")
    ResponseStore("s.sqlite").close()
    (tmp_path / "r.toml").write_text(
        '[source]\ndataset = "rows.jsonl"\n[[stages]]\nstage = "stats"\nplots = "plots"\n[output]\nout = "o.json"\n'
    )
    return tmp_path


@pytest.mark.parametrize("case", FOREIGN)
def test_files_of_others_stay(cli, here, case):
    """Refused before any work, by the file's name."""
    words, name = FOREIGN[case]
    path = here / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text("mine\n")
    before = path.read_bytes()
    refused = cli(*words)
    assert (refused.code, path.read_bytes()) == (2, before), refused.err
    assert path.name in refused.err or path.parent.name in refused.err
    assert "exists" in refused.err


def test_what_was_made_of_the_same_is_replaced_and_said(cli, here):
    """Plots of another dataset are somebody else's; so are those of its first rows."""
    first = cli(*STATS, "--dataset", "rows.jsonl")
    assert (first.code, "replaces" in first.err) == (0, False), first.err
    again = cli(*STATS, "--dataset", str(here / "rows.jsonl"))
    assert (again.code, again.err.count("replaces plots/stats")) == (0, 3), again.err
    shutil.copy("rows.jsonl", "other.jsonl")
    for words in (("--dataset", "other.jsonl"), ("--dataset", "rows.jsonl", "--limit", "3")):
        refused = cli(*STATS, *words)
        assert (refused.code, "was made from another dataset" in refused.err) == (2, True), refused.err
    told = cli(*STATS, "--dataset", "other.jsonl", "--overwrite")
    assert (told.code, told.err.count("warning: replaces plots/stats")) == (0, 3), told.err


def test_a_report_is_replaced_by_one_about_the_same(cli, here):
    """And it is said; one about something else needs to be told."""
    assert cli("report", "rows.jsonl").code == 0
    again = cli("report", "rows.jsonl")
    assert (again.code, "replaces report.html" in again.err) == (0, True)
    evals([0.5]).to_json("other.jsonl")
    refused = cli("report", "other.jsonl")
    assert (refused.code, "report.html exists and was made from another dataset" in refused.err) == (2, True)
    told = cli("report", "other.jsonl", "--overwrite")
    assert (told.code, "warning: replaces report.html" in told.err) == (0, True)


def test_from_python_a_foreign_plot_stays_too(here):
    """There is no --overwrite: the file is moved away, or another folder is named."""
    (here / "plots").mkdir()
    (here / "plots" / "stats.png").write_bytes(b"mine")
    with pytest.raises(kb.errors.UsageError, match=r"plots/stats\.png exists and was not made by kbtools"):
        kb.apply(evals([0.1, 0.9]), kb.Stats(plots="plots"))
    kb.apply(evals([0.1, 0.9]), kb.Stats(plots="others"))
    kb.apply(evals([0.1, 0.8]), kb.Stats(plots="others"))
