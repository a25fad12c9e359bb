"""What the local Hub remembers: users, repositories with commits and branches, pull requests, stored objects.

Nothing here knows HTTP. Commits are snapshots (path to file); an object is stored once under its sha256, as LFS does.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any


class Refused(Exception):
    """A request that the Hub answers with an error."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class User:
    """The owner of a token; `role` is read, write or fineGrained (with `scopes`: entity name to permissions)."""

    name: str
    role: str = "write"
    orgs: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, list[str]] = field(default_factory=dict)

    def may_write(self, owner: str) -> bool:
        """Whether this token may change the repositories of this owner."""
        if self.role == "fineGrained":
            return "repo.write" in self.scopes.get(owner, [])
        return self.role == "write" and (owner == self.name or self.orgs.get(owner) in ("write", "admin"))

    def whoami(self) -> dict[str, Any]:
        """The answer of /api/whoami-v2."""
        scoped = [{"entity": {"type": "user", "name": n}, "permissions": p} for n, p in self.scopes.items()]
        token: dict[str, Any] = {"displayName": "test", "role": self.role}
        if self.role == "fineGrained":
            token["fineGrained"] = {"scoped": scoped, "global": []}
        return {
            "type": "user",
            "name": self.name,
            "fullname": self.name,
            "orgs": [{"type": "org", "name": n, "roleInOrg": role} for n, role in self.orgs.items()],
            "auth": {"type": "access_token", "accessToken": token},
        }


@dataclass(frozen=True)
class File:
    """A file of a commit: its content if regular, else the sha256 of an object in the LFS store."""

    size: int
    oid: str
    sha256: str | None = None
    content: bytes | None = None

    @staticmethod
    def regular(content: bytes) -> File:
        """A file that is kept in git."""
        return File(len(content), git_hash(content), None, content)

    @staticmethod
    def lfs(sha256: str, size: int) -> File:
        """A file of which git keeps only the pointer."""
        return File(size, git_hash(f"lfs {sha256} {size}".encode()), sha256)

    @property
    def etag(self) -> str:
        """What clients compare."""
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    parent: str | None
    title: str
    author: str
    tree: dict[str, File]


@dataclass
class PullRequest:
    """A discussion with its own branch `refs/pr/N`."""

    num: int
    title: str
    author: str
    status: str = "draft"


@dataclass
class Repo:
    """One dataset repository."""

    id: str
    private: bool
    gated: bool = False
    admitted: set[str] = field(default_factory=set)
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    pulls: list[PullRequest] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """User or organisation."""
        return self.id.split("/")[0]

    def commit(self, revision: str) -> Commit:
        """Commit of a branch, reference or sha."""
        sha = self.refs.get(revision, revision)
        if sha not in self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[sha]

    def add(self, ref: str, title: str, author: str, tree: dict[str, File]) -> Commit:
        """A new commit at the head of a branch."""
        parent = self.refs.get(ref)
        sha = hashlib.sha1(json.dumps([self.id, parent, title, len(self.commits)]).encode()).hexdigest()
        self.commits[sha] = Commit(sha, parent, title, author, tree)
        self.refs[ref] = sha
        return self.commits[sha]

    def history(self, ref: str) -> list[Commit]:
        """The commits of a branch, newest first."""
        found, sha = [], self.refs.get(ref, ref)
        while sha:
            found.append(self.commits[sha])
            sha = self.commits[sha].parent
        return found


class Store:
    """Everything that the Hub knows."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.xet_folder = ""
        self.xet_hashes: dict[str, str] = {}

    def repo(self, repo_id: str, user: User | None) -> Repo:
        """A repository that this user can see; others do not exist for them."""
        repo = self.repos.get(repo_id)
        hidden = repo is not None and repo.private and not (user and self._sees(user, repo))
        if repo is None or hidden:
            if user is None:
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise Refused(404, "Repository not found", "RepoNotFound")
        return repo

    def _sees(self, user: User, repo: Repo) -> bool:
        return repo.owner == user.name or repo.owner in user.orgs

    def check_files(self, repo: Repo, user: User | None) -> None:
        """Files of a gated repository are for those who were admitted."""
        if repo.gated and (user is None or user.name not in {repo.owner, *repo.admitted}):
            raise Refused(401 if user is None else 403, f"Access to dataset {repo.id} is restricted.", "GatedRepo")

    def check_write(self, repo: Repo, user: User | None) -> User:
        """The user, if they may change this repository."""
        if user is None:
            raise Refused(401, "Invalid username or password.")
        if not user.may_write(repo.owner):
            raise Refused(403, f"You don't have the rights to push to {repo.id}")
        return user

    def create(self, user: User | None, name: str, organization: str | None, private: bool) -> Repo:
        """A new repository with the commit that every new repository has."""
        if user is None:
            raise Refused(401, "Invalid username or password.")
        repo = Repo(f"{organization or user.name}/{name}", private)
        if repo.id in self.repos:
            raise Refused(409, "You already created this dataset repo")
        self.check_write(repo, user)
        first = File.regular(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        repo.add("main", "initial commit", user.name, {".gitattributes": first})
        self.repos[repo.id] = repo
        return repo

    def apply(self, repo: Repo, user: User, revision: str, lines: list[dict[str, Any]], as_pull: bool) -> Commit:
        """One commit from the lines of the commit API: all of it or none."""
        header = next(line["value"] for line in lines if line["key"] == "header")
        base = repo.commit(revision)
        parent = header.get("parentCommit")
        if parent and not as_pull and parent != base.sha:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(base.tree)
        for line in lines:
            self._edit(tree, line["key"], line["value"])
        ref = revision
        if as_pull:
            ref = self.open_pull(repo, user, header["summary"], status="open")[1]
        return repo.add(ref, header["summary"], user.name, tree)

    def open_pull(self, repo: Repo, user: User, title: str, status: str = "draft") -> tuple[PullRequest, str]:
        """A pull request and the name of its branch."""
        pull = PullRequest(len(repo.pulls) + 1, title, user.name, status)
        repo.pulls.append(pull)
        ref = f"refs/pr/{pull.num}"
        repo.refs[ref] = repo.refs["main"]
        return pull, ref

    def merge(self, repo: Repo, num: int) -> None:
        """Everything that a pull request's branch changed since it left main, as one commit on main."""
        head, main = repo.commit(f"refs/pr/{num}"), repo.commit("main")
        repo.add("main", f"Merge #{num}", "merge", {**main.tree, **head.tree})
        repo.pulls[num - 1].status = "merged"

    def _edit(self, tree: dict[str, File], kind: str, value: dict[str, Any]) -> None:
        if kind == "file":
            tree[value["path"]] = File.regular(base64.b64decode(value["content"]))
        elif kind == "lfsFile":
            if value["oid"] not in self.objects and not self.xet_folder:
                raise Refused(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
            tree[value["path"]] = File.lfs(value["oid"], value["size"])
        elif kind == "deletedFile":
            if tree.pop(value["path"], None) is None:
                raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
        elif kind == "deletedFolder":
            for path in [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]:
                del tree[path]

    def content(self, file: File) -> bytes:
        """The bytes of a file."""
        return self.objects[file.sha256] if file.sha256 else (file.content or b"")

    def describe(self) -> dict[str, Any]:
        """The whole state as plain data, for tests: files as `[size, etag]`."""
        return {repo.id: self._describe(repo) for repo in self.repos.values()}

    def _describe(self, repo: Repo) -> dict[str, Any]:
        return {
            "private": repo.private,
            "refs": dict(repo.refs),
            "commits": {ref: [commit.title for commit in repo.history(ref)] for ref in repo.refs},
            "files": {p: [file.size, file.etag] for p, file in sorted(repo.commit("main").tree.items())},
            "pulls": [replace(pull).__dict__ for pull in repo.pulls],
        }


def git_hash(content: bytes) -> str:
    """The name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
