"""`kbtools init`: two commented files with which a newcomer's first run works."""

import tomllib
from pathlib import Path

from dotenv import dotenv_values

from tests.rows import evals


def test_what_it_writes_runs_as_it_is(cli, file):
    """The columns are recognised, the model is the one given, and nothing is pushed."""
    evals([0.9 + number / 100 for number in range(12)]).to_json(file)
    made = cli("init", file, "--model", "openai:gpt-5.2")
    assert made.code == 0, made.err
    assert "module_name = info.module_name" in made.out
    assert dotenv_values(".env") == {"DATASET_PATH": str(file), "KBTOOLS_MODEL": "openai:gpt-5.2"}
    stages = [stage["stage"] for stage in tomllib.loads(Path("recipe.toml").read_text())["stages"]]
    assert stages == ["filter", "judge", "strip-reasoning", "dedup", "split"]
    assert cli("init", file, "--overwrite").code == 0
    text = Path("recipe.toml").read_text()
    assert "# repo" in text
    done = cli("run", "recipe.toml")
    assert done.code in (0, 1), done.err
    assert "outputs/rows-filtered-judged-no-reasoning-unique" in done.out


def test_files_that_are_there_are_kept(cli, file):
    """A `.env` may hold keys."""
    Path(".env").write_text("HF_TOKEN=mine\n")
    done = cli("init", file)
    assert done.code == 2
    assert ".env: there already. Give --overwrite" in done.err
    assert Path(".env").read_text() == "HF_TOKEN=mine\n"


def test_stages_are_those_that_the_columns_allow(cli, tmp_path):
    """Rows without a reward are not filtered by one."""
    evals([0.5]).remove_columns(["reward", "info"]).to_json(tmp_path / "few.jsonl")
    assert cli("init", "few.jsonl").code == 0
    stages = [stage["stage"] for stage in tomllib.loads(Path("recipe.toml").read_text())["stages"]]
    assert stages == ["strip-reasoning"]
