"""The token is used and never shown: not in output, files or lineage, even when the server repeats it."""

import pytest

TOKEN = "hf_me"
SECRET = "hf_Zq8TsecretTokenThatNobodyShallSee"


@pytest.fixture
def secretive(hub):
    """A user whose token is unmistakable."""
    hub.tell("users", {SECRET: {"name": "me"}})
    return hub


def test_token_from_dotenv_is_used_and_appears_nowhere(client, secretive, jsonl):
    """A failing and a successful push: nothing printed or written, here or on the Hub, holds the token."""
    (client.folder / ".env").write_text(f"HF_TOKEN={SECRET}\n")
    words = ("apply", "push", "--dataset", "mine.jsonl", "--license", "mit", "--out", "local.parquet")
    secretive.faults({"path": "/commit/", "do": "status", "status": 403})
    failed = client.kbtools(*words, token=None)
    assert failed.code == 3
    assert "hf_***" in failed.err
    done = client.kbtools(*words, token=None)
    assert done.code == 0, done.text
    assert SECRET not in failed.text + done.text
    for path in client.folder.rglob("*"):
        if path.is_file() and path.name != ".env":
            assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in str(secretive.state("me/mine"))


@pytest.mark.slow
def test_exception_of_the_python_way_holds_no_token(client, secretive, jsonl):
    """A whole traceback, as a notebook shows it."""
    secretive.faults({"path": "/commit/", "do": "status", "status": 403})
    code = 'import kbtools as kb; kb.apply(kb.load("mine.jsonl"), kb.Push(repo="x", license="mit"))'
    done = client.python(code, token=SECRET)
    assert done.code == 1
    assert "hf_***" in done.err
    assert SECRET not in done.text


@pytest.mark.slow
def test_login_is_used(client, secretive, jsonl):
    """`hf auth login` leaves the token in HF_HOME."""
    (client.folder / "home").mkdir()
    (client.folder / "home" / "token").write_text(SECRET)
    done = client.kbtools("apply", "push", "--dataset", "mine.jsonl", "--license", "mit", token=None)
    assert done.code == 0, done.text
    assert SECRET not in done.text
