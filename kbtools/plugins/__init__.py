"""The registry: every module behind an entry point of the group `kbtools`, each loaded in its own try.

Stages, judges and prompts are looked up here by the names that users write; what a class needs to say of itself is in
`kbtools.stage` and `kbtools.judge`. A class that a plugin only names is imported when it is used, so that a chain
imports its own stages alone. A plugin that fails is remembered with its distribution, its error and what it would have
offered, and takes nothing else down.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from kbtools import prompts
from kbtools.errors import UsageError, did_you_mean
from kbtools.plugins import hooks
from kbtools.plugins.offers import Offer

if TYPE_CHECKING:
    from kbtools.feedback import Feedback
    from kbtools.judge import Judge
    from kbtools.rollouts import RolloutLayout
    from kbtools.stage import Stage

T = TypeVar("T")


@dataclass(frozen=True)
class Origin:
    """The installed distribution that offers a class."""

    distribution: str
    version: str


@dataclass(frozen=True)
class Plugin:
    """One entry point: what it offers, or why it could not be loaded."""

    entry: str
    module: str
    origin: Origin
    stages: tuple[Offer[type[Stage]], ...] = ()
    judges: tuple[Offer[type[Judge]], ...] = ()
    feedback: tuple[Offer[type[Feedback]], ...] = ()
    prompts: tuple[prompts.Prompt, ...] = ()
    layouts: tuple[Offer[RolloutLayout], ...] = ()
    error: str | None = None
    promised: tuple[str, ...] = ()
    """Names that the source of a plugin that failed would have offered."""

    def classes(self) -> tuple[Offer[type[Stage] | type[Feedback]], ...]:
        """Everything of it that is a class."""
        return (*self.stages, *self.judges, *self.feedback)

    def checked(self) -> Plugin:
        """The plugin with everything that it names imported and looked at; with the error of what fails."""
        try:
            for offer in (*self.stages, *self.judges):
                offer.get().check_class()
            for other in (*self.feedback, *self.layouts):
                other.get()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may fail in any way, and is listed with it
            return replace(self, error=_fault(error), promised=tuple(offer.name for offer in self.classes()))
        return self


@dataclass(frozen=True)
class Registry:
    """All plugins of this environment."""

    plugins: tuple[Plugin, ...]
    manager: pluggy.PluginManager = field(repr=False)

    def stages(self) -> dict[str, type[Stage]]:
        """Stage classes by name; a name that several plugins claim is here as `distribution/name`."""
        return _loaded(self.offers("stage"))

    def judges(self) -> dict[str, type[Judge]]:
        """Judge classes by name, clashes as for stages."""
        return _loaded(self.offers("judge"))

    def feedbacks(self) -> dict[str, type[Feedback]]:
        """Feedback classes by name, clashes as for stages."""
        return _loaded(self.offers("feedback"))

    def layouts(self) -> tuple[RolloutLayout, ...]:
        """Every layout of rollouts."""
        return tuple(offer.get() for plugin in self.plugins for offer in plugin.layouts)

    def offers(self, kind: str) -> dict[str, Offer[type[Any]]]:
        """What may stand for a stage, judge or feedback, as the dictionaries above, without importing any."""
        claims: dict[str, list[tuple[str, Offer[type[Any]]]]] = {}
        for plugin in self.plugins:
            for name, offer in _names(plugin, kind).items():
                claims.setdefault(name, []).append((plugin.origin.distribution, offer))
        return {
            name if len(claimants) == 1 else f"{distribution}/{name}": offer
            for name, claimants in claims.items()
            for distribution, offer in claimants
        }

    def prompt_files(self) -> list[prompts.Prompt]:
        """Every version of every prompt."""
        return [prompt for plugin in self.plugins for prompt in plugin.prompts]

    def stage(self, name: str) -> type[Stage]:
        """The stage class of a name; UsageError with the nearest name when there is none."""
        found: type[Stage] = self._find("stage", name)
        return found

    def class_of(self, entry: Mapping[str, object]) -> type[Stage] | None:
        """The class of a stage as a recipe writes it; None for one that is in no registry, as of a notebook."""
        try:
            return self.stage(str(entry["stage"])).chosen(entry)
        except UsageError:
            return None

    def judge(self, name: str) -> type[Judge]:
        """The judge class of a name."""
        found: type[Judge] = self._find("judge", name)
        return found

    def feedback(self, name: str) -> type[Feedback]:
        """The feedback class of a name."""
        found: type[Feedback] = self._find("feedback", name)
        return found

    def prompt(self, spec: str) -> prompts.Prompt:
        """The prompt of a spec such as `difficulty`, `difficulty@v1`, `distribution/name` or a path."""
        return prompts.resolve(spec, self.prompt_files())

    def name_of(self, cls: type[Stage]) -> str:
        """The name by which a stage's or judge's class is found here, with its distribution where names clash."""
        known = {**self.offers("stage"), **self.offers("judge")}
        return next((name for name, offer in known.items() if offer.is_of(cls)), cls.registered_name())

    def origin(self, cls: type[Stage | Feedback]) -> Origin | None:
        """The distribution that offers a class; None for one that is in no plugin, as in a notebook."""
        return next((p.origin for p in self.plugins if any(offer.is_of(cls) for offer in p.classes())), None)

    def named_in_python(self, name: str) -> list[type[Stage]]:
        """The classes of this Python name, whoever offers them."""
        return [offer.get() for p in self.plugins for offer in (*p.stages, *p.judges) if offer.python == name]

    def _find(self, kind: str, name: str) -> type[Any]:
        known = self.offers(kind)
        owned = {
            f"{plugin.origin.distribution}/{bare}": offer
            for plugin in self.plugins
            for bare, offer in _names(plugin, kind).items()
        }
        if offer := known.get(name) or owned.get(name):
            try:
                return offer.get()
            except (Exception, SystemExit) as error:
                owner = next(full.partition("/")[0] for full, other in owned.items() if other is offer)
                fault = f"{owner} would offer it, but failed to load: {_fault(error)}"
                raise UsageError(f"there is no {kind} {name!r}. {fault}") from error
        claimants = sorted(full for full in known if full.endswith(f"/{name}"))
        if claimants:
            raise UsageError(f"several packages offer a {kind} {name!r}: write one of {', '.join(claimants)}.")
        raise UsageError(f"there is no {kind} {name!r}. {did_you_mean(name, known)}{self._broken_promise(name)}")

    def _broken_promise(self, name: str) -> str:
        """What a plugin that failed to load has to do with a name that is not found."""
        broken = [plugin for plugin in self.plugins if plugin.error]
        for plugin in broken:
            if name in plugin.promised:
                return f" {plugin.origin.distribution} would offer it, but failed to load: {plugin.error}"
        names = ", ".join(plugin.origin.distribution for plugin in broken)
        return f" These plugins failed to load (see `kbtools plugins`): {names}." if broken else ""


@cache
def registry() -> Registry:
    """The plugins of this environment, loaded once."""
    manager = _new_manager()
    plugins = tuple(_load(entry, manager) for entry in importlib.metadata.entry_points(group=hooks.GROUP))
    return Registry(plugins, manager)


def prompt(spec: str) -> prompts.Prompt:
    """The prompt of a spec such as `difficulty`, `difficulty@v1`, `distribution/name` or a path to a .j2 file."""
    return registry().prompt(spec)


def _new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    return manager


def _load(entry: importlib.metadata.EntryPoint, shared: pluggy.PluginManager) -> Plugin:
    origin = Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin("unknown", "")
    try:
        module = entry.load()
        own = _new_manager()  # each plugin alone first, so that its faults are known to be its own
        own.register(module, name=f"{origin.distribution}:{entry.name}")
        own.check_pending()
        loaded = Plugin(
            entry.name,
            entry.value,
            origin,
            stages=_offers(own.hook.register_stages()),
            judges=_offers(own.hook.register_judges()),
            feedback=_offers(own.hook.register_feedback()),
            prompts=tuple(
                prompt
                for folders in own.hook.register_prompts()
                for folder in folders
                for prompt in prompts.read_folder(folder, origin.distribution)
            ),
            layouts=_offers(own.hook.register_rollout_layouts()),
        )
        for offer in (*loaded.stages, *loaded.judges):
            if offer.given is not None:
                offer.given.check_class()
        shared.register(module, name=f"{origin.distribution}:{entry.name}")
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may fail in any way, and is listed with it
        return Plugin(entry.name, entry.value, origin, error=_fault(error), promised=_promised(entry.value))
    return loaded


def _offers(answers: Iterable[Iterable[Any]]) -> tuple[Offer[Any], ...]:
    """What a hook returned, with a name for what is no offer but the thing itself."""
    return tuple(thing if isinstance(thing, Offer) else _offer(thing) for answer in answers for thing in answer)


def _offer(thing: Any) -> Offer[Any]:
    if isinstance(thing, type):
        return Offer(thing.registered_name(), f"{thing.__module__}:{thing.__name__}", thing)  # type: ignore[attr-defined]  # what hooks return is stated in kbtools.hooks
    return Offer(thing.name, "", thing)


def _fault(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


_FIELD = {"stage": "stages", "judge": "judges", "feedback": "feedback"}
"""Field of a plugin that holds its classes of a kind."""


def _names(plugin: Plugin, kind: str) -> dict[str, Offer[type[Any]]]:
    offered: tuple[Offer[type[Any]], ...] = getattr(plugin, _FIELD[kind])
    return {offer.name: offer for offer in offered}


def _loaded(offers: Mapping[str, Offer[T]]) -> dict[str, T]:
    """What can be imported; what fails is named by `kbtools plugins`, and where it is used."""
    found = {}
    for name, offer in offers.items():
        with contextlib.suppress(Exception, SystemExit):
            found[name] = offer.get()
    return found


def _promised(module: str) -> tuple[str, ...]:
    """Values of `name` and `judge` in the classes of a module or package that cannot be imported, from its text."""
    classes = [node for source in _sources(module) for node in ast.walk(source) if isinstance(node, ast.ClassDef)]
    return tuple(
        str(statement.value.value)
        for cls in classes
        for statement in cls.body
        if isinstance(statement, ast.AnnAssign | ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
        and _target(statement) in ("name", "judge")
    )


def _sources(module: str) -> Iterator[ast.Module]:
    """Every file of a module or package that can be parsed."""
    try:
        spec = importlib.util.find_spec(module.partition(":")[0])
    except (ImportError, ValueError):
        return
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.py"))]
    for file in files or ([Path(spec.origin)] if spec and spec.origin else []):
        with contextlib.suppress(OSError, SyntaxError, ValueError):
            yield ast.parse(file.read_text(encoding="utf-8"))


def _target(statement: ast.AnnAssign | ast.Assign) -> str:
    target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
    return target.id if isinstance(target, ast.Name) else ""
