"""Analysis on the command line: tables on stdout, figures as JSON, and no copy of rows that nobody changed."""

import json
from pathlib import Path

from kbtools import lineage
from tests import chat


def test_a_run_that_only_reads_writes_its_figures_and_no_rows(cli, file):
    """It says so, and the JSON holds the figures of every stage."""
    done = cli("apply", "stats", "--only", "reward", "stats", "--only", "task", "--dataset", file)
    assert done.code == 0
    assert "only their figures are written" in done.err
    assert done.out.splitlines()[-1] == "wrote the figures of 6 rows to outputs/rows-stats.json"
    assert [path.name for path in Path("outputs").iterdir()] == ["rows-stats.json"]
    records = json.loads(Path("outputs/rows-stats.json").read_text())["records"]
    assert [record["facts"]["columns"][0]["name"] for record in records] == ["reward", "task"]


def test_the_figures_can_be_shown_and_made_again(cli, file):
    """The JSON is a lineage like any other."""
    cli("apply", "stats", "--only", "reward", "--dataset", file)
    before = lineage.read_lineage(Path("outputs/rows-stats.json"))
    assert "stats" in cli("lineage", "outputs/rows-stats.json").out
    assert cli("run", "outputs/rows-stats.json").code == 0
    after = lineage.read_lineage(Path("outputs/rows-stats.json"))
    assert after.records[0].facts == before.records[0].facts


def test_rows_are_written_when_somebody_wants_them(cli, file):
    """With --out, or beside a stage that changes rows, the result is a dataset with its figures in the lineage."""
    assert cli("apply", "stats", "--dataset", file, "--out", "rows.parquet").code == 0
    assert cli("apply", "filter", "--where", "reward > 0.5", "stats", "--dataset", file).code == 0
    for name, rows in (("rows.parquet", 6), ("outputs/rows-filtered.parquet", 3)):
        record = lineage.read_lineage(Path(name)).records[-1]
        assert (Path(name).exists(), record.facts["rows"]) == (True, rows)


def test_figures_may_be_named_but_rows_are_no_json(cli, file):
    """--out FILE.json takes figures alone."""
    assert cli("apply", "stats", "--dataset", file, "--out", "figures.json").code == 0
    refused = cli("apply", "filter", "--where", "reward > 0.5", "--dataset", file, "--out", "figures.json")
    assert (refused.code, ".parquet" in refused.err) == (2, True)


def test_columns_of_counts_can_be_left_out(cli, file, tmp_path):
    """`lengths` adds columns, and with --no-columns only reads."""
    tokenizer = chat.folder(tmp_path / "tokenizer")
    assert "recommended seq_len" in cli("apply", "lengths", "--tokenizer", tokenizer, "--dataset", file).out
    assert Path("outputs/rows-lengths.parquet").exists()
    done = cli("apply", "lengths", "--tokenizer", tokenizer, "--no-columns", "--dataset", file)
    assert "figures of 6 rows" in done.out
    assert "num_tokens" not in cli("apply", "lengths", "--help").out.partition("--no-columns")[0]


def test_tables_are_printed_whole_and_harmless(cli, tmp_path):
    """Labels from a dataset stand in the table as text, control characters spelled out."""
    rows = [{"a": "\x1b[2Jx", "b": "[red]y"}, {"a": "[red]y", "b": "[red]y"}]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ("apply", "agreement", "--between", "a,b", "--level", "nominal", "--resamples", "0")
    done = cli(*words, "--dataset", tmp_path / "r.jsonl")
    assert done.code == 0
    assert "\x1b[2J" not in done.out
    assert "[red]y" in done.out
    assert "\\x1b[2Jx" in done.out


def test_json_output_has_the_figures(cli, file):
    """Programs read figures from the records."""
    done = cli("apply", "stats", "--only", "reward", "--dataset", file, "--json")
    assert json.loads(done.out)["stages"][0]["facts"]["columns"][0]["spread"]["max"] == 1.0
