"""The upload path that the real Hub prefers: Xet's own code, with a folder of this machine as its storage."""

import importlib.util

import pytest


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("hf_xet") is None, reason="hf_xet is not installed")
def test_commit_lands_through_xet(client, hub):
    """The chunks go into Xet's storage, nothing through LFS; the commit is checked like any other.

    Reading back through Xet needs a hash that only the real service knows, so it is not part of this test.
    """
    store = client.folder / "xet"
    store.mkdir()
    hub.tell("xet", {"folder": str(store)})
    done = client.python(
        """
        import hashlib, os, pathlib
        from kbtools.data.commit import Change, LocalFile, Place, commit
        content = os.urandom(300_000)
        path = pathlib.Path("x.parquet"); path.write_bytes(content)
        file = LocalFile(path, hashlib.sha256(content).hexdigest(), len(content))
        print(commit(Place("me/x"), lambda now: Change({"data/x.parquet": file}), "through xet").changed)
        """,
        HF_HUB_DISABLE_XET="0",
    )
    assert done.out.strip() == "True", done.text
    assert hub.log("POST", "/lfs/") == []
    assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) > 300_000
    assert hub.state("me/x")["commits"]["main"] == ["through xet", "initial commit"]
