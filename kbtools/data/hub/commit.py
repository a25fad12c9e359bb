"""One commit to a dataset repository that lands whole, or not at all, whatever happens in between.

What the commit contains is decided one floor up, by `kbtools.publish`; requests to the Hub are in
`kbtools.data.hub.client`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbtools.data.hub.client import account, api, explained, persistently
from kbtools.errors import KbError


@dataclass(frozen=True)
class LocalFile:
    """A file to be committed: on disk, or a small text in memory."""

    content: Path | bytes
    sha256: str
    size: int

    @staticmethod
    def text(text: str) -> LocalFile:
        """A text as a file."""
        content = text.encode()
        return LocalFile(content, hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it: `sha256` of large files, the git name of the others."""

    size: int
    oid: str
    sha256: str | None

    def holds(self, file: LocalFile) -> bool:
        """Whether the content is the same."""
        if self.sha256:
            return self.sha256 == file.sha256
        return isinstance(file.content, bytes) and self.oid == _git_name(file.content)


@dataclass(frozen=True)
class Head:
    """What a branch holds."""

    sha: str
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True)
class Change:
    """What a branch is to hold afterwards: these files, and none of those."""

    files: Mapping[str, LocalFile]
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """Where a commit goes."""

    repo: str
    branch: str = "main"
    private: bool = True
    """Of a repository that has to be made."""
    pull_request: bool = False


@dataclass(frozen=True)
class Landed:
    """What came of a commit: its sha, whether there was anything to change, and which files are no longer there."""

    sha: str
    changed: bool
    pull_request: int | None = None
    gone: frozenset[str] = frozenset()


def head(repo: str, revision: str) -> Head:
    """What a branch or commit holds; the client's own errors."""
    sha = str(api().dataset_info(repo, revision=revision).sha)
    entries: Any = api().list_repo_tree(repo, recursive=True, revision=sha, repo_type="dataset")
    files = [entry for entry in entries if hasattr(entry, "size")]
    return Head(sha, {f.path: RemoteFile(f.size, f.blob_id, f.lfs.sha256 if f.lfs else None) for f in files})


def head_of(repo: str, branch: str) -> Head | None:
    """What a branch holds; None when there is no such branch."""
    from huggingface_hub.errors import RevisionNotFoundError

    with explained(f"looking at {repo}"):
        try:
            return persistently(lambda: head(repo, branch))
        except RevisionNotFoundError:
            return None


def commit(
    place: Place, plan: Callable[[Head], Change], message: str, uploaded: Callable[[str], None] = lambda path: None
) -> Landed:
    """Bring a branch to what `plan` wants of its head, in one commit, or leave it as it was.

    Every attempt starts from the head as it then is, so a lost answer or somebody else's commit in between does no
    harm: what has landed is found there, and objects that were uploaded are not sent again. KbError when the commit,
    read back, is not what was sent. `uploaded` is told the path of every file that the Hub then has.
    """
    with explained(f"pushing to {place.repo} (it lands whole or not at all: run it again, nothing is sent twice)"):
        return persistently(lambda: _attempt(place, plan, message, uploaded))


def _attempt(place: Place, plan: Callable[[Head], Change], message: str, uploaded: Callable[[str], None]) -> Landed:
    now = _head_for_writing(place)
    if _needed(now, plan(now)) is None:
        return Landed(now.sha, changed=False)
    branch, number = place.branch, None
    if place.pull_request:
        number = _own_pull_request(place.repo, message)
        branch = f"refs/pr/{number}"
        now = head(place.repo, branch)
    wanted = plan(now)
    needed = _needed(now, wanted)
    sha = now.sha if needed is None else _send(place.repo, branch, now, needed, message, uploaded)
    _check_landed(place.repo, sha, now, wanted)
    if number is not None:
        _open(place.repo, number)
    return Landed(sha, changed=True, pull_request=number, gone=wanted.gone & set(now.files))


def _head_for_writing(place: Place) -> Head:
    """The head of the branch; repository and branch are made when they do not exist."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        return head(place.repo, place.branch)
    except RepositoryNotFoundError:
        # Made by somebody else a moment ago: 409, and the attempt is repeated from the head that is there then.
        api().create_repo(place.repo, repo_type="dataset", private=place.private)
    except RevisionNotFoundError:
        pass
    if place.branch != "main":
        api().create_branch(place.repo, branch=place.branch, repo_type="dataset", exist_ok=True)
    return head(place.repo, place.branch)


def _needed(now: Head, wanted: Change) -> Change | None:
    """The part of a change that is still to be made; None when there is none."""
    files = {p: file for p, file in wanted.files.items() if p not in now.files or not now.files[p].holds(file)}
    gone = wanted.gone & set(now.files)
    return Change(files, gone) if files or gone else None


def _send(repo: str, branch: str, now: Head, needed: Change, message: str, uploaded: Callable[[str], None]) -> str:
    from huggingface_hub import CommitOperationDelete

    additions = [_addition(path, file) for path, file in sorted(needed.files.items())]
    for addition in additions:
        if isinstance(addition.path_or_fileobj, bytes):
            continue  # small texts travel in the commit itself
        api().preupload_lfs_files(repo, [addition], repo_type="dataset", revision=branch, free_memory=False)
        uploaded(addition.path_in_repo)
    deletions = [CommitOperationDelete(path, is_folder=False) for path in sorted(needed.gone)]
    done = api().create_commit(
        repo,
        [*additions, *deletions],
        commit_message=message,
        repo_type="dataset",
        revision=branch,
        parent_commit=now.sha,
    )
    return str(done.oid)


def _addition(path: str, file: LocalFile) -> Any:
    from huggingface_hub import CommitOperationAdd

    addition = CommitOperationAdd(path, file.content)
    addition.upload_info.sha256 = bytes.fromhex(file.sha256)  # known: a large file is not read once more
    return addition


def _check_landed(repo: str, sha: str, before: Head, wanted: Change) -> None:
    """Every file that was sent is in the commit with its checksum, and every other file as it was."""
    after = head(repo, sha).files
    wrong = [path for path, file in wanted.files.items() if path not in after or not after[path].holds(file)]
    wrong += [path for path in wanted.gone if path in after]
    touched = set(wanted.files) | wanted.gone
    wrong += [path for path, file in before.files.items() if path not in touched and after.get(path) != file]
    if wrong:
        raise KbError(
            f"the commit {sha[:12]} of {repo}, read back, is not what was sent: {', '.join(sorted(wrong)[:5])} differ. "
            "Look at the repository's history and revert that commit, then push again."
        )


def _own_pull_request(repo: str, title: str) -> int:
    """The pull request that an earlier attempt opened under this title, or a new one."""
    name = account().name
    for found in api().get_repo_discussions(repo, repo_type="dataset"):
        if (
            found.is_pull_request
            and found.title == title
            and found.author == name
            and found.status in ("draft", "open")
        ):
            return found.num
    return api().create_pull_request(repo, title, repo_type="dataset").num


def _open(repo: str, number: int) -> None:
    """Pull requests are made as drafts: this one is ready."""
    found = api().get_discussion_details(repo, number, repo_type="dataset")
    if found.status == "draft":
        api().change_discussion_status(repo, number, "open", repo_type="dataset")


def _git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
