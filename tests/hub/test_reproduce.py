"""From what stands on the Hub alone to the same dataset again, and several recipes in one file."""

import re

import pytest

DIGESTS = """
    import huggingface_hub as h
    print(open(h.hf_hub_download({repo!r}, "README.md", repo_type="dataset")).read())
"""


@pytest.mark.slow
def test_command_on_the_card_gives_identical_files(client, hub, rows):
    """A stranger copies the command from the card; pushing what it gives to another place uploads not one byte."""
    client.upload("lab/src", rows)
    words = (
        "apply",
        "filter",
        "--where",
        "reward > 0.4",
        "judge",
        "--judge",
        "static",
        "--dataset",
        "lab/src",
        "--push",
    )
    done = client.kbtools(*words, "--license", "mit", "--org", "lab", "--public")
    assert done.code == 0, done.text
    name = next(repo for repo in hub.repos() if repo.startswith("lab/src-"))
    client.upload("lab/src", rows[:5])  # the source goes on; the lineage has its commit
    text = client.python(DIGESTS.format(repo=name), home="stranger").out
    command = re.search(r"^\$ kbtools (.*)$", text, re.MULTILINE)[1].split()
    assert client.kbtools(*command, home="stranger").code == 0
    stored = len(hub.log("PUT", "/objects/"))
    again = client.kbtools(*command[:2], "--push", "--repo", "me/copy", "--license", "mit", home="stranger")
    assert again.code == 0, again.text
    assert len(hub.log("PUT", "/objects/")) == stored
    shards = [{f for f in hub.state(repo)["files"] if f.endswith(".parquet")} for repo in (name, "me/copy")]
    assert shards[0] == shards[1]
    assert client.rows("me/copy") == client.rows(name)
    loaded = client.python(f"""
        import kbtools as kb
        one, two = kb.load("hf://datasets/{name}/kbtools-lineage.json"), kb.load("{name}")
        assert {{n: d.to_list() for n, d in one.items()}} == {{n: d.to_list() for n, d in two.items()}}
    """)
    assert loaded.code == 0, loaded.err


@pytest.mark.slow
def test_recipes_of_one_file_run_in_order_and_by_name(client, hub, jsonl, rows):
    """A later recipe loads what an earlier one pushed; names choose; variables fill in names, with a default."""
    (client.folder / "all.toml").write_text("""
        [[recipe]]
        name = "good"
        source = { dataset = "mine.jsonl" }
        [[recipe.stages]]
        stage = "filter"
        where = "reward > 0.5"
        [[recipe.stages]]
        stage = "push"
        repo = "${GOOD_PATH:-me/good}"
        license = "mit"
        [[recipe]]
        name = "best"
        source = { dataset = "${GOOD_PATH:-me/good}" }
        stages = [{ stage = "filter", where = "reward > 1.5" }, { stage = "push", repo = "best" }]
    """)
    done = client.kbtools("run", "all.toml")
    assert done.code == 0, done.text
    assert client.rows("me/best") == {"train": rows[16:]}
    only = client.kbtools("run", "all.toml", "good", GOOD_PATH="me/named")
    assert only.code == 0, only.text
    assert sorted(hub.repos()) == ["me/best", "me/good", "me/named"]
    assert "Did you mean 'best'" in client.kbtools("run", "all.toml", "bets").err
