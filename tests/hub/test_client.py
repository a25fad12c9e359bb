"""The Hub's client in this process: rights, errors in words, further attempts, and commits that land whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path

import pytest

from kbtools.data.hub import client
from kbtools.data.hub.client import Account, check_write, explained, info, persistently
from kbtools.data.hub.commit import Change, Head, LocalFile, Place, commit, head
from kbtools.errors import ConfigError, KbError, Missing
from tests.servers.hub_process import HubProcess

Become = Callable[[str], None]


@pytest.fixture(autouse=True)
def become(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Become]:
    """This process is a client of the local Hub, as the user of a token; it tries again at once, and only twice."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    waits = client._waits.set((0.0, 0.0))
    become = lambda token: monkeypatch.setenv("HF_TOKEN", token)  # noqa: E731 - a fixture gives it
    become("hf_me")
    yield become
    client._waits.reset(waits)


def a_file(folder: Path, text: str) -> LocalFile:
    """A large file of these characters."""
    path = folder / "large"
    path.write_text(text)
    return LocalFile(path, hashlib.sha256(text.encode()).hexdigest(), len(text))


def holding(**files: str) -> Callable[[Head], Change]:
    """A plan for small texts, whatever is there."""
    return lambda head: Change({name: LocalFile.text(text) for name, text in files.items()})


@pytest.mark.parametrize(
    ("account", "owner", "may"),
    [
        (Account("me", "write"), "me", True),
        (Account("me", "write"), "you", False),
        (Account("me", "write", {"lab": "write"}), "lab", True),
        (Account("me", "write", {"lab": "read"}), "lab", False),
        (Account("me", "read", {"lab": "write"}), "lab", False),
        (Account("me", "read"), "me", False),
        (Account("me", "fineGrained", scopes={"me": frozenset({"repo.write"})}), "me", True),
        (Account("me", "fineGrained", scopes={"me": frozenset({"repo.content.read"})}), "me", False),
        (Account("me", "fineGrained", scopes={"lab": frozenset({"repo.write"})}), "me", False),
    ],
)
def test_who_may_make_a_repository(account: Account, owner: str, may: bool) -> None:
    """The owner, members who may write, and what a fine-grained token was made for."""
    assert account.may_create(owner) is may


def test_the_right_to_write_is_asked_for_before_anything_else(become: Become) -> None:
    """To make a repository, and to change one; a pull request needs neither, where there is something to read."""
    become("hf_other")
    commit(Place("other/public", private=False), holding(a="1"), "first")
    become("hf_reader")
    with pytest.raises(ConfigError, match=r"me cannot make the repository me/new with this token \(role: read\)"):
        check_write("me/new", client.account(), pull_request=False)
    become("hf_me")
    assert check_write("me/new", client.account(), pull_request=False) is None
    with pytest.raises(ConfigError, match="checking the right to write to other/public"):
        check_write("other/public", client.account(), pull_request=False)
    assert check_write("other/public", client.account(), pull_request=True) is not None


def test_errors_say_what_was_done_and_what_to_do(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is not known, and a Hub that is not there."""
    from huggingface_hub import constants

    become("hf_nobody")
    with pytest.raises(
        ConfigError, match=r"who is logged in: the Hub does not accept the token .*hf auth login"
    ) as told:
        client.account()
    assert not isinstance(told.value, Missing)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"looking at me/x: the Hub at http://127.0.0.1:9 could not be reached"):
        info("me/x")


def test_a_token_that_is_not_there_is_told_with_all_else_that_a_run_lacks(become: Become) -> None:
    """One that is refused is there."""
    from huggingface_hub.errors import LocalTokenNotFoundError

    with pytest.raises(Missing, match="who is logged in"), explained("who is logged in"):
        raise LocalTokenNotFoundError("Token is required")


@pytest.mark.parametrize("status", [408, 409, 412, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_tried_again(hub: HubProcess, status: int) -> None:
    """Twice here, and then told with the Hub's answer."""
    commit(Place("me/x"), holding(a="1"), "first")
    hub.faults({"path": r"^/api/datasets/me/x", "do": "status", "status": status, "times": 2})
    assert info("me/x") is not None
    hub.faults({"path": r"^/api/datasets/me/x", "do": "status", "status": status, "times": 9})
    with pytest.raises(ConfigError, match=f"looking at me/x: the Hub answered {status}"):
        info("me/x")


def test_further_attempts_come_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is between once and twice its time, as for others who were turned away at the same moment."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)

    def attempt() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Context().run(persistently, attempt)  # with the waits of a process that was told no others
    least = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
    assert len(waited) == len(least)
    assert all(wait <= seconds <= 2 * wait for wait, seconds in zip(least, waited, strict=True))


def test_a_commit_lands_once_and_leaves_the_rest(hub: HubProcess, tmp_path: Path) -> None:
    """A new repository is private, large files are told as they are sent, and what is there is not sent again."""
    sent: list[str] = []
    large = a_file(tmp_path, "x" * 20_000)
    plan = lambda head: Change({"data.parquet": large, "README.md": LocalFile.text("read me")})  # noqa: E731
    done = commit(Place("me/x"), plan, "first", sent.append)
    assert done.changed
    assert sent == ["data.parquet"]
    assert hub.state("me/x")["private"]
    files = head("me/x", "main").files
    assert files["data.parquet"].sha256 == large.sha256
    assert files["README.md"].sha256 is None
    assert files["README.md"].holds(LocalFile.text("read me"))
    assert not files["README.md"].holds(LocalFile.text("read it"))
    again = commit(Place("me/x"), plan, "second", sent.append)
    assert (again.sha, again.changed, sent) == (done.sha, False, ["data.parquet"])
    gone = commit(Place("me/x"), lambda head: Change({}, frozenset({"README.md", "other"})), "third")
    assert gone.gone == {"README.md"}
    assert sorted(head("me/x", "main").files) == [".gitattributes", "data.parquet"]


def test_a_pull_request_is_opened_once_and_is_ours(hub: HubProcess, become: Become) -> None:
    """One of the same title by somebody else, or of ours with another title, is left alone."""
    first = commit(Place("me/x", private=False), holding(a="1"), "first").sha
    become("hf_other")
    assert client.api().create_pull_request("me/x", "ours", repo_type="dataset").num == 1
    become("hf_me")
    assert commit(Place("me/x", pull_request=True), holding(a="3"), "another").pull_request == 2
    one = commit(Place("me/x", pull_request=True), holding(a="4"), "ours")
    two = commit(Place("me/x", pull_request=True), holding(a="4"), "ours")
    assert (one.pull_request, two.pull_request) == (3, 3)
    assert one.sha == two.sha
    assert [pull["status"] for pull in hub.state("me/x")["pulls"]] == ["draft", "open", "open"]
    assert hub.state("me/x")["refs"]["main"] == first


def test_a_commit_that_is_not_what_was_sent_is_an_error(hub: HubProcess, tmp_path: Path) -> None:
    """A file is missing from what the Hub then shows."""
    large = a_file(tmp_path, "x" * 20_000)
    hub.faults({"path": r"/commit/main$", "do": "spoil"})
    with pytest.raises(KbError, match=r"read back, is not what was sent: data.parquet differ"):
        commit(Place("me/x"), lambda head: Change({"data.parquet": large, "a": LocalFile.text("1")}), "first")


def test_errors_of_others_are_left_as_they_are() -> None:
    """What is not the Hub's is not explained as if it were."""
    with pytest.raises(ZeroDivisionError), explained("dividing"):
        _ = 1 / 0
