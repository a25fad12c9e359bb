"""The hooks through which a plugin adds to kbtools: what each one may return, and the marker that implements it.

A plugin is a module named by an entry point of the group ``kbtools``. It implements any of these with `hookimpl`. In
place of a class a hook may return an `Offer`, the name of the class and where it is, which is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from kbtools.feedback import Feedback
    from kbtools.judge import Judge
    from kbtools.plugins.offers import Offer
    from kbtools.rollouts import RolloutLayout
    from kbtools.stage import Stage

GROUP = "kbtools"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def register_stages() -> Sequence[type[Stage] | Offer[type[Stage]]]:  # type: ignore[empty-body]  # a specification has no body
    """Stage classes that this plugin adds; each one's `name` is what users write."""


@hookspec
def register_judges() -> Sequence[type[Judge] | Offer[type[Judge]]]:  # type: ignore[empty-body]  # a specification has no body
    """Judge classes that this plugin adds; the default of each one's field `judge` is what users write."""


@hookspec
def register_feedback() -> Sequence[type[Feedback] | Offer[type[Feedback]]]:  # type: ignore[empty-body]  # a specification has no body
    """Classes that check answers between the turns of a conversation; each one's `name` is what users write."""


@hookspec
def register_prompts() -> list[Traversable]:  # type: ignore[empty-body]  # a specification has no body
    """Folders that hold `<name>/v<N>.j2` prompt files."""


@hookspec
def register_rollout_layouts() -> Sequence[RolloutLayout | Offer[RolloutLayout]]:  # type: ignore[empty-body]  # a specification has no body
    """Layouts of rollouts that `convert-rollouts` reads beside its own."""


@hookspec(firstresult=True)
def resolve_model(spec: str) -> object:
    """A model backend for this model spec, or None when the spec is not this plugin's; the first answer counts."""
