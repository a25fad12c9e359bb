"""Stages and judges as data: what `kbtools stages`, `kbtools judges` and the generated documentation say of them.

Everything is read from the classes themselves, so that no list has to be kept beside the code.
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from kbtools.judge import Judge
from kbtools.plugins import registry
from kbtools.stage import Stage


@dataclass(frozen=True)
class FieldCard:
    """One field of a stage, as people read it."""

    name: str
    option: str
    type: str
    default: str
    """Empty for a required field."""
    required: bool
    help: str


@dataclass(frozen=True)
class StageCard:
    """One stage or judge, as people read it."""

    name: str
    kind: Literal["stage", "judge"]
    python: str
    summary: str
    text: str
    """The whole docstring."""
    distribution: str
    version: str
    scope: str
    suffix: str
    fields: tuple[FieldCard, ...]
    reads: tuple[str, ...] = ()
    """Roles that a judge needs."""
    may_read: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    """Columns that a judge adds."""

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def card(name: str, cls: type[Stage]) -> StageCard:
    """What there is to say of a stage or judge that is known by this name."""
    text = inspect.getdoc(cls) or ""
    origin = registry().origin(cls)
    judge = cls if issubclass(cls, Judge) else None
    return StageCard(
        name=name,
        kind="judge" if judge and judge is not Judge else "stage",
        python=cls.__name__,
        summary=text.partition("\n")[0],
        text=text,
        distribution=origin.distribution if origin else "kbtools",
        version=origin.version if origin else version("kbtools"),
        scope=getattr(cls, "scope", "that of the judge"),
        suffix=cls.suffix,
        fields=tuple(field_card(name, cls.model_fields[name]) for name in _field_order(cls)),
        reads=judge.reads if judge else (),
        may_read=judge.may_read if judge else (),
        adds=tuple(judge.verdict.model_fields) if judge else (),
    )


def _field_order(cls: type[Stage]) -> list[str]:
    """A stage's own fields first; `columns`, which all have, last."""
    return sorted(cls.model_fields, key=lambda name: name in Stage.model_fields)


def field_card(name: str, field: FieldInfo) -> FieldCard:
    """What there is to say of a field."""
    return FieldCard(
        name=name,
        option="--" + name.replace("_", "-"),
        type=type_name(field.annotation),
        default="" if field.is_required() else _default(field.get_default(call_default_factory=True)),
        required=field.is_required(),
        help=" ".join((field.description or "").split()),
    )


def type_name(annotation: object) -> str:
    """An annotation as people write it: the choices of a Literal, `list of str`, the type without None."""
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " | ".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (tuple, list):
        return f"list of {type_name(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "key=value"
    members = get_args(annotation)
    if type(None) in members or get_origin(annotation) is Union:
        return " | ".join(type_name(member) for member in members if member is not type(None))
    return getattr(annotation, "__name__", str(annotation))


def _default(value: object) -> str:
    if value is None or value in ("", (), [], {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
