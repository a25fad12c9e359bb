"""Loading from the Hub: never a stale copy unasked, the commit recorded, and errors that say what to do."""

import json

import pytest

MISSING = "there is no such dataset on the Hub, or it is private"


def load(client, *words, out="out.parquet", **settings):
    """A run that only loads and saves."""
    return client.kbtools("apply", "filter", "--where", "reward >= 0", "--out", out, "--overwrite", *words, **settings)


def test_commit_is_recorded_and_a_copy_in_the_cache_is_no_answer(client, hub, rows):
    """Once the repository is gone for a user, loading fails; --offline takes the copy, and the lineage says so."""
    client.upload("me/x", rows)
    assert load(client, "--dataset", "me/x").code == 0
    sha = hub.state("me/x")["refs"]["main"]
    source = json.loads((client.folder / "out.parquet.lineage.json").read_text())["source"]
    assert source["revision"] == sha
    assert "cached" not in source
    hub.tell("drop", {"repo": "me/x"})
    gone = load(client, "--dataset", "me/x")
    assert gone.code == 3
    assert MISSING in gone.err
    offline = load(client, "--dataset", "me/x", "--offline", out="off.parquet")
    assert offline.code == 0, offline.text
    source = json.loads((client.folder / "off.parquet.lineage.json").read_text())["source"]
    assert source["cached"]
    assert source["revision"] == sha


def test_offline_without_a_copy_and_addresses_that_contradict(client, hub):
    """What is not in the cache is said to be not there; two revisions for one source are an error."""
    offline = load(client, "--dataset", "me/x", "--offline")
    assert offline.code == 3
    assert "the cache holds no dataset 'me/x'" in offline.err
    two = load(client, "--dataset", "hf://datasets/me/x@main", "--revision", "other")
    assert two.code == 2
    assert "do not agree" in two.err


@pytest.mark.slow
def test_lineage_is_never_an_old_copy_unasked(client, hub, rows):
    """The lineage of a repository that was pushed to again, or cannot be reached, does not come from the cache."""
    client.upload("lab/src", rows)
    words = ("--dataset", "lab/src", "--push", "--repo", "me/x", "--license", "mit")
    assert client.kbtools("apply", "filter", "--where", "reward > 1", *words).code == 0
    run = ("run", "hf://datasets/me/x/kbtools-lineage.json", "--out", "x.parquet")
    assert client.kbtools(*run).code == 0
    hub.faults({"path": "/api/datasets/me/x", "do": "status", "status": 403, "times": 99})
    broken = client.kbtools(*run)
    assert broken.code == 3
    assert "reading kbtools-lineage.json of me/x" in broken.err
    assert client.kbtools(*run, "--offline").code == 0


@pytest.mark.slow
def test_private_gated_and_unauthorised_are_told_apart(client, hub, rows):
    """Somebody else's private dataset does not exist; a gated one asks for access; a wrong token is named as such."""
    client.upload("other/secret", rows, token="hf_other")
    client.upload("me/x", rows)
    assert load(client, "--dataset", "me/x").code == 0
    for settings in ({"token": None}, {}):
        done = load(client, "--dataset", "other/secret", **settings)
        assert done.code == 3
        assert MISSING in done.err
    assert "does not accept the token" in load(client, "--dataset", "me/x", token="hf_wrong").err
    client.upload("lab/open", rows)
    hub.tell("gate", {"repo": "lab/open", "gated": True})
    gated = load(client, "--dataset", "lab/open")
    assert gated.code == 3
    assert "is gated: ask for access" in gated.err


@pytest.mark.slow
def test_revision_pins_and_wrong_names_are_usage_errors(client, hub, rows):
    """--revision takes an old commit; an unknown revision, configuration or split is never guessed."""
    client.upload("me/x", rows)
    old = hub.state("me/x")["refs"]["main"]
    client.upload("me/x", rows[:2])
    assert "wrote 20 rows" in load(client, "--dataset", "me/x", "--split", "train", "--revision", old).last
    assert "wrote 2 rows" in load(client, "--dataset", "me/x", "--split", "train").last
    assert "no such revision" in load(client, "--dataset", "me/x", "--revision", "nope").err
    assert load(client, "--dataset", "me/x", "--split", "nope").code == 2
    assert load(client, "--dataset", "me/x", "--config", "nope").code == 2
    other = load(client, "--dataset", "me/x", "--offline", "--revision", "0" * 40)
    assert other.code == 3
    assert "the cache holds me/x at" in other.err


@pytest.mark.slow
def test_hub_that_breaks_midway_gives_no_old_rows(client, hub, rows):
    """The cache has an older state; the Hub answers once and then fails: an error, not the older state."""
    client.upload("me/x", rows[:2])
    assert load(client, "--dataset", "me/x").code == 0
    client.upload("me/x", rows)
    hub.faults({"path": "/resolve/", "do": "status", "status": 403, "times": 99})
    done = load(client, "--dataset", "me/x")
    assert done.code == 3, done.text


@pytest.mark.slow
def test_plain_load_is_unchanged_by_ours(client, hub, rows):
    """kb.load of a Hub dataset gives what `load_dataset` gives."""
    client.upload("me/x", rows)
    done = client.python("""
        import datasets
        import kbtools as kb
        ours, plain = kb.load("hf://datasets/me/x"), datasets.load_dataset("me/x")
        assert {n: d.to_list() for n, d in ours.items()} == {n: d.to_list() for n, d in plain.items()}
        assert ours["train"].features == plain["train"].features
    """)
    assert done.code == 0, done.err


def test_a_repository_without_data_is_said_to_be_one(client, hub):
    """As a push that was killed before its first commit leaves it."""
    client.python("import huggingface_hub as h; h.create_repo('me/empty', repo_type='dataset')")
    empty = load(client, "--dataset", "me/empty")
    assert (empty.code, "the repository holds no data files" in empty.err) == (2, True)


@pytest.mark.slow
def test_workers_load_the_revision_that_the_driver_has_seen(client, hub, rows):
    """No copy of the rows travels, and a push in between changes nothing: the result is that of this process alone."""
    client.upload("me/x", rows)
    done = client.python(
        """
        import kbtools as kb
        from pathlib import Path
        from kbtools.shards import Inputs
        def copied(self): raise AssertionError("rows were written for the workers")
        Inputs.write = lambda self, rows: None if rows.file is None else copied(self)
        ds = kb.load("me/x", split="train")
        ds.select(range(3)).push_to_hub("me/x")
        static = kb.Judge(judge="static")
        there = kb.apply(ds, static, engine=kb.Processes(1, scratch="scratch", shards=2))
        assert there.num_rows == ds.num_rows
        assert there.to_list() == kb.apply(ds, static).to_list()
        assert kb.load("me/x", split="train").num_rows == 3
        """
    )
    assert done.code == 0, done.err
