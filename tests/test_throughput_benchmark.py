"""The throughput benchmark itself: what it counts is what was asked and answered."""

import json

import pytest

from benchmarks.machine import RESULTS
from benchmarks.models_table import table
from benchmarks.models_throughput import write_rows
from benchmarks.rivals.measure import Client, measure

pytestmark = pytest.mark.process
ROWS = 40


@pytest.mark.parametrize("name", ["aiohttp", "pycurl", "kbtools", "openai"])
def test_a_client_asks_for_every_row_once_with_the_same_messages(name, tmp_path):
    """Each of the project's own clients gets all labels right, in one request per row, from the rendered messages."""
    run = measure(Client(name), write_rows(tmp_path, ROWS), ROWS, 8, 0.0, 60)
    assert "error" not in run, run
    assert (run["kept"], run["wrong"], run["complete"]) == (ROWS, 0, True)
    assert (run["server"]["rows"], run["server"]["same_messages"]) == (ROWS, True)
    assert run["server"]["most_in_flight"] <= 8


def test_a_client_that_is_too_slow_is_told_as_such(tmp_path):
    """A run over its limit has an error and no rate."""
    run = measure(Client("aiohttp"), write_rows(tmp_path, ROWS), ROWS, 1, 0.5, 1.5)
    assert run["error"] == "not done within 1.5 s"
    assert "rows_per_second" not in run


def test_a_label_that_is_not_the_servers_counts_as_wrong(tmp_path):
    """Rows whose messages were mixed up are not counted as kept."""
    files = write_rows(tmp_path, ROWS)
    lines = [json.loads(line) for line in (tmp_path / f"rows-{ROWS}.jsonl").read_text().splitlines()]
    for line in lines:
        line["row"] += 1
    (tmp_path / f"rows-{ROWS}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = measure(Client("aiohttp"), files, ROWS, 8, 0.0, 60)
    assert (run["kept"], run["wrong"], run["complete"]) == (0, ROWS, False)


def test_the_page_of_benchmarks_has_the_table_of_the_stored_results():
    """Every cell of it, as the command prints it."""
    results = json.loads((RESULTS / "models_throughput.json").read_text())
    assert "\n".join(table(results)) in (RESULTS.parent / "README.md").read_text(encoding="utf-8")
