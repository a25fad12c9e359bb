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


def test_a_revision_may_follow_the_name(client, hub, rows):
    """As `diff` takes it; names of outputs do not have it, and the lineage has the commit."""
    client.upload("me/x", rows)
    done = client.kbtools("pull", "me/x@main", "--out", "x.parquet")
    assert done.code == 0, done.text
    source = json.loads((client.folder / "x.parquet.lineage.json").read_text())["source"]
    assert (source["dataset"], source["revision"]) == ("me/x", hub.state("me/x")["refs"]["main"])
    assert "outputs/x-stats.json" in client.kbtools("apply", "stats", "--dataset", "me/x@main").last
    missing = client.kbtools("show", "me/x@nope")
    assert (missing.code, "there is no such revision" in missing.err) == (3, True)


def test_pull_says_what_it_wrote_and_what_it_replaces(client, hub, rows):
    """The same dataset is replaced, and said; a file that is something else is not."""
    client.upload("me/x", rows)
    pull = ("pull", "me/x", "--split", "train", "--out")
    done = client.kbtools(*pull, "x.parquet")
    assert (done.code, done.out) == (0, "wrote 20 rows to x.parquet, x.parquet.lineage.json\n"), done.text
    again = client.kbtools(*pull, "x.parquet")
    assert (again.code, "replaces x.parquet" in again.err) == (0, True), again.text
    client.upload("me/x", rows[:1])
    (client.folder / "mine.jsonl").write_text('{"mine": 1}\n')
    refused = client.kbtools(*pull, "mine.jsonl")
    assert (refused.code, refused.out) == (2, ""), refused.text
    assert "mine.jsonl exists and was not made by kbtools from this dataset" in refused.err
    told = client.kbtools(*pull, "mine.jsonl", "--overwrite")
    assert (told.code, told.out) == (0, "wrote 1 row to mine.jsonl, mine.jsonl.lineage.json\n"), told.text
    assert "warning: replaces mine.jsonl, which was not made by kbtools from this dataset (--overwrite)" in told.err
