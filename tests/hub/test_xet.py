"""Through Xet's own code, which is what huggingface_hub uses by itself, with a folder of this machine as storage."""

import hashlib
import importlib.util
import json

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("hf_xet") is None, reason="hf_xet is not installed"),
]
COMMIT = """
    import hashlib, pathlib
    from kbtools.data.hub.commit import Change, LocalFile, Place, commit
    from kbtools.data.hub.client import briefly
    path = pathlib.Path("x.parquet")
    content = path.read_bytes()
    file = LocalFile(path, hashlib.sha256(content).hexdigest(), len(content))
    with briefly():
        print(commit(Place("me/x"), lambda now: Change({"data/x.parquet": file}), "through xet").changed)
"""


@pytest.fixture
def store(client, hub):
    """The folder in which Xet keeps its chunks."""
    folder = client.folder / "xet"
    folder.mkdir()
    hub.tell("xet", {"folder": str(folder)})
    return folder


def test_commit_lands_through_xet(client, hub, store):
    """The chunks go into Xet's storage, nothing through LFS; the commit is checked like any other."""
    (client.folder / "x.parquet").write_bytes(b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(10_000)))
    done = client.python(COMMIT, HF_HUB_DISABLE_XET="0")
    assert done.out.strip() == "True", done.text
    assert hub.log("POST", "/lfs/") == []
    assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) > 300_000
    assert hub.state("me/x")["commits"]["main"] == ["through xet", "initial commit"]


def test_storage_that_is_away_for_a_while_is_asked_again(client, hub, store):
    """Xet gives up with a lost connection after attempts of its own; ours begin the push anew."""
    hub.faults({"path": "/xet-write-token/", "do": "status", "status": 500, "times": 3})
    (client.folder / "x.parquet").write_bytes(b"x" * 1000)
    done = client.python(COMMIT, HF_HUB_DISABLE_XET="0", HF_XET_CLIENT_RETRY_MAX_ATTEMPTS="1")
    assert done.out.strip() == "True", done.text
    assert len(hub.log("GET", "/xet-write-token/")) > 3


def test_storage_that_stays_away_is_named(client, hub, store):
    """A ConfigError that says what was being done, without a traceback of the client; nothing was committed."""
    hub.faults({"path": "/xet-write-token/", "do": "status", "status": 403, "times": 99})
    (client.folder / "x.parquet").write_bytes(b"x" * 1000)
    done = client.python(COMMIT, HF_HUB_DISABLE_XET="0", HF_XET_CLIENT_RETRY_MAX_ATTEMPTS="1")
    assert done.code == 1
    assert "kbtools.errors.ConfigError: pushing to me/x" in done.err
    assert "403" in done.err
    assert hub.state("me/x")["commits"]["main"] == ["initial commit"]


def test_rows_come_back_through_xet(client, hub, store, rows):
    """The shard's chunks come from Xet's storage, and none of it from the other one."""
    client.upload("me/src", rows)
    files = hub.state("me/src")["files"]
    (sha256,) = [etag for path, (_, etag) in files.items() if path.endswith(".parquet")]
    fetch = f"""
        import urllib.request, hf_xet
        content = urllib.request.urlopen({hub.storage + "/objects/" + sha256!r}).read()
        open("x.parquet", "wb").write(content)
        print(hf_xet.hash_files(["x.parquet"])[0].hash)
    """
    hashed = client.python(fetch)
    assert hashed.code == 0, hashed.err
    assert client.python(COMMIT, HF_HUB_DISABLE_XET="0").code == 0
    hub.tell("xet", {"folder": str(store), "hashes": {sha256: hashed.out.strip()}})
    hub.faults({"path": "/xet-read-token/", "do": "status", "status": 500})
    seen = len(hub.log("GET", "/objects/"))
    words = ("pull", "me/src", "--split", "train", "--out", "back.jsonl")
    done = client.kbtools(*words, home="stranger", HF_HUB_DISABLE_XET="0")
    assert done.code == 0, done.text
    assert len(hub.log("GET", "/objects/")) == seen
    assert [json.loads(line) for line in (client.folder / "back.jsonl").read_text().splitlines()] == rows
