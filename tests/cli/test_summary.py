"""The summary of a run: every row is accounted for once, judges' labels are counted, and 1 row is 1 row."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lines(text: str) -> list[str]:
    """Lines of a table without its frame, blanks closed up."""
    return [" ".join(re.sub("[┃│]", " ", line).split()) for line in text.splitlines()]


@pytest.fixture
def judged(cli, file, model_server):
    """Judges six rows, of which the server refuses the second."""

    def run(*words: str):
        asked = iter(range(100))
        _, model = model_server(
            script=lambda call: "context-length" if next(asked) == 1 else "ok",
            reply=lambda body: json.dumps({"difficulty_reason": "r", "difficulty": "low"}),
        )
        return cli("apply", "judge", "--model", model, "--max-in-flight", 1, *words, "--dataset", file)

    return run


def test_a_failed_row_is_listed_once(judged):
    """Dropped because it failed is one reason, in the table, in the line of the stage and in the report."""
    done = judged("--on-error", "drop", "--out", "o.parquet")
    assert done.code == 1
    told = lines(done.out)
    (row,) = [line for line in told if line.startswith("judge 6 5 1")]
    assert "1 failed and dropped: context-length" in row
    assert "context-length" not in "".join(told).replace(row, "")
    assert "judge: 5 rows, 1 failed and dropped in" in done.err
    assert done.err.count("failed in judge: 1 x context-length: row 1 (example_id 101)") == 1


@pytest.mark.parametrize(("on_error", "counts"), [("drop", "low 5"), ("null", "low 5, none 1")])
def test_the_labels_of_judges_are_counted_in_the_summary(judged, on_error, counts):
    """A row without a verdict is counted as none."""
    (row,) = [line for line in lines(judged("--on-error", on_error, "--out", "o.parquet").out) if line[:5] == "judge"]
    assert row.partition("difficulty: ")[2].rpartition(" ")[0] == counts


def test_a_judge_without_a_model_is_counted_too(cli):
    """And one judge's labels stand in its own line."""
    done = cli("apply", "judge", "--judge", "static", "--dataset", "sample", "--limit", 4, "--out", "o.parquet")
    assert re.search(r"difficulty: (low|medium|high) \d", " ".join(lines(done.out)))


def test_one_row_is_a_row():
    """No text of the product puts a number before `rows` without asking whether it is one."""
    sources = [path for part in ("kbtools", "plugins") for path in (ROOT / part).rglob("*.py")]
    assert len(sources) > 300
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources
        for line in path.read_text().splitlines()
        if re.search(r"""f["'].*\{[^}]*\} rows\b""", line) and 'many or one + "s"' not in line
    ]
    assert not found
