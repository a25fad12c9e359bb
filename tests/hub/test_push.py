"""Pushing: what lands, where, under which name, and what is left alone. Asserted on the server's state and log."""

import json

import pytest

LICENSED = ("--license", "mit")


def test_filtered_rows_land_and_plain_load_dataset_gives_them_back(client, hub, jsonl, rows):
    """The repository is named after source and stages, is private, and holds exactly the rows that were left."""
    done = client.kbtools("apply", "filter", "--where", "reward > 0.95", "--dataset", "mine.jsonl", "--push", *LICENSED)
    assert done.code == 0, done.text
    state = hub.state("me/mine-filtered")
    assert state["private"]
    assert state["commits"]["main"] == ["default: train 10 rows", "initial commit"]
    assert client.rows("me/mine-filtered") == {"train": rows[10:]}
    assert done.last.startswith("wrote 10 rows to http://")
    assert not (client.folder / "outputs").exists()


def test_target_is_said_and_the_right_checked_before_any_work(client, hub, jsonl):
    """A token that may only read ends the run before the source is opened; nothing is made on the Hub."""
    words = ("apply", "filter", "--where", "reward > 0", "--dataset", "mine.jsonl", "--push", *LICENSED)
    refused = client.kbtools(*words, token="hf_reader")
    assert refused.code == 3
    assert "cannot make the repository me/mine-filtered" in refused.err
    assert "loading" not in refused.err
    assert hub.repos() == []
    planned = client.kbtools(*words, "--dry-run")
    assert planned.err.index("will push to") < planned.err.index("loading")
    assert "/datasets/me/mine-filtered (new, private)" in planned.err
    assert hub.repos() == []


def test_dry_run_publishes_nothing(client, hub, jsonl):
    """The push says where it would go and does not run, wherever it stands in the chain."""
    push, more = ("push", *LICENSED, "--repo", "x"), ("filter", "--where", "reward > 1")
    for words in (push, (*more, *push), (*push, *more)):
        done = client.kbtools("apply", *words, "--dataset", "mine.jsonl", "--dry-run")
        assert done.code == 0, done.text
        assert "will push to" in done.err
    assert hub.repos() == []


def test_second_identical_push_makes_no_commit_and_sends_nothing(client, hub, jsonl):
    """The same rows, card and lineage are found on the Hub."""
    words = ("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    first, second = client.kbtools(*words), client.kbtools(*words)
    assert first.code == second.code == 0, first.text + second.text
    assert len(hub.state("me/mine")["commits"]["main"]) == 2
    assert "no commit was made" in second.err
    assert len(hub.log("POST", "/commit/")) == 1
    assert len(hub.log("PUT", "/objects/")) == 1


def test_other_files_and_configurations_stay(client, hub, jsonl, rows):
    """A push replaces the shards of its own configuration and nothing else; the user's text stays in the card."""
    client.upload(
        "me/x",
        rows[:3],
        """
            ds.push_to_hub("me/x", "other")
            for path in ("data/notes.txt", "data/train-notes.parquet", "LICENSE"):
                api.upload_file(path_or_fileobj=path.encode(), path_in_repo=path, repo_id="me/x", repo_type="dataset")
            readme = api.hf_hub_download("me/x", "README.md", repo_type="dataset")
            text = open(readme).read() + "\\n# My words"
            words = dict(path_in_repo="README.md", repo_id="me/x", repo_type="dataset")
            api.upload_file(path_or_fileobj=text.encode(), **words)
        """.strip(),
    )
    before = hub.state("me/x")["files"]
    done = client.kbtools("apply", "push", "--repo", "x", "--overwrite", "--dataset", "mine.jsonl", *LICENSED)
    assert done.code == 0, done.text
    after = hub.state("me/x")["files"]
    gone = {path for path in before if path not in after}
    assert gone == {"data/train-00000-of-00001.parquet"}
    assert all(after[path] == before[path] for path in before if path not in {*gone, "README.md"})
    assert client.rows("me/x") == {"train": rows}
    assert client.rows("me/x", "other") == {"train": rows[:3]}
    card = client.python(
        'import huggingface_hub as h; print(open(h.hf_hub_download("me/x","README.md",repo_type="dataset")).read())'
    ).out
    assert "# My words" in card


def test_replace_leaves_only_what_was_pushed(client, hub, jsonl, rows):
    """--replace is the one way to delete what others put there."""
    client.upload("me/x", rows[:3], 'ds.push_to_hub("me/x", "other")')
    words = ("apply", "push", "--repo", "x", "--replace", "--overwrite", "--dataset", "mine.jsonl")
    done = client.kbtools(*words, *LICENSED)
    assert done.code == 0, done.text
    kinds = sorted(path.split("-00000")[0] for path in hub.state("me/x")["files"])
    assert kinds == [".gitattributes", "README.md", "data/train", "kbtools-lineage.json"]


@pytest.mark.parametrize(
    ("words", "token", "code", "message"),
    [
        (["--repo", "other/x"], "hf_me", 3, "cannot make the repository other/x"),
        (["--org", "club"], "hf_me", 3, "cannot make the repository club/mine"),
        (["--repo", "x"], "hf_narrow", 3, "cannot make the repository me/x"),
        (["--repo", "x"], None, 3, "there is no token"),
        (["--repo", "x"], "hf_wrong", 3, "does not accept the token"),
        (["--repo", "x", "--config-name", "data"], "hf_me", 2, "--config-name"),
        (["--repo", "x", "--max-shard-size", "big"], "hf_me", 2, "--max-shard-size"),
        (["--repo", "a b"], "hf_me", 2, "not a name for a repository"),
        (["--pr", "--branch", "work"], "hf_me", 2, "a pull request goes to main"),
        (["--repo", "x", "--offline"], "hf_me", 3, "offline mode is on"),
    ],
)
def test_push_that_cannot_be_is_refused_before_any_work(client, hub, jsonl, words, token, code, message):
    """The error says what is wrong; the Hub is as it was."""
    done = client.kbtools("apply", "push", *words, "--dataset", "mine.jsonl", *LICENSED, token=token)
    assert done.code == code, done.text
    assert message in done.err
    assert hub.repos() == []


def test_options_of_a_push_without_a_push_are_an_error(client, jsonl):
    """`--repo` alone would otherwise do nothing, silently."""
    done = client.kbtools("apply", "filter", "--where", "reward > 0", "--dataset", "mine.jsonl", "--repo", "x")
    assert done.code == 2
    assert "Add --push" in done.err


def test_source_without_a_licence_needs_one(client, hub, jsonl):
    """A licence is never guessed."""
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl")
    assert done.code == 2
    assert "--license" in done.err
    assert hub.repos() == []


@pytest.mark.slow
def test_organisation_branch_and_pull_request(client, hub, jsonl):
    """A branch is made from main, a pull request carries the commit and is found again; main stays as it was."""
    base = ("apply", "push", "--dataset", "mine.jsonl", *LICENSED, "--org", "lab", "--public")
    assert client.kbtools(*base).code == 0
    assert not hub.state("lab/mine")["private"]
    main = hub.state("lab/mine")["refs"]["main"]
    more = ("--config-name", "extra", "--message", "an extra")
    assert client.kbtools(*base, *more, "--branch", "work").code == 0
    for _ in range(2):
        assert client.kbtools(*base, *more, "--pr").code == 0
    state = hub.state("lab/mine")
    assert state["refs"]["main"] == main
    assert state["commits"]["work"][0] == "an extra"
    assert [(pull["title"], pull["status"]) for pull in state["pulls"]] == [("an extra", "open")]
    assert state["commits"]["refs/pr/1"][0] == "an extra"
    assert len(state["commits"]["refs/pr/1"]) == 3


@pytest.mark.slow
def test_address_of_a_source_is_a_source(client, hub, rows):
    """hf://datasets/OWNER/NAME@REVISION: its licence holds, and its name without the revision makes the target's."""
    declare = """
            card = huggingface_hub.DatasetCard.load("lab/src")
            card.data.license = "apache-2.0"
            card.push_to_hub("lab/src", repo_type="dataset")
    """
    client.upload("lab/src", rows, declare.strip())
    words = ("filter", "--where", "reward > 1", "--dataset", "hf://datasets/lab/src@main", "--push")
    done = client.kbtools("apply", *words)
    assert done.code == 0, done.text
    assert hub.repos() == ["lab/src", "me/src-filtered"]
    card = client.python('import huggingface_hub as h; print(h.DatasetCard.load("me/src-filtered").data.license)').out
    assert card.strip() == "apache-2.0"


@pytest.mark.slow
def test_split_that_is_no_longer_there_is_said(client, hub, jsonl, rows):
    """A push replaces its configuration whole: a split that it does not have goes, and not silently."""
    base = ("--dataset", "mine.jsonl", *LICENSED, "--repo", "x")
    assert client.kbtools("apply", "split", "push", *base).code == 0
    done = client.kbtools("apply", "push", *base)
    assert "split validation was there before" in done.err
    assert client.rows("me/x") == {"train": rows}


@pytest.mark.slow
def test_many_shards_are_one_commit(client, hub, tmp_path):
    """More files than the plain client puts into one commit; the rows come back in order."""
    with (tmp_path / "many.jsonl").open("w") as stream:
        for i in range(60_000):
            stream.write(json.dumps({"i": i, "t": f"{i * 7919 % 1000003:x}" * 8}) + "\n")
    done = client.kbtools("apply", "push", "--dataset", "many.jsonl", "--max-shard-size", "1KB", *LICENSED)
    assert done.code == 0, done.text
    state = hub.state("me/many")
    assert len([path for path in state["files"] if path.endswith(".parquet")]) == 60
    assert len(state["commits"]["main"]) == 2
    assert [row["i"] for row in client.rows("me/many")["train"]] == list(range(60_000))


@pytest.mark.slow
def test_progress_moves_with_each_shard(client, hub, tmp_path):
    """Rows count when the shard that holds them has arrived, and not when they are read for the card."""
    with (tmp_path / "many.jsonl").open("w") as stream:
        stream.writelines(json.dumps({"i": i, "t": f"{i * 7919 % 1000003:x}" * 8}) + "\n" for i in range(3_000))
    done = client.python("""
        import kbtools as kb
        from kbtools import pipeline
        from kbtools.pipeline.observers import ProgressBars
        class Seen(ProgressBars):
            def advanced(self, rows):
                print(rows)
        push = kb.Push(repo="me/many", license="mit", max_shard_size="1KB")
        pipeline.run(kb.load("many.jsonl"), [push], Seen())
    """)
    assert done.code == 0, done.err
    assert done.out.split() == ["1000", "1000", "1000"]


@pytest.mark.slow
def test_partial_and_hidden_sources_are_warned_of(client, hub, rows):
    """TEST_MODE with --push publishes five rows, and a private source may go public: both are said before any work."""
    client.upload("lab/src", rows)
    base = ("apply", "push", "--dataset", "lab/src", *LICENSED, "--public", "--dry-run")
    done = client.kbtools(*base, TEST_MODE="true")
    assert done.code == 0, done.text
    assert "only the first 5 rows" in done.err
    assert "lab/src is private, and what is made of it goes public" in done.err


@pytest.mark.slow
def test_visibility_of_an_existing_repository_is_not_changed_unseen(client, hub, jsonl):
    """Asked to be private, a push to a public repository stops."""
    base = ("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    assert client.kbtools(*base, "--public").code == 0
    done = client.kbtools(*base, "--private")
    assert done.code == 2
    assert "exists and is public" in done.err


@pytest.mark.slow
def test_python_way_pushes_splits(client, hub, jsonl, rows):
    """kb.Push in a chain: all splits that have rows; `load_dataset` would fail on one without, so the card says it."""
    done = client.python("""
        import datasets, kbtools as kb
        ds = kb.load("mine.jsonl")
        both = datasets.DatasetDict(train=ds, validation=ds.select(range(0)))
        out = kb.apply(both, kb.Push(repo="me/two", license="mit"))
        assert out["train"].num_rows == 20
        kb.apply(ds.select([]), kb.Push(repo="me/none", license="mit"))
    """)
    assert done.code == 1
    assert "nothing to push" in done.err
    assert client.rows("me/two") == {"train": rows}
    assert hub.repos() == ["me/two"]


def test_objects_without_a_field_land_as_text(client, hub):
    """Parquet has no type for `"info": {}` throughout; the rows and the card say text."""
    (client.folder / "mine.jsonl").write_text('{"id": 0, "info": {}}\n')
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl", *LICENSED)
    assert done.code == 0, done.text
    assert client.rows("me/mine") == {"train": [{"id": 0, "info": "{}"}]}
