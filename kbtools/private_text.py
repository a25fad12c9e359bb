"""Texts without what is private: where things lie on a machine, addresses of servers, names of users, keys.

A file keeps its own name and a model its own; only where they were is left out. What is private is told by its form,
and by what this machine's environment says of itself; a name that a form gives away (`/home/NAME/`, `NAME@host`) is
then left out wherever it stands.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath
from urllib.parse import urlsplit

SERVER = "private-server"
USER = "user"
SECRET = "secret"
_PUBLIC = ("huggingface.co", "hf.co", "github.com", "api.openai.com", "openrouter.ai", "api.pinference.ai")
"""Hosts that everybody can name: of the Hub, and of the profiles that come with kbtools."""
_EVERYBODY = frozenset(
    ("root", "user", "users", "admin", "administrator", "ubuntu", "debian", "runner", "nobody", "home", "app", "node",
     "jovyan", "docker", "vscode", "guest", "test", "build", "worker", "ec2-user", "ray", "workspace", "shared",
     "public", "default", "localhost", "you", "me", "name", "server", "model", "vllm", "ollama")
)  # fmt: skip
"""Accounts and hosts that are called so everywhere: their names tell nothing, and are words of every text."""
_KEY = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST_KEY = 8

_STOP = r"\s'\"<>|,;:()#`"
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>(\[[0-9a-f:]*\])?[^\s'\"<>|#,;)\]}]*)", re.IGNORECASE)
_FILE_URL = re.compile(r"\bfile:/{1,3}(?=/)(?P<place>[^'\"<>|,;)\]}\n]*)", re.IGNORECASE)
_TAIL = r"(?:/[^\s'\"<>|#,;)\]}]*)?"
_ADDRESS = re.compile(
    rf"""(?<![\w.])(?:
        \d{{1,3}}(?:\.\d{{1,3}}){{3}} (?::\d+)?
        | localhost (?::\d+)?
        | \[[0-9a-f:]*:[0-9a-f:]+(?:%\w+)?\] (?::\d+)?
        | [0-9a-f]{{3,4}}(?=:[0-9a-f:]*:)(?::[0-9a-f]{{0,4}}){{2,7}}(?:%\w+)?
        | (?:[\w-]+\.)+(?:local|lan|internal|intranet|corp|localdomain|home\.arpa|svc)\b (?::\d+)?
        | (?!(?:[\w-]+\.)+(?:py|pyi|md|txt|jsonl?|toml|ya?ml|csv|tsv|parquet|cu|cc?|cpp|h|rs|log|j2|js|html):)
          (?:[\w-]+\.)+[a-z]{{2,}}:\d{{2,5}}
        | (?!(?:train|validation|test):)[a-z][\w-]*:(?:\d{{4,5}}|22|80|443)
    )(?![\w.]|:\d){_TAIL}""",
    re.IGNORECASE | re.VERBOSE,
)
_LOGIN = re.compile(
    r"(?<![\w./@])(?P<user>[\w.+-]+)@(?!v\d+\b|main\b|master\b|[0-9a-f]{7,40}\b)(?P<host>[a-z][\w-]*(?:\.[\w-]+)*)"
    r"(?P<port>:(?=[/~\w]))?",
    re.IGNORECASE,
)
_ROOT = r"(?:~[\w.-]*/|\.{1,2}/|/)"
_PART = rf"[^/{_STOP}]+"
_PATH = re.compile(
    rf"(?<![\w./\\~-])(?:~[\w.-]*/|\.{{1,2}}/|/{_PART}/)(?:{_PART}(?:\ {_PART}){{0,3}}/)*(?P<name>[^/{_STOP}]*)"
)
_QUOTED = re.compile(rf"(?P<quote>['\"`])(?P<place>(?:{_ROOT}|[A-Za-z]:[\\/]|\\\\)[^'\"`\n]*[/\\][^'\"`\n]*)(?P=quote)")
_WINDOWS = re.compile(
    r"(?<![\w\\])(?:[A-Za-z]:[\\/]|\\\\[A-Za-z0-9][\w.-]+\\+(?=[\w$]))"
    r"(?:[^\s\\/'\"<>|,;:]+(?:\ [^\s\\/'\"<>|,;:]+){0,3}[\\/]+)*[^\s\\/'\"<>|,;:]*"
)
_SCHEME = re.compile(r"^(?P<scheme>[a-z-]+:|https?://[^#]*#)(?P<rest>.+)$", re.DOTALL)
_ROOTED = re.compile(r"^(/[^/]+/|~|\.{1,2}/|[A-Za-z]:[\\/]|\\\\)")
_HOME = re.compile(r"^((/home|/Users|[A-Za-z]:[\\/]+Users)[/\\]+[^/\\]+|~[^/\\]*)[/\\]*$", re.IGNORECASE)
"""A home folder, whose own name is that of its user."""
_GIVEN_AWAY = re.compile(
    r"(?:/home|[\\/]Users|/scratch)[/\\]+(?P<user>[a-z][\w.+-]*)|~(?P<short>[a-z][\w.-]*)(?=[/\\])", re.IGNORECASE
)


@dataclass(frozen=True)
class Cleaner:
    """Takes what is private out of texts; `users`, `hosts` and `keys` are taken out wherever they stand."""

    users: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    homes: tuple[str, ...] = ()
    """Folders of this user and of this run, that may be written with blanks."""

    def told_by(self, texts: Iterable[str], said: Iterable[str] = ()) -> Cleaner:
        """One that also knows the users and hosts that these texts give away; what is `said` in public is kept."""
        users, hosts = set(self.users), set(self.hosts)
        for text in texts:
            users |= {match["user"] or match["short"] for match in _GIVEN_AWAY.finditer(text)}
            users |= {match["user"] for match in _LOGIN.finditer(text)}
            hosts |= {match["host"] for match in _LOGIN.finditer(text)} | _hosts_in(text)
        public = {word.lower() for word in said} | _EVERYBODY | set(_PUBLIC)
        return Cleaner(_known(users, public, 3), _known(hosts, public, 4), self.keys, self.homes)

    def text(self, text: str) -> str:
        """The text as it may be published."""
        match = _SCHEME.match(text)
        scheme, rest = (match["scheme"], match["rest"]) if match else ("", text)
        if "\n" not in rest and _is_place(rest):
            return (self.text(scheme) if scheme else "") + self._within(file_name(rest))
        return self._within(text)

    def _within(self, text: str) -> str:
        """A text that is not as a whole the name of a place."""
        for home in self._homes:
            text = home.sub("~", text)
        for pattern, instead in _FORMS:
            text = pattern.sub(instead, text)
        return self._words(text)

    def _words(self, text: str) -> str:
        for key in self.keys:
            text = text.replace(key, SECRET)
        for pattern, instead in self._patterns:
            text = pattern.sub(instead, text)
        return text

    @cached_property
    def _homes(self) -> list[re.Pattern[str]]:
        return [re.compile(rf"{re.escape(home)}(?=[/\\\s'\":,;)]|$)") for home in self.homes]

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        both = ((self.hosts, SERVER), (self.users, USER))
        return [(_any_of(words), instead) for words, instead in both if words]


def of_this_machine(environment: Mapping[str, str] = os.environ) -> Cleaner:
    """One that knows who runs this, where, and what the environment names of servers and keys."""
    home = str(Path.home())
    users = {environment.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")} | {Path(home).name}
    host = {socket.gethostname(), environment.get("HOSTNAME", ""), environment.get("COMPUTERNAME", "")}
    hosts = host | {name.partition(".")[0] for name in host}
    for value in environment.values():
        hosts |= _hosts_in(value)
    keys = {value for name, value in environment.items() if _KEY.search(name) and len(value) >= _SHORTEST_KEY}
    folders = {environment.get("HOME", ""), home, str(Path.cwd())}
    homes = tuple(sorted((folder for folder in folders if folder.count("/") > 1 or "\\" in folder), key=len)[::-1])
    return Cleaner(_known(users, _EVERYBODY, 3), _known(hosts, _EVERYBODY, 4), frozenset(keys), homes)


def without_folders(text: str) -> str:
    """The text with files by their own names alone, as a traceback that goes into a row should have them."""
    for pattern, instead in _PLACES:
        text = pattern.sub(instead, text)
    return text


def file_name(place: str) -> str:
    """The own name of a file or folder; `folder` for a home."""
    if _HOME.match(place):
        return "folder"
    name = PureWindowsPath(place).name if "\\" in place else Path(place.rstrip("/")).name
    return name or "folder"


def _known(words: Iterable[str], public: Iterable[str], shortest: int) -> frozenset[str]:
    kept = set(public)
    return frozenset(word for word in words if len(word) >= shortest and word.lower() not in kept)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z0-9])(?<!private-)(?:{longest_first})(?![A-Za-z0-9])", re.IGNORECASE)


def _hosts_in(text: str) -> set[str]:
    """Hosts of the URLs in a text that are not public, without those that are numbers."""
    found = (_host(match[0]) for match in _URL.finditer(text) if match["scheme"].lower() not in ("hf", "file"))
    return {host for host in found if host and host not in _PUBLIC and not host.replace(".", "").isdigit()}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # no URL after all
        return ""


def _is_place(text: str) -> bool:
    """Whether the whole text says where something lies on this machine or another."""
    if _ROOTED.match(text):
        return "://" not in text  # else an address stands behind it, of which the last part is no file's name
    return "/" in text and os.path.exists(text)  # noqa: PTH110 - Path.exists raises for a name that is too long


def _url(match: re.Match[str]) -> str:
    if match["scheme"].lower() == "hf":
        return match[0]
    if _host(match[0]) in _PUBLIC and "@" not in match["place"]:
        return match[0].partition("?")[0]
    return f"{match['scheme']}://{SERVER}"


def _place(match: re.Match[str]) -> str:
    return file_name(match["place"])


def _quoted(match: re.Match[str]) -> str:
    return match["quote"] + file_name(match["place"]) + match["quote"]


def _server(match: re.Match[str]) -> str:
    host = match[0].partition("/")[0]
    return match[0] if host.partition(":")[0].lower() in _PUBLIC else SERVER


def _login(match: re.Match[str]) -> str:
    return SERVER + (match["port"] or "")


def _whole(match: re.Match[str]) -> str:
    return file_name(match[0])


def _named(match: re.Match[str]) -> str:
    return "folder" if _HOME.match(match[0]) else match["name"] or "folder"


_PLACES = ((_FILE_URL, _place), (_QUOTED, _quoted), (_WINDOWS, _whole), (_PATH, _named))
_FORMS = ((_FILE_URL, _place), (_URL, _url), (_LOGIN, _login), (_ADDRESS, _server), *_PLACES)
