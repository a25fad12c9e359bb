"""ModelStage the Hugging Face Hub: who is logged in, what exists, what may be done, and trying again when it is busy.

Errors of the client become `ConfigError`s that say what was being done; no text that leaves this module holds a token.
TextGenerationStage is `kbtools.data.hub.commit`'s part.
"""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kbtools.errors import ConfigError, Missing, UsageError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import DatasetInfo

T = TypeVar("T")
_URI = re.compile(r"^hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?(/(?P<path>.+))?$")
_SHA = re.compile(r"^[0-9a-f]{40}$")
_TRANSIENT = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
"""412: somebody committed in between; 409: somebody is committing; the others pass by themselves."""
_waits: ContextVar[tuple[float, ...]] = ContextVar("waits", default=(0.5, 1.0, 2.0, 4.0, 8.0, 8.0))
"""Seconds before each further attempt, lengthened at random."""
TOGETHER = 5
"""Files that are sent or read at the same time."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TOKEN_HINT = "Set HF_TOKEN (also in .env), or run `hf auth login`."


@dataclass(frozen=True)
class Account:
    """The owner of the token, and what the token may do."""

    name: str
    role: str
    orgs: Mapping[str, str] = field(default_factory=dict)
    """Role in each organisation."""
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Permissions of a fine-grained token, by user or organisation."""

    def may_create(self, owner: str) -> bool:
        """Whether a new repository of this owner can be made with this token."""
        if self.role == "fineGrained":
            return "repo.write" in self.scopes.get(owner, ())
        return self.role != "read" and (owner == self.name or self.orgs.get(owner) in ("write", "admin", "contributor"))


def api() -> HfApi:
    """A client that says who is calling."""
    from huggingface_hub import HfApi

    return HfApi(library_name="kbtools")


def endpoint() -> str:
    """Address of the Hub."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def parse_uri(uri: str) -> tuple[str, str | None, str]:
    """Repository, revision and path of `hf://datasets/OWNER/NAME[@REVISION]/PATH`."""
    match = _URI.match(uri)
    if not match:
        raise UsageError(f"{uri!r} is not of the form hf://datasets/OWNER/NAME[@REVISION]/PATH.")
    return match["repo"], match["revision"], match["path"] or ""


def redacted(text: str) -> str:
    """The text without the token of this process, should a server have repeated it."""
    from huggingface_hub import get_token

    token = get_token()
    return text.replace(token, "hf_***") if token else text


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Errors of the client as ConfigErrors that begin with what was being done."""
    try:
        yield
    except Exception as error:
        said = _explanation(_cause(error))
        if said is None:
            raise
        kind = Missing if _lacks_token(error) else ConfigError
        raise kind(f"{doing}: {said}") from None


def _lacks_token(error: Exception) -> bool:
    from huggingface_hub.errors import LocalTokenNotFoundError

    return isinstance(error, LocalTokenNotFoundError)


def _explanation(error: BaseException) -> str | None:
    """What is said of an error of the client; None of any other error."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    text = redacted(f"{type(error).__name__}: {error}".rstrip(": "))
    if isinstance(error, OfflineModeIsEnabled):
        return "offline mode is on (--offline or HF_HUB_OFFLINE), so the Hub is not asked."
    if isinstance(error, LocalTokenNotFoundError):
        return f"there is no token. {_TOKEN_HINT}"
    if isinstance(error, HfHubHTTPError):
        return _reason(error)
    if isinstance(error, (_http_error(), ConnectionError, TimeoutError)):
        return f"the Hub at {endpoint()} could not be reached ({text}). Try again later."
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return f"there is no room on the disk ({text}). HF_HOME says where datasets are kept."
    if type(error).__module__ == "hf_xet":
        return f"the Hub's storage refused ({text}). Try again later; HF_HUB_DISABLE_XET=1 takes another way there."
    return None


def _cause(error: BaseException) -> BaseException:
    """What made an upload or download fail, where the client itself says only which file it was."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(error, (RuntimeError, LocalEntryNotFoundError)) and error.__cause__ is not None:
        return _cause(error.__cause__)
    return error


def _reason(error: Any) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return "the dataset is gated: ask for access on its page, then log in. " + _TOKEN_HINT
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such dataset on the Hub, or it is private and the token gives no access. " + _TOKEN_HINT
    if isinstance(error, RevisionNotFoundError):
        return "there is no such revision."
    said = redacted(str(error.response.headers.get("X-Error-Message") or error.server_message or "no reason given"))
    if status == 401:
        return f"the Hub does not accept the token ({said}). {_TOKEN_HINT}"
    if status == 403:
        return f"the token does not allow it ({said}). Make one with write access and log in with it."
    return f"the Hub answered {status} ({said})."


def transient(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    cause = _cause(error)
    if isinstance(cause, HfHubHTTPError):
        return cause.response.status_code in _TRANSIENT
    lost = (_http_error(), ConnectionError, TimeoutError)  # hf_xet raises a ConnectionError for whatever goes wrong
    return isinstance(cause, lost) and not isinstance(cause, OfflineModeIsEnabled)


def _http_error() -> type[Exception]:
    """Base of what the HTTP library raises: of httpx or httpx2, whichever the client uses."""
    from huggingface_hub import errors

    return cast("type[Exception]", errors.HfHubHTTPError.__mro__[1])


def persistently(attempt: Callable[[], T]) -> T:
    """The result of the first attempt that gets through; the last error when none does."""
    for wait in _waits.get():
        try:
            return attempt()
        except Exception as error:
            if not transient(error):
                raise
            time.sleep(wait * (1 + random.random()))
    return attempt()


@contextmanager
def briefly() -> Iterator[None]:
    """Give up after seconds instead of half a minute: for questions before any work, of which nothing is lost yet."""
    before = _waits.set(_waits.get()[:3])
    try:
        yield
    finally:
        _waits.reset(before)


# ---- questions ------------------------------------------------------------------------------------------------------


def account() -> Account:
    """Who is logged in; ConfigError when nobody is."""
    with explained("asking the Hub who is logged in"):
        answer = persistently(lambda: api().whoami(cache=True))
    token = answer.get("auth", {}).get("accessToken", {})
    scoped = token.get("fineGrained", {}).get("scoped", [])
    return Account(
        answer["name"],
        token.get("role", "write"),
        {org["name"]: org.get("roleInOrg", "") for org in answer.get("orgs", [])},
        {entry["entity"]["name"]: frozenset(entry["permissions"]) for entry in scoped if "name" in entry["entity"]},
    )


def info(repo: str, revision: str | None = None) -> DatasetInfo | None:
    """What the Hub says of a dataset; None when it has none of that name that this token can see."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    with explained(f"looking at {repo}"):
        try:
            return persistently(lambda: api().dataset_info(repo, revision=revision))
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None


def check_write(repo: str, user: Account, *, pull_request: bool) -> DatasetInfo | None:
    """What is at the target, if anything; ConfigError when this token may not write there."""
    found = info(repo)
    owner = repo.split("/")[0]
    if found is None and not user.may_create(owner):
        raise ConfigError(
            f"{user.name} cannot make the repository {repo} with this token (role: {user.role}). Choose another owner "
            "with --org or --repo, or log in with a token that has write access there."
        )
    if found is not None and not pull_request:
        with explained(f"checking the right to write to {repo}"):
            persistently(lambda: api().auth_check(repo, repo_type="dataset", write=True))
    return found


class NoFile(UsageError):
    """A repository has no file of this name."""


def read_text(repo: str, path: str, revision: str | None = None) -> str:
    """A small file of a dataset repository."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with explained(f"reading {path} of {repo}"):
        try:
            return persistently(lambda: _download(repo, path, revision))
        except RemoteEntryNotFoundError:
            raise NoFile(f"{repo} has no file {path!r} at {revision or 'main'}.") from None


def _download(repo: str, path: str, revision: str | None) -> str:
    from huggingface_hub.constants import is_offline_mode

    known = is_offline_mode() or _SHA.match(revision or "")
    sha = None if known else api().dataset_info(repo, revision=revision).sha
    file = Path(api().hf_hub_download(repo, path, repo_type="dataset", revision=revision))
    if sha and sha not in file.parts:  # the client takes an older copy when the Hub does not answer
        raise ConnectionError(f"only an older copy of {path} is there, in the cache")
    return file.read_text(encoding="utf-8")


def parquet_rows(repo: str, sha: str, paths: Iterable[str]) -> int:
    """Rows of parquet files of a commit, read from the ends of the files as the Hub serves them."""
    with explained(f"reading {repo} back"):
        return persistently(lambda: _parquet_rows(repo, sha, list(paths)))


def _parquet_rows(repo: str, sha: str, paths: list[str]) -> int:
    import pyarrow.parquet as pq
    from huggingface_hub import HfFileSystem

    files = HfFileSystem(skip_instance_cache=True)

    def rows(path: str) -> int:
        with files.open(f"datasets/{repo}@{sha}/{path}", block_size=65_536, cache_type="readahead") as stream:
            return int(pq.read_metadata(stream).num_rows)

    with ThreadPoolExecutor(TOGETHER) as pool:
        return sum(pool.map(rows, paths))
