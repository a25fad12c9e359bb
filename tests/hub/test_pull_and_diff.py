"""`pull` and `diff` on the command line, against the local Hub."""

import json

import pytest


@pytest.mark.slow
def test_pull_and_diff_of_revisions(client, hub, rows):
    """A pulled file equals its revision; two revisions differ in what was changed; the exit code says which."""
    client.upload("me/x", rows)
    old = hub.state("me/x")["refs"]["main"]
    changed = [{**row, "reward": 9.0 if i == 7 else row["reward"]} for i, row in enumerate(rows[2:], start=2)]
    client.upload("me/x", changed)
    pulled = client.kbtools("pull", "me/x", "--revision", old, "--out", "old.parquet")
    assert pulled.code == 0, pulled.text
    assert client.kbtools("diff", f"me/x@{old}", "old.parquet", "--split", "train").code == 0
    found = client.kbtools("diff", "old-train.parquet", "me/x", "--json", "--split", "train")
    assert found.code == 1, found.text
    split = json.loads(found.out)["splits"]["train"]
    assert (split["added"], split["removed"], split["changed"]) == (0, 2, 1)
    assert split["examples"] == {"removed": ["0", "1"], "changed": ["7"]}
    shown = client.kbtools("diff", f"me/x@{old}", "me/x")
    assert "train: 20 rows, then 18: 0 added, 2 removed, 1 changed" in shown.out
    assert shown.last == "they differ"
