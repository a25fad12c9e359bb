"""What people get wrong on the command line, and what they are told: a table for readers, kept as it is.

`wrong_calls.txt` holds the calls. After a change: look at the difference in `test_wrong_calls/`, as somebody who made
the mistake would, and run with --force-regen.
"""

import re
import shlex
from pathlib import Path

import pytest

CALLS = (Path(__file__).parent / "wrong_calls.txt").read_text().splitlines()
RECIPES = {
    "bad.toml": '[source]\ndataset = "sample"\n[[stages]]\nstage = "filtr"\n',
    "bad-key.toml": '[source]\ndataset = "sample"\n[[stages]]\nstage = "filter"\nwher = "reward > 1"\n',
    "bad-toml.toml": "[source\n",
}


@pytest.fixture
def told(cli, tmp_path, monkeypatch):
    """The exit code and the last thing said of a call, in a folder with recipes that are wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "PRIME_API_KEY", "DATASET_PATH", "KBTOOLS_MODEL", "DATA_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name, text in RECIPES.items():
        (tmp_path / name).write_text(text)

    def call(line: str) -> tuple[int, str]:
        done = cli(*shlex.split(line))
        return done.code, done.err[done.err.find("error: ") :].strip()

    return call


def test_every_wrong_call_is_told_what_to_do(told, file_regression):
    """In one style: a line that begins with `error:`, and the exit code of its kind."""
    table = []
    for line in CALLS:
        code, said = told(line)
        assert code in (2, 3), line
        assert said.startswith("error: "), line
        assert "Traceback" not in said
        table.append(f"$ kbtools {line}    [{code}]\n{re.sub(r'Columns: .*', 'Columns: ...', said)}")
    assert len(table) >= 40
    file_regression.check("\n\n".join(table) + "\n", extension=".txt")


def test_a_percentage_is_a_share(cli):
    """Wherever a number is asked for."""
    done = cli("apply", "split", "--validation", "25%", "--dataset", "sample", "--dry-run", "--save-recipe", "r.toml")
    assert done.code == 0
    assert "validation = 0.25" in Path("r.toml").read_text()
