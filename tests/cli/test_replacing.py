"""A run replaces only what was made from the same inputs, and says what; a few rows have names of their own."""

import datasets
import pytest

import kbtools as kb
from tests.rows import evals

KEEP = ("filter", "--where", "reward >= 0")


def rows_of(path):
    """Rows of a file."""
    return kb.load(str(path)).num_rows


@pytest.mark.parametrize("out", ["x.parquet", "x.jsonl", "x"])
def test_an_output_of_other_inputs_is_replaced_only_when_told(cli, file, tmp_path, out):
    """Another file, another number of rows, and what kbtools did not make; the same dataset is replaced and said."""
    (tmp_path / "other.jsonl").write_bytes(file.read_bytes())
    first = cli("apply", *KEEP, "--dataset", file, "--out", out)
    assert first.code == 0, first.err
    again = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--out", out)
    assert again.code == 0, again.err
    assert f"replaces {out} (6 rows, of " in again.err
    for words in (("--dataset", "other.jsonl"), ("--dataset", file, "--limit", "2")):
        refused = cli("apply", *KEEP, *words, "--out", out)
        assert (refused.code, f"{out} exists and was made from" in refused.err) == (2, True), refused.err
        assert rows_of(tmp_path / out) == 3
    done = cli("apply", *KEEP, "--dataset", "other.jsonl", "--out", out, "--overwrite")
    assert (done.code, "--overwrite" in done.err) == (0, True), done.err
    assert rows_of(tmp_path / out) == 6


def test_a_file_that_kbtools_did_not_write_is_kept(cli, file, tmp_path):
    """As a result, as what was left out, as a recipe, and as one of the splits of a result."""
    taken = {name: tmp_path / name for name in ("mine.jsonl", "mine-train.parquet", "mine.toml")}
    for path in taken.values():
        path.write_text('{"a": 1}\n')
    evals([1.0]).to_parquet(taken["mine-train.parquet"])
    before = {name: path.read_bytes() for name, path in taken.items()}
    for stage, *words in (
        (KEEP, "--out", "mine.jsonl"),
        (KEEP, "--out", "new.jsonl", "--dropped", "mine.jsonl"),
        (KEEP, "--out", "new.jsonl", "--save-recipe", "mine.toml"),
        (("split",), "--out", "mine.parquet"),
    ):
        refused = cli("apply", *stage, "--dataset", file, *words)
        assert refused.code == 2, refused.err
        assert "--overwrite" in refused.err
    assert {name: path.read_bytes() for name, path in taken.items()} == before


def test_what_was_left_out_may_be_written_again(cli, file):
    """By the same command as before."""
    words = (
        "apply",
        "filter",
        "--where",
        "reward > 0.5",
        "--dataset",
        file,
        "--out",
        "a.jsonl",
        "--dropped",
        "b.jsonl",
    )
    assert (cli(*words).code, cli(*words).code) == (0, 0)


def test_a_few_rows_never_go_by_the_name_of_all(cli, file, tmp_path, monkeypatch):
    """By --limit or TEST_MODE, of rows, of figures and of what a recipe names; what --out names is taken as it is."""
    assert cli("apply", *KEEP, "--dataset", file).code == 0
    assert cli("apply", *KEEP, "--dataset", file, "--limit", "2").code == 0
    assert cli("apply", "stats", "--dataset", file, "--limit", "2").code == 0
    (tmp_path / "r.toml").write_text(
        f'[source]\ndataset = "{file}"\n[output]\nout = "all.parquet"\n[[stages]]\nstage = "sample"\nfirst = 9\n'
    )
    monkeypatch.setenv("TEST_MODE", "true")
    assert cli("run", "r.toml").code == 0
    assert cli("apply", *KEEP, "--dataset", file, "--out", "named.parquet").code == 0
    names = {path.name for path in [*tmp_path.glob("*.parquet"), *(tmp_path / "outputs").iterdir()]}
    assert {name for name in names if not name.endswith("lineage.json")} == {
        "rows-filtered.parquet",
        "rows-filtered-first2.parquet",
        "rows-stats-first2.json",
        "all-first5.parquet",
        "named.parquet",
    }


def test_a_pattern_of_files_is_not_written_over(cli, file, tmp_path):
    """Each of the files that match is read."""
    before = file.read_bytes()
    done = cli("apply", *KEEP, "--dataset", "ro*.jsonl", "--out", "rows.jsonl", "--overwrite")
    assert (done.code, file.read_bytes()) == (2, before)


def test_stripping_after_a_choice_among_rows_is_noted(cli, tmp_path):
    """The winner may be one whose answer is not certain; in the other order there is nothing to say."""
    ds = datasets.concatenate_datasets([evals([0.5]), evals([1.0])])
    ds.to_parquet(tmp_path / "x.parquet")
    words = ("--dataset", "x.parquet", "--dry-run")
    assert "Put strip-reasoning first" in cli("apply", "dedup", "strip-reasoning", *words).err
    assert "Put strip-reasoning first" not in cli("apply", "strip-reasoning", "dedup", *words).err
