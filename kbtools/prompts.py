"""Prompts as versioned Jinja files: finding `name@vN`, reading the front matter, rendering to messages.

A prompt is `<name>/v<N>.j2`: YAML front matter between `---` lines, then the template, in which a line
`{# role: user #}` begins a message. Untrusted text goes through `fence`, which encloses it in a delimiter that cannot
occur in it. Which folders hold prompts is known one floor up, by the registry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools.data.digest import sha256
from kbtools.data.io import text_file
from kbtools.data.io.source import local_path
from kbtools.errors import DataError, UsageError, did_you_mean, explain

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_VERSION = re.compile(r"^v([1-9]\d*)$")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ROLE = re.compile(r"^\{# role: (system|user|assistant) #\}\n", re.MULTILINE)


class FrontMatter(BaseModel):
    """What a prompt file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    columns: tuple[str, ...] = ()
    """Names that the template needs."""
    reply: dict[str, Any] | None = None
    """JSON schema of the reply; None for free text."""
    model: dict[str, Any] = {}
    """Sampling defaults, such as temperature and max_tokens."""


@dataclass(frozen=True)
class Prompt:
    """One version of one prompt."""

    name: str
    version: int
    text: str
    """The whole file."""
    origin: str = ""
    """Distribution that ships it, or the path it was read from."""

    @property
    def spec(self) -> str:
        """`name@vN`, as lineage and recipes write it."""
        return f"{self.name}@v{self.version}"

    @property
    def sha256(self) -> str:
        """Digest of the whole text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def front(self) -> FrontMatter:
        """The parsed front matter; DataError when it is missing or wrong."""
        match = _FRONT.match(self.text)
        if not match:
            raise DataError(f"prompt {self.spec} has no front matter between two lines of ---.")
        try:
            return _front_matter(match[1])
        except ValidationError as error:
            raise DataError(
                f"the front matter of prompt {self.spec} is wrong: {explain(error, FrontMatter)}"
            ) from error
        except yaml.YAMLError as error:
            raise DataError(f"the front matter of prompt {self.spec} is wrong: {error}") from error

    def render(self, values: Mapping[str, object]) -> list[dict[str, str]]:
        """The messages for these values; UsageError names a value that the template needs and did not get."""
        from jinja2 import TemplateError

        try:
            return [{"role": role, "content": turn(values)} for role, turn in self._turns()]
        except TemplateError as error:
            raise UsageError(f"prompt {self.spec} could not be rendered: {error.message}") from error

    def check(self) -> None:
        """DataError when the front matter or the template is wrong."""
        from jinja2 import TemplateError

        _ = self.front
        try:
            self._turns()
        except TemplateError as error:
            raise DataError(f"prompt {self.spec} is not a template: {error.message}") from error

    def _turns(self) -> tuple[tuple[str, _Turn], ...]:
        """Role and text of each message."""
        turns = _compiled(self.text)
        if not turns:
            raise DataError(f"prompt {self.spec}: the template must begin with a line such as {{# role: user #}}.")
        return turns


def fence(text: str, label: str = "code") -> str:
    """The text between two marks that occur nowhere in it, so that nothing inside can end the quotation."""
    seed = sha256(text.encode("utf-8", "surrogatepass"))
    length = 8
    while (mark := seed[:length]) in text and length < len(seed):
        length += 8
    return f"<{label} id={mark}>\n{text}\n</{label} id={mark}>"


@lru_cache(maxsize=64)  # read for every row
def _front_matter(text: str) -> FrontMatter:
    return FrontMatter.model_validate(yaml.safe_load(text))


@lru_cache(maxsize=64)  # compiling takes a millisecond, rendering a hundredth of it
def _compiled(text: str) -> tuple[tuple[str, _Turn], ...]:
    """Role and text of each message of a prompt file; none if it does not begin with a role."""
    before, *parts = _ROLE.split(_FRONT.sub("", text, count=1))
    turns = zip(parts[::2], parts[1::2], strict=True)
    return () if before.strip() else tuple((role, _turn(turn)) for role, turn in turns)


_Turn = Callable[[Mapping[str, object]], str]
"""The text of a message for some values."""


def _turn(text: str) -> _Turn:
    from jinja2 import nodes

    environment = _environment()
    body = environment.parse(text).body
    template = environment.from_string(text)
    if all(isinstance(part, nodes.Output) and _is_text(part.nodes) for part in body):
        same = template.render().strip("\n")  # nothing in it depends on the row
        return lambda values: same
    template.globals = dict(template.globals)  # a ChainMap, copied at each rendering: half of its time
    return lambda values: template.render(values).strip("\n")


def _is_text(parts: Iterable[object]) -> bool:
    from jinja2 import nodes

    return all(isinstance(part, nodes.TemplateData) for part in parts)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["fence"] = fence
    return environment


def root() -> Traversable:
    """Folder of the prompts that come with kbtools: packaged in a wheel, at the top of the repository otherwise."""
    packaged = resources.files("kbtools") / "_prompts"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "prompts"


def read_folder(folder: Traversable, origin: str) -> list[Prompt]:
    """Every `<name>/v<N>.j2` of a folder."""
    return [
        Prompt(name.name, int(version[1]), text_file.read_text(file, "prompt"), origin)
        for name in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if name.is_dir()
        for file in name.iterdir()
        if file.name.endswith(".j2") and (version := _VERSION.match(file.name.removesuffix(".j2")))
    ]


def resolve(spec: str, known: Iterable[Prompt]) -> Prompt:
    """The prompt that a spec means: `name` (its highest version), `name@vN`, `distribution/name[@vN]`, or a path."""
    if spec.endswith(".j2"):
        return _from_path(local_path(spec))
    name, _, version = spec.partition("@")
    prompts = list(known)
    named = [p for p in prompts if name in (p.name, f"{p.origin}/{p.name}")]
    if not named:
        raise UsageError(f"there is no prompt {name!r}. {did_you_mean(name, (p.name for p in prompts))}")
    if len({p.origin for p in named}) > 1:
        choices = ", ".join(sorted({f"{p.origin}/{p.name}" for p in named}))
        raise UsageError(f"several packages offer a prompt {name!r}: write one of {choices}.")
    if not version:
        return max(named, key=lambda p: p.version)
    for prompt in named:
        if version == f"v{prompt.version}":
            return prompt
    raise UsageError(f"prompt {name!r} has no {version!r}; it has {', '.join(f'v{p.version}' for p in named)}.")


def _from_path(path: Path) -> Prompt:
    if not path.is_file():
        raise UsageError(f"there is no prompt file {str(path)!r}.")
    version = _VERSION.match(path.stem)
    name = path.parent.name if version else path.stem
    return Prompt(name, int(version[1]) if version else 1, text_file.read_text(path, "prompt"), str(path))
