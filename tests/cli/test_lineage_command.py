"""`kbtools lineage FILE` tells how a file was made."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture
def made(cli, file):
    """An output of two stages."""
    words = ("filter", "--where", "reward > 0.1", "filter", "--where", "info.module_name != 'C'", "--nulls", "drop")
    assert cli("apply", *words, "--dataset", file, "--out", "made.parquet").code == 0
    return Path("made.parquet")


def test_table(cli, made, file, file_regression):
    """Source, versions, and a row for each stage with its config and what it dropped."""
    text = cli("lineage", made).out.replace(str(file), "rows.jsonl")
    text = re.sub(r"sha256=\w+", "sha256=…", text)
    text = re.sub(r"^(made|versions): .*", r"\1: …", text, flags=re.MULTILINE)
    file_regression.check(re.sub(r"\d\.\d\d │$", "0.00 │", text, flags=re.MULTILINE), extension=".txt")


def test_json_is_what_run_takes(cli, made):
    """Piped into a file, it repeats the run."""
    text = cli("lineage", made, "--json").out
    assert [stage["stage"] for stage in json.loads(text)["stages"]] == ["filter", "filter"]
    Path("again.json").write_text(text)
    assert cli("run", "again.json", "--out", "again.parquet").code == 0
    assert Path("again.parquet").read_bytes() == made.read_bytes()


def test_file_alone_is_enough(cli, made):
    """The parquet file carries its lineage without times."""
    Path("made.parquet.lineage.json").unlink()
    assert "not run" not in cli("lineage", made).out
    assert "1 not reward > 0.1" in cli("lineage", made).out


@pytest.mark.parametrize(("name", "message"), [("gone.parquet", "there is no file"), ("rows.jsonl", "has no lineage")])
def test_file_without_lineage(cli, file, name, message):
    """Is an error that says where it was looked for."""
    done = cli("lineage", name)
    assert (done.code, message in done.err) == (2, True)
